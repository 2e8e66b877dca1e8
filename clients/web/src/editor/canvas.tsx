import { Editor } from '@tiptap/core'
import { useEffect, useRef } from 'preact/hooks'
import { Doc, applyUpdate } from 'yjs'
import { liveExtensions, stillExtensions } from './extensions'
import type { LiveDocument } from './live'
import { guard } from './reading'

interface CanvasProps {
  live: LiveDocument
  onEditor: (editor: Editor | undefined) => void
  onStrange: () => void
}

/** The live document, to write in. */
export function Canvas({ live, onEditor, onStrange }: CanvasProps) {
  const place = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const unguard = guard(live.doc, () => {
      editor.destroy() // at once: the binding's own look at this change comes next
      onStrange()
    })
    const editor = new Editor({
      element: place.current!,
      extensions: liveExtensions(live),
      injectCSS: false, // the Content-Security-Policy takes no style elements
      editable: live.access.value === 'write',
      autofocus: live.access.value === 'write' ? 'end' : false,
      editorProps: { attributes: { class: 'sheet', role: 'textbox', 'aria-multiline': 'true', 'aria-label': 'Document', spellcheck: 'true' } },
    })
    onEditor(editor)
    const stop = live.access.subscribe((access) => editor.setEditable(access === 'write'))
    return () => {
      stop()
      unguard()
      onEditor(undefined)
      editor.destroy()
    }
  }, [live])
  return <div ref={place} />
}

/** A state from the past, to look at. */
export function Still({ state }: { state: Uint8Array }) {
  const place = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const doc = new Doc()
    applyUpdate(doc, state)
    const editor = new Editor({
      element: place.current!,
      extensions: stillExtensions(doc),
      injectCSS: false,
      editable: false,
      editorProps: { attributes: { class: 'sheet', 'aria-label': 'Snapshot' } },
    })
    return () => editor.destroy()
  }, [state])
  return <div ref={place} />
}
