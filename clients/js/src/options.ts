import type { Awareness } from 'y-protocols/awareness'
import type * as Y from 'yjs'
import type { Backoff } from './backoff.js'

const OPENS_MS = 60_000 // from the making of a ticket to its `opens_until`

/** `connecting`: on the way · `live`: synced and open · `offline`: will try again · `ended`: will not, see `ending`. */
export type Status = 'connecting' | 'live' | 'offline' | 'ended'
export type Access = 'none' | 'read' | 'comment' | 'write'

/** Permission to open one socket, as `POST /api/documents/{id}/tickets` gives it. */
export interface Ticket {
  ticket: string
  access?: Access
  /** When the session that it opens ends; a fresh one is fetched and presented before. */
  ends_at?: string
  /** Until when it opens a socket, a minute after it was made: with it the session's length needs no right clock here. */
  opens_until?: string
}

/** What keeps a copy of the document on this device, e.g. an `IndexeddbPersistence` of y-indexeddb. */
export interface Persistence {
  whenSynced: Promise<unknown>
}

export interface Ending {
  code: number
  reason: string
}

export interface ProviderOptions {
  /** Where sockets live: `ws(s)://host/sync`. */
  url: string
  document: string
  doc: Y.Doc
  /** Fetches a ticket before each connection; leave it out for a server without authentication. */
  ticket?: () => Promise<string | Ticket>
  awareness?: Awareness
  /** Loaded before the first connection, so that edits made offline are sent with it. */
  persistence?: Persistence
  /** Share edits with other tabs while offline; true if not given. */
  tabs?: boolean
  /** Connect at once; true if not given. */
  connect?: boolean
  backoff?: Backoff
  /** Seconds without a frame after which the connection counts as dead; the server sends one at least every 20 s. */
  silenceS?: number
  WebSocket?: typeof WebSocket
}

export type ProviderEvents = {
  status: (status: Status) => void
  /** The document is whole here. */
  synced: () => void
  /** Everything typed so far is on the server's disk. */
  saved: () => void
  /** This many local edits are not known to be. */
  unsaved: (count: number) => void
  access: (access: Access) => void
  /** The server did not take an edit, with its reason; `saved` comes again once it has taken it after all. */
  denied: (reason: string) => void
  ended: (ending: Ending) => void
}

/** How long the session of a ticket lasts from now: by the server's clock if the ticket says when it was made. */
export function lengthMs(ticket: Ticket | undefined): number {
  if (!ticket?.ends_at) return Infinity
  const from = ticket.opens_until ? Date.parse(ticket.opens_until) - OPENS_MS : Date.now()
  return Date.parse(ticket.ends_at) - from
}
