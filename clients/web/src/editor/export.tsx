import { useSignal } from '@preact/signals'
import type { Editor } from '@tiptap/core'
import { encodeStateAsUpdate } from 'yjs'
import { Glyph } from '../ui/glyphs'
import { Menu } from '../ui/menu'
import type { LiveDocument } from './live'

/** The document as a file, made here from what is on the screen. */
export function Export({ id, live, editor }: { id: string; live: LiveDocument; editor: Editor }) {
  const failed = useSignal('')
  const save = (ending: string, type: string, make: () => BlobPart | Promise<BlobPart>) =>
    Promise.resolve(make()).then(
      (made) => ((failed.value = ''), download(`${name}.${ending}`, new Blob([made], { type }))),
      () => (failed.value = 'Not exported: a part of this page could not be loaded. Reload and try again.'),
    )
  const name = id.replace(/[^\p{L}\p{N}._-]+/gu, '-') || 'document'
  const markdown = async () => {
    const [{ MarkdownManager }, { schemaExtensions }] = await Promise.all([import('@tiptap/markdown'), import('./extensions')])
    return new MarkdownManager({ extensions: schemaExtensions() }).serialize(editor.getJSON())
  }
  const html = () => `<!doctype html>\n<meta charset="utf-8">\n<title>${name}</title>\n${editor.getHTML()}\n`
  const ways: [string, string, string, () => BlobPart | Promise<BlobPart>][] = [
    ['Markdown', 'md', 'text/markdown', markdown],
    ['HTML', 'html', 'text/html', html],
    ['Plain text', 'txt', 'text/plain', () => editor.getText({ blockSeparator: '\n' })],
    ['JSON (ProseMirror)', 'json', 'application/json', () => JSON.stringify(editor.getJSON(), null, 2)],
    ['Yjs update', 'yjs', 'application/octet-stream', () => encodeStateAsUpdate(live.doc) as Uint8Array<ArrayBuffer>],
  ]
  return (
    <>
    <Menu label="Export" glyph="down" text="Export">
      {ways.map(([label, ending, type, make]) => (
        <li key={ending}>
          <button type="button" onClick={() => void save(ending, type, make)}>
            <Glyph name="down" />
            {label}
          </button>
        </li>
      ))}
    </Menu>
    {failed.value && <span class="small" role="alert">{failed.value}</span>}
    </>
  )
}

function download(name: string, blob: Blob): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}
