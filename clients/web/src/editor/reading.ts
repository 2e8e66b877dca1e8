import { getSchema } from '@tiptap/core'
import type { Node } from '@tiptap/pm/model'
import { yXmlFragmentToProsemirrorJSON } from '@tiptap/y-tiptap'
import { XmlElement, type Doc, type YEvent, type AbstractType } from 'yjs'
import { schemaExtensions } from './extensions'
import { FIELD } from './live'

const schema = getSchema(schemaExtensions())

/** The document as ProseMirror sees it, without touching it. Raises if there is something that it does not know. */
function root(doc: Doc): Node {
  return schema.nodeFromJSON(yXmlFragmentToProsemirrorJSON(doc.getXmlFragment(FIELD)))
}

/**
 * Whether this editor knows everything in the document. If not it must not be opened here: the binding takes out of
 * the document, for everybody, what its schema does not know.
 */
export function isReadable(doc: Doc): boolean {
  if (doc.getXmlFragment(FIELD).length === 0) return true
  try {
    root(doc).check()
    return true
  } catch {
    return false
  }
}

/** Calls if somebody brings an element that this editor does not know; before the binding sees it. Returns how to stop. */
export function guard(doc: Doc, onStrange: () => void): () => void {
  const look = (events: YEvent<AbstractType<unknown>>[]) => {
    for (const event of events)
      for (const item of event.changes.added)
        for (const content of item.content.getContent())
          if (content instanceof XmlElement && !schema.nodes[content.nodeName]) return onStrange()
  }
  const fragment = doc.getXmlFragment(FIELD)
  fragment.observeDeep(look as never)
  return () => fragment.unobserveDeep(look as never)
}

/** The text of each block that holds text. */
export function lines(doc: Doc): string[] {
  const made: string[] = []
  root(doc).descendants((node) => {
    if (node.isTextblock) made.push(node.textContent)
    return !node.isTextblock
  })
  return made
}
