import { getSchema } from '@tiptap/core'
import type { Node } from '@tiptap/pm/model'
import { yXmlFragmentToProsemirrorJSON } from '@tiptap/y-tiptap'
import { AbstractType, XmlElement, XmlText, type Doc, type YEvent } from 'yjs'
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

const HASHED = /--[a-zA-Z0-9+/=]{8}$/ // what y-tiptap puts behind the name of a mark that may stand over itself

/** Whether this editor does not know this, or anything in it. */
function isStrange(type: unknown): boolean {
  if (type instanceof XmlElement) return !schema.nodes[type.nodeName] || type.toArray().some(isStrange)
  if (!(type instanceof XmlText)) return true
  const parts = type.toDelta() as { insert: unknown; attributes?: object }[]
  return parts.some(({ insert, attributes = {} }) => typeof insert !== 'string' || Object.keys(attributes).some((name) => !schema.marks[name.replace(HASHED, '')]))
}

/** Calls if somebody brings what this editor does not know; before the binding sees it. Returns how to stop. */
export function guard(doc: Doc, onStrange: () => void): () => void {
  const look = (events: YEvent<AbstractType<unknown>>[]) => {
    for (const event of events) {
      if (event.transaction.local) return // it was typed here
      if (event.target instanceof XmlText && isStrange(event.target)) return onStrange()
      const added = [...event.changes.added].flatMap((item) => item.content.getContent())
      if (added.some((content) => content instanceof AbstractType && isStrange(content))) return onStrange()
    }
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
