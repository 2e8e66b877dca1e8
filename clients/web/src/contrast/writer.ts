import { CollabProvider } from 'collab-client'
import * as Y from 'yjs'
import { me, socketUrl, ticket } from '../session'

const FIELD = 'default'
const WORDS = 'every key goes to all who follow this document at once or when they next come and ask for it'.split(' ')
const CHARS_MAX = 240
const SENT_MAX = 2000

/** When an edit was made: its clock in the writer's CRDT client, and the page's own time. */
export interface Sent {
  clock: number
  at: number
}

/** Types into a paragraph of its own at the document's end, over a socket of its own, and takes it out again. */
export class Writer {
  readonly doc = new Y.Doc()
  readonly provider: CollabProvider
  readonly sent: Sent[] = []
  edits = 0
  #paragraph: Y.XmlElement | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #word = 0

  constructor(id: string) {
    const robot = { id: `${me.value.id}-robot`, name: `${me.value.name}’s robot`, color: '#5d4a3f' }
    this.provider = new CollabProvider({ url: socketUrl(), document: id, doc: this.doc, ticket: () => ticket(id, 'write', robot), tabs: false })
    this.provider.awareness.setLocalStateField('user', robot)
  }

  /** Words at this rate, each an edit. */
  start(perSecond: number): void {
    this.stop()
    const next = () => {
      this.type(`${WORDS[this.#word++ % WORDS.length]} `)
      this.#timer = setTimeout(next, 1000 / perSecond)
    }
    next()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  get running(): boolean {
    return this.#timer !== undefined
  }

  type(text: string): void {
    if (!this.provider.synced || this.provider.readOnly) return
    this.doc.transact(() => {
      const line = this.#line()
      line.insert(line.length, text)
      if (line.length > CHARS_MAX) line.delete(0, line.length - CHARS_MAX + text.length)
    })
    this.edits += 1
    this.sent.push({ clock: Y.getState(this.doc.store, this.doc.clientID), at: performance.now() })
    if (this.sent.length > SENT_MAX) this.sent.shift()
  }

  /** Takes out what it typed. */
  tidy(): void {
    const fragment = this.doc.getXmlFragment(FIELD)
    const at = this.#paragraph ? fragment.toArray().indexOf(this.#paragraph) : -1
    if (at >= 0) fragment.delete(at)
    this.#paragraph = undefined
  }

  close(): void {
    this.stop()
    this.tidy()
    this.provider.destroy()
  }

  #line(): Y.XmlText {
    const fragment = this.doc.getXmlFragment(FIELD)
    const there = this.#paragraph && fragment.toArray().includes(this.#paragraph) ? this.#paragraph.firstChild : undefined
    if (there instanceof Y.XmlText) return there
    const line = new Y.XmlText()
    this.#paragraph = new Y.XmlElement('paragraph')
    this.#paragraph.insert(0, [line])
    fragment.insert(fragment.length, [this.#paragraph])
    return line
  }
}
