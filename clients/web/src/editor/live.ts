import { signal } from '@preact/signals'
import { CollabProvider, type Access, type Ending, type Status } from 'collab-client'
import { IndexeddbPersistence } from 'y-indexeddb'
import * as Y from 'yjs'
import { copyName } from '../copies'
import { me, socketUrl, ticket } from '../session'
import { presentOf, type Present } from '../ui/people'
import { tame } from './strangers'

/** Tiptap's own name for the root that it edits. */
export const FIELD = 'default'
const DEVICE_MS = 3000

/** A document that is open here: its copy on this device, its connection, and what there is to say about both. */
export class LiveDocument {
  readonly doc = new Y.Doc()
  readonly provider: CollabProvider
  readonly status = signal<Status>('connecting')
  readonly unsaved = signal(0)
  readonly saved = signal(false)
  readonly access = signal<Access>('write')
  readonly ending = signal<Ending | undefined>(undefined)
  readonly denied = signal('')
  readonly people = signal<Present[]>([])
  /** True once there is something true to show: the whole document, or this device's copy of it. */
  readonly ready = signal(false)
  /** True once this device keeps a copy; some browsers keep none in a private window. */
  readonly kept = signal(false)
  readonly #device: IndexeddbPersistence | undefined

  constructor(id: string, wanted: Access) {
    this.#device = typeof indexedDB === 'undefined' ? undefined : new IndexeddbPersistence(copyName(id), this.doc)
    void this.#device?.whenSynced.then(() => (this.kept.value = true), () => {})
    const loaded = this.#loaded()
    // Told apart by identity: what comes from the device was typed before and is not counted again.
    const persistence = this.#device && Object.assign(this.#device, { whenSynced: loaded })
    this.provider = new CollabProvider({
      url: socketUrl(),
      document: id,
      doc: this.doc,
      ticket: () => ticket(id, wanted),
      persistence: persistence as never,
    })
    const { provider } = this
    tame(provider.awareness)
    provider.awareness.setLocalStateField('user', { name: me.value.name, color: me.value.color })
    provider.on('status', (status) => (this.status.value = status))
    provider.on('synced', () => (this.ready.value = true))
    provider.on('access', (access) => (this.access.value = access))
    provider.on('denied', (reason) => (this.denied.value = reason))
    provider.on('ended', (ending) => (this.ending.value = ending))
    provider.on('unsaved', () => this.#count())
    provider.on('saved', () => this.#count())
    provider.awareness.on('change', () => this.#meet())
    addEventListener('beforeunload', this.#warn)
    void loaded.then(() => (this.ready.value ||= !this.isEmpty))
    this.#meet()
  }

  get isEmpty(): boolean {
    return this.doc.store.clients.size === 0
  }

  /** Starts again after the connection has ended for good. */
  reconnect(): void {
    this.ending.value = undefined
    this.denied.value = ''
    this.provider.connect()
  }

  /** Others know a person by the name in the ticket, so a new name needs a new one. */
  rename(): void {
    this.provider.awareness.setLocalStateField('user', { name: me.value.name, color: me.value.color })
    this.provider.disconnect()
    this.provider.connect()
  }

  /** Throws this device's copy away; for a copy that belongs to a document that is no more. */
  async forget(): Promise<void> {
    this.provider.destroy()
    await this.#device?.clearData()
  }

  close(): void {
    removeEventListener('beforeunload', this.#warn)
    this.provider.destroy()
    void this.#device?.destroy()
  }

  async #loaded(): Promise<void> {
    const patience = new Promise((resolve) => setTimeout(resolve, DEVICE_MS)) // a device that refuses must not keep us off
    await Promise.race([this.#device?.whenSynced, this.#device ? patience : undefined]).catch(() => {})
  }

  #count(): void {
    this.unsaved.value = this.provider.unsaved
    this.saved.value = this.provider.saved
    if (this.saved.value) this.denied.value = '' // it was asked for again, and taken
  }

  /** The last place that holds an edit must not be closed without a word. */
  readonly #warn = (event: BeforeUnloadEvent): void => {
    if (this.unsaved.value > 0 && !this.kept.value) event.preventDefault()
  }

  #meet(): void {
    const { awareness, doc } = this.provider
    const others = [...awareness.getStates()].filter(([id, state]) => id !== doc.clientID && state['user'])
    this.people.value = others.map(([id, state]) => presentOf(id, state))
  }
}
