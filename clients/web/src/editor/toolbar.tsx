import type { ChainedCommands, Editor } from '@tiptap/core'
import { useEffect, useRef, useState } from 'preact/hooks'
import { Dialog } from '../ui/dialog'
import { Glyph, type GlyphName } from '../ui/glyphs'

interface Tool {
  label: string
  keys?: string
  glyph?: GlyphName
  letter?: string
  active?: [string, Record<string, unknown>?]
  run: (chain: ChainedCommands) => ChainedCommands
}

const GROUPS: Tool[][] = [
  [
    { label: 'Undo my last change', keys: 'Ctrl Z', glyph: 'undo', run: (chain) => chain.undo() },
    { label: 'Redo', keys: 'Ctrl Y', glyph: 'redo', run: (chain) => chain.redo() },
  ],
  [1, 2, 3].map((level) => ({
    label: `Heading ${level}`,
    keys: `Ctrl Alt ${level}`,
    letter: `H${level}`,
    active: ['heading', { level }] as [string, Record<string, unknown>],
    run: (chain: ChainedCommands) => chain.toggleHeading({ level: level as 1 | 2 | 3 }),
  })),
  [
    { label: 'Bold', keys: 'Ctrl B', letter: 'B', active: ['bold'], run: (chain) => chain.toggleBold() },
    { label: 'Italic', keys: 'Ctrl I', letter: 'I', active: ['italic'], run: (chain) => chain.toggleItalic() },
    { label: 'Strike through', keys: 'Ctrl Shift S', letter: 'S', active: ['strike'], run: (chain) => chain.toggleStrike() },
    { label: 'Code', keys: 'Ctrl E', glyph: 'code', active: ['code'], run: (chain) => chain.toggleCode() },
  ],
  [
    { label: 'Bullet list', glyph: 'bullets', active: ['bulletList'], run: (chain) => chain.toggleBulletList() },
    { label: 'Numbered list', glyph: 'numbers', active: ['orderedList'], run: (chain) => chain.toggleOrderedList() },
    { label: 'Task list', glyph: 'tasks', active: ['taskList'], run: (chain) => chain.toggleTaskList() },
    { label: 'Quote', glyph: 'quote', active: ['blockquote'], run: (chain) => chain.toggleBlockquote() },
    { label: 'Code block', letter: '{ }', active: ['codeBlock'], run: (chain) => chain.toggleCodeBlock() },
    { label: 'Divider', glyph: 'rule', run: (chain) => chain.setHorizontalRule() },
  ],
]

/** Formatting; one stop for the Tab key, arrows move inside. */
export function Toolbar({ editor }: { editor: Editor }) {
  const [, redraw] = useState(0)
  const [linking, setLinking] = useState(false)
  const bar = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const changed = () => redraw((count) => count + 1)
    editor.on('transaction', changed)
    return () => void editor.off('transaction', changed)
  }, [editor])
  const move = (event: KeyboardEvent) => {
    const all = [...bar.current!.querySelectorAll<HTMLButtonElement>('button')]
    const now = all.indexOf(document.activeElement as HTMLButtonElement)
    const to = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: -1 }[event.key]
    if (now < 0 || to === undefined) return
    event.preventDefault()
    const next = all[(to + all.length) % all.length]
    all.forEach((button) => (button.tabIndex = button === next ? 0 : -1))
    next?.focus()
  }
  return (
    <>
    <div class="toolbar" role="toolbar" aria-label="Formatting" ref={bar} onKeyDown={move}>
      {GROUPS.map((group, at) => (
        <div key={at}>
          {group.map((tool, index) => (
            <button
              key={tool.label}
              type="button"
              class={`button quiet small icon letter-${tool.letter?.toLowerCase() ?? ''}`}
              aria-label={tool.label}
              title={tool.keys ? `${tool.label} (${tool.keys})` : tool.label}
              aria-pressed={tool.active ? editor.isActive(...tool.active) : undefined}
              tabIndex={at === 0 && index === 0 ? 0 : -1}
              onMouseDown={(event) => event.preventDefault()}
              onClick={() => tool.run(editor.chain().focus()).run()}
            >
              {tool.glyph ? <Glyph name={tool.glyph} /> : <span data-letter={tool.letter} />}
            </button>
          ))}
          {at === 2 && (
            <button type="button" class="button quiet small icon" aria-label="Link" title="Link" aria-pressed={editor.isActive('link')} tabIndex={-1} onClick={() => setLinking(true)}>
              <Glyph name="link" />
            </button>
          )}
        </div>
      ))}
    </div>
    {linking && <LinkDialog editor={editor} onClose={() => setLinking(false)} />}
    </>
  )
}

function LinkDialog({ editor, onClose }: { editor: Editor; onClose: () => void }) {
  const [address, setAddress] = useState<string>(editor.getAttributes('link')['href'] ?? '')
  const [refused, setRefused] = useState(false)
  const save = () => {
    const chain = editor.chain().focus().extendMarkRange('link')
    const href = linkOf(address.trim())
    if (href === undefined) return setRefused(true)
    if (!href) chain.unsetLink().run()
    else if (editor.state.selection.empty && !editor.isActive('link'))
      chain.insertContent({ type: 'text', text: address.trim(), marks: [{ type: 'link', attrs: { href } }] }).run()
    else chain.setLink({ href }).run()
    onClose()
  }
  return (
    <Dialog title="Link" onClose={onClose} onSubmit={save}>
      <label class="field">
        <span>Address</span>
        <input class="input" value={address} placeholder="https://" autofocus onInput={(event) => setAddress(event.currentTarget.value)} />
      </label>
      {refused && <p class="notice bad" role="alert">A link may lead to a web page, a file, a mail address or a phone number.</p>}
      <footer>
        <button type="button" class="button" onClick={onClose}>Cancel</button>
        <button class="button primary">{address.trim() ? 'Set link' : 'Remove link'}</button>
      </footer>
    </Dialog>
  )
}

/** What was typed as an address, with `https://` if nothing stands before it; undefined if no link may lead there. */
function linkOf(text: string): string | undefined {
  if (/^((https?|ftps?):\/\/|(mailto|tel|sms):|[/#?]|$)/i.test(text)) return text
  return /^[a-z][a-z0-9+.-]*:(?!\d)/i.test(text) ? undefined : `https://${text}`
}
