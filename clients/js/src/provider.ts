import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { ObservableV2 } from 'lib0/observable'
import * as awarenessProtocol from 'y-protocols/awareness'
import * as syncProtocol from 'y-protocols/sync'
import type * as Y from 'yjs'
import { Account } from './account.js'
import { Backoff } from './backoff.js'
import * as messages from './messages.js'
import { type Access, type Ending, lengthMs, type ProviderEvents, type ProviderOptions, type Status, type Ticket } from './options.js'
import { Problem } from './problem.js'
import { Tabs } from './tabs.js'

const EXPIRED = 4401
const OVERLOADED = [1012, 1013]
const LATEST_RENEWAL_S = 30
const RENEWAL_PAUSE_MS = 1000 // at least, whatever the ticket and the clock say
const STEADY_MS = 5000 // a connection that ends sooner was none: the next waits longer
const PROBE_S = 4

/** Keeps a `Y.Doc` live with a collab server, and tells the truth about what is saved. */
export class CollabProvider extends ObservableV2<ProviderEvents> {
  readonly doc: Y.Doc
  readonly document: string
  readonly awareness: awarenessProtocol.Awareness
  readonly #options: ProviderOptions
  readonly #account = new Account()
  readonly #backoff: Backoff
  readonly #tabs: Tabs | undefined
  #status: Status = 'connecting'
  #access: Access = 'write'
  #granted: Access = 'write' // the same, before the server refused something
  #ending: Ending | undefined
  #synced = false
  #wanted = false
  #socket: WebSocket | undefined
  #asked = false // the server's step 1 was answered: from now on "saved?" has a meaning
  #statusDue = false
  #renewing = false
  #endsAtMs = Infinity
  #heardAt = 0
  #liveAt = 0
  #attempt = 0 // an older one that comes late is not looked at
  #retry: ReturnType<typeof setTimeout> | undefined
  #renewal: ReturnType<typeof setTimeout> | undefined
  #watchdog: ReturnType<typeof setInterval> | undefined

  constructor(options: ProviderOptions) {
    super()
    this.#options = options
    this.doc = options.doc
    this.document = options.document
    this.awareness = options.awareness ?? new awarenessProtocol.Awareness(options.doc)
    this.#backoff = options.backoff ?? new Backoff()
    const name = `collab:${options.url}/${options.document}`
    this.#tabs = options.tabs === false ? undefined : new Tabs(name, this.doc, this.awareness)
    this.doc.on('update', this.#onUpdate)
    this.awareness.on('update', this.#onAwareness)
    globalThis.addEventListener?.('online', this.#onOnline)
    globalThis.addEventListener?.('offline', this.#probe)
    globalThis.addEventListener?.('pagehide', this.#onPageHide)
    globalThis.addEventListener?.('pageshow', this.#onPageShow)
    if (options.connect !== false) this.connect()
  }

  get status(): Status {
    return this.#status
  }

  /** Why it will not try again; undefined unless `status` is `ended`. */
  get ending(): Ending | undefined {
    return this.#ending
  }

  /** True once the whole document has been here; stays true offline. */
  get synced(): boolean {
    return this.#synced
  }

  /** Local edits that are not known to be on the server's disk. */
  get unsaved(): number {
    return this.#account.unsaved
  }

  /** True only if the server said that everything typed here is on disk. */
  get saved(): boolean {
    return this.#account.isSaved
  }

  get access(): Access {
    return this.#access
  }

  get readOnly(): boolean {
    return this.#access !== 'write'
  }

  /** Starts, or starts again after `disconnect` or an ending. */
  connect(): void {
    this.#wanted = true
    this.#ending = undefined
    if (this.#socket === undefined) void this.#open()
  }

  /** Hangs up and stays so; edits are kept in the document and sent after `connect`. */
  disconnect(): void {
    this.#wanted = false
    this.#hangUp()
    this.#tell('offline')
  }

  override destroy(): void {
    this.disconnect()
    this.doc.off('update', this.#onUpdate)
    this.awareness.off('update', this.#onAwareness)
    globalThis.removeEventListener?.('online', this.#onOnline)
    globalThis.removeEventListener?.('offline', this.#probe)
    globalThis.removeEventListener?.('pagehide', this.#onPageHide)
    globalThis.removeEventListener?.('pageshow', this.#onPageShow)
    this.#tabs?.close()
    if (this.#options.awareness === undefined) this.awareness.destroy() // its timer would run on
    super.destroy()
  }

  /** Resolves when everything typed so far is on the server's disk; rejects if the connection ends for good. */
  whenSaved(): Promise<void> {
    if (this.saved) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const done = () => (this.off('ended', failed), this.off('saved', done), resolve())
      const failed = (ending: Ending) => (this.off('saved', done), this.off('ended', failed), reject(new Error(ending.reason)))
      this.on('saved', done)
      this.on('ended', failed)
    })
  }

  // ------------------------------------------------------------------ connecting

  async #open(): Promise<void> {
    clearTimeout(this.#retry)
    const attempt = ++this.#attempt
    this.#tell('connecting')
    let ticket: Ticket | undefined
    try {
      await this.#options.persistence?.whenSynced
      ticket = await this.#fetchTicket()
    } catch (error) {
      if (attempt === this.#attempt && this.#wanted) this.#refused(error)
      return
    }
    if (attempt === this.#attempt && this.#wanted) this.#dial(ticket)
  }

  async #fetchTicket(): Promise<Ticket | undefined> {
    const given = await this.#options.ticket?.()
    return typeof given === 'string' ? { ticket: given } : given
  }

  #refused(error: unknown): void {
    if (error instanceof Problem && !error.mayRetry) this.#end({ code: 4000 + error.status, reason: error.message })
    else this.#tryAgain()
  }

  #dial(ticket: Ticket | undefined): void {
    const Socket = this.#options.WebSocket ?? WebSocket
    const address = `${this.#options.url.replace(/\/+$/, '')}/${encodeURIComponent(this.document)}`
    // As a subprotocol, so that no log of addresses holds it; `collab` beside it is what the server answers with.
    const socket = new Socket(address, ticket ? ['collab', `collab.ticket.${ticket.ticket}`] : [])
    socket.binaryType = 'arraybuffer'
    this.#socket = socket
    this.#asked = false
    this.#heardAt = Date.now()
    this.#take(ticket)
    socket.onopen = () => this.#socket === socket && this.#greet()
    socket.onerror = () => {} // `close` follows; in Node, ws ends the process over an error that nobody hears
    socket.onmessage = (event) => this.#socket === socket && this.#receive(new Uint8Array(event.data as ArrayBuffer))
    socket.onclose = (event) => this.#socket === socket && this.#closed(event.code, event.reason)
    clearInterval(this.#watchdog)
    this.#watchdog = setInterval(() => this.#watch((this.#options.silenceS ?? 30) * 1000), 3000)
  }

  #greet(): void {
    this.#send(messages.frame(messages.SYNC, (encoder) => syncProtocol.writeSyncStep1(encoder, this.doc)))
    const state = this.awareness.getLocalState()
    if (state !== null) this.awareness.setLocalState(state) // with a new clock, or others would not see it until it moves
  }

  #closed(code: number, reason: string): void {
    this.#hangUp()
    if (this.#status === 'live' && Date.now() - this.#liveAt > STEADY_MS) this.#backoff.reset()
    // Of a ticket without an end one can only say that it was good just now.
    const over = this.#endsAtMs === Infinity ? this.#status === 'live' : Date.now() >= this.#endsAtMs - 1000
    const expired = code === EXPIRED && over && this.#options.ticket !== undefined
    if (code >= 4400 && code < 4500 && !expired) this.#end({ code, reason })
    else if (this.#wanted) this.#tryAgain(OVERLOADED.includes(code) ? 1000 : 0)
  }

  #hangUp(): void {
    this.#attempt += 1
    clearTimeout(this.#retry)
    clearTimeout(this.#renewal)
    clearInterval(this.#watchdog)
    const socket = this.#socket
    this.#socket = undefined
    this.#renewing = false
    socket?.close()
    const others = [...this.awareness.getStates().keys()].filter((id) => id !== this.doc.clientID)
    awarenessProtocol.removeAwarenessStates(this.awareness, others, this)
  }

  #tryAgain(atLeastMs = 0): void {
    this.#tell('offline')
    this.#tabs?.ask()
    this.#retry = setTimeout(() => void this.#open(), this.#backoff.next(atLeastMs))
  }

  #end(ending: Ending): void {
    this.#wanted = false
    this.#ending = ending
    this.#tell('ended')
    this.emit('ended', [ending])
  }

  // ------------------------------------------------------------------ permission

  #take(ticket: Ticket | undefined): void {
    if (ticket?.access) this.#grant(ticket.access)
    clearTimeout(this.#renewal)
    const left = lengthMs(ticket)
    this.#endsAtMs = Date.now() + left
    if (left === Infinity) return
    const early = Math.min(LATEST_RENEWAL_S * 1000, left / 5)
    this.#renewal = setTimeout(() => void this.#renew(), Math.min(Math.max(left - early, RENEWAL_PAUSE_MS), 2 ** 31 - 1))
  }

  async #renew(): Promise<void> {
    const socket = this.#socket
    try {
      const ticket = await this.#fetchTicket()
      if (ticket === undefined || socket !== this.#socket) return
      this.#renewing = true
      this.#send(messages.tokenFrame(ticket.ticket))
      this.#take(ticket)
    } catch {
      // The session goes on until it ends; then the next connection asks again.
    }
  }

  #grant(access: Access): void {
    this.#granted = access
    this.#allow(access)
  }

  #allow(access: Access): void {
    if (access === this.#access) return
    this.#access = access
    this.emit('access', [access])
  }

  // ------------------------------------------------------------------ frames in

  #receive(data: Uint8Array): void {
    this.#heardAt = Date.now()
    const decoder = decoding.createDecoder(data)
    switch (decoding.readVarUint(decoder)) {
      case messages.SYNC:
        return this.#onSync(decoder)
      case messages.AWARENESS:
      case messages.QUERY_AWARENESS:
        if (decoding.hasContent(decoder))
          awarenessProtocol.applyAwarenessUpdate(this.awareness, decoding.readVarUint8Array(decoder), this)
        return
      case messages.AUTH:
        return this.#onAuth(decoder)
      case messages.STATUS:
        return this.#onStatus(messages.readStatus(decoder))
    }
  }

  #onSync(decoder: decoding.Decoder): void {
    const reply = encoding.createEncoder()
    encoding.writeVarUint(reply, messages.SYNC)
    const kind = syncProtocol.readSyncMessage(decoder, reply, this.doc, this)
    if (kind === syncProtocol.messageYjsSyncStep1) {
      this.#allow(this.#granted) // it asks for what was refused as well, once that may be
      if (!this.readOnly) this.#send(encoding.toUint8Array(reply) as Uint8Array<ArrayBuffer>)
      this.#asked = true
      this.#askStatus()
    } else if (kind === syncProtocol.messageYjsSyncStep2) {
      if (this.#status !== 'live') this.#liveAt = Date.now()
      this.#tell('live')
      if (!this.#synced) {
        this.#synced = true
        this.emit('synced', [])
      }
    }
  }

  #onAuth(decoder: decoding.Decoder): void {
    const kind = decoding.readVarUint(decoder)
    if (kind === messages.AUTH_ACCESS) {
      this.#renewing = false
      this.#grant(decoding.readVarString(decoder) as Access)
    } else if (kind === messages.AUTH_DENIED) {
      const reason = decoding.readVarString(decoder)
      if (reason.startsWith(messages.SLOWED)) return
      if (this.#renewing) {
        this.#renewing = false // the session goes on as long as it could before
        return
      }
      this.#account.doubt()
      this.#allow('read')
      this.emit('denied', [reason])
    }
  }

  #onStatus(version: number): void {
    if (!this.#account.confirm(version)) return
    if (this.saved) this.emit('saved', [])
    else this.emit('unsaved', [this.unsaved])
  }

  // ------------------------------------------------------------------ frames out

  #send(data: Uint8Array<ArrayBuffer>): void {
    if (this.#socket?.readyState === 1) this.#socket.send(data)
  }

  #onUpdate = (update: Uint8Array, origin: unknown): void => {
    if (origin === this) return
    const message = messages.frame(messages.SYNC, (encoder) => syncProtocol.writeUpdate(encoder, update))
    if (!this.readOnly) this.#send(message) // of another tab, too: what is typed here next may build on it
    if (origin === this.#tabs) return
    const stored = this.#options.persistence !== undefined && origin === this.#options.persistence
    if (stored && !this.#asked) return // it goes with the first answer, which the first "saved?" comes after
    if (this.#status !== 'live') this.#tabs?.post(message)
    this.#account.edit()
    this.emit('unsaved', [this.unsaved])
    this.#askStatus()
  }

  /** Once for all edits of this turn. */
  #askStatus(): void {
    if (this.#statusDue || !this.#asked || this.readOnly) return
    this.#statusDue = true
    queueMicrotask(() => {
      this.#statusDue = false
      if (this.#asked) this.#send(messages.statusFrame(this.#account.version))
    })
  }

  #onAwareness = ({ added, updated, removed }: Record<'added' | 'updated' | 'removed', number[]>, origin: unknown): void => {
    if (origin === this || origin === this.#tabs) return
    const changed = [...added, ...updated, ...removed].filter((id) => id === this.doc.clientID)
    if (changed.length === 0) return
    const body = awarenessProtocol.encodeAwarenessUpdate(this.awareness, changed)
    const message = messages.frame(messages.AWARENESS, (encoder) => encoding.writeVarUint8Array(encoder, body))
    this.#send(message)
    if (this.#status !== 'live') this.#tabs?.post(message)
  }

  // ------------------------------------------------------------------ signs of life

  #watch(silenceMs: number): void {
    if (this.#socket !== undefined && Date.now() - this.#heardAt > silenceMs) this.#closed(1006, 'no sign of life')
  }

  /** The browser thinks that the network is gone: ask, and give up sooner if nothing answers. */
  #probe = (): void => {
    if (this.#socket === undefined) return
    const asked = Date.now()
    this.#send(messages.frame(messages.QUERY_AWARENESS, () => {}))
    setTimeout(() => {
      if (this.#heardAt < asked) this.#watch(0)
    }, PROBE_S * 1000)
  }

  #onOnline = (): void => {
    if (this.#socket !== undefined) this.#probe()
    else if (this.#wanted) void this.#open()
  }

  /** A page that is put away must not look present; the server drops its presence with the socket. */
  #onPageHide = (): void => {
    if (this.#wanted) this.#hangUp()
  }

  #onPageShow = (event: Event): void => {
    if (this.#wanted && (event as PageTransitionEvent).persisted) void this.#open()
  }

  #tell(status: Status): void {
    if (status === this.#status) return
    this.#status = status
    this.emit('status', [status])
  }
}
