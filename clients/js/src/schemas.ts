// Made by make-schemas.mjs from the server's OpenAPI; do not edit.

/** The process answers. */
export interface Alive {
  status?: string
}

/** One event. `outcome` is "ok" or an error's code; `detail` holds address, request, key, user and the like. */
export interface AuditEntry {
  id: string
  at: string
  actor: string
  actor_kind: string
  action: string
  document: string | null
  outcome: string
  detail: Record<string, string>
}

/** One page, newest first; `cursor` fetches the next one. */
export interface AuditPage {
  items: Array<AuditEntry>
  cursor?: string | null
}

/** Where an update ended up: it is on disk. */
export interface Committed {
  seq: number
  /** In quotes: the ETag of a state that holds it. */
  version: string
}

/** What changed from one state to another, per root; roots that did not change are left out. */
export interface Difference {
  roots: Record<string, RootDifference>
}

/** A document's particulars. `version` in quotes is the entity tag of its state and content. */
export interface DocumentDetails {
  id: string
  title: string | null
  metadata: Record<string, unknown>
  /** `<lineage>.<seq>` */
  version: string
  /** Another one means another document under the same id. */
  lineage: string
  /** How many updates are in its log. */
  seq: number
  /** What its log and checkpoint take up. */
  bytes: number
  /** Sockets open, on all nodes. */
  online: number
  created_at: string
  updated_at: string
  deleted_at?: string | null
  /** Why it is read-only, if stored bytes failed their check. */
  quarantine?: string | null
}

/** One page; `cursor` fetches the next one. */
export interface DocumentPage {
  items: Array<DocumentDetails>
  cursor?: string | null
}

/** A merge patch (RFC 7396): what is left out stays, null removes. */
export interface DocumentPatch {
  title?: string | null
  metadata?: Record<string, JsonValue> | null
}

/** Where an edit ended up; `changed` is False if the content was so already. */
export interface Edited {
  seq: number
  /** In quotes: the ETag of a state that holds it. */
  version: string
  changed: boolean
}

export type JsonValue = unknown

/** A key without its secret; `prefix` is how the secret begins. */
export interface KeyDetails {
  id: string
  name: string
  prefix: string
  scopes: Array<Scope>
  documents: Array<string>
  created_at: string
  expires_at?: string | null
  revoked_at?: string | null
  last_used_at?: string | null
}

/** One page, oldest first, revoked ones too; `cursor` fetches the next one. */
export interface KeyPage {
  items: Array<KeyDetails>
  cursor?: string | null
}

/** One update as its author sent it. */
export interface LoggedUpdate {
  seq: number
  /** Who the authenticated caller was. */
  author: string
  created_at: string
  /** Yjs V1 update, base64. */
  update: string
}

/** The secret is shown this once: only a hash of it is kept. */
export interface MintedKey {
  id: string
  name: string
  prefix: string
  scopes: Array<Scope>
  documents: Array<string>
  created_at: string
  expires_at?: string | null
  revoked_at?: string | null
  last_used_at?: string | null
  key: string
}

/** The secret is shown this once. Open the socket before `opens_until`; the session ends at `ends_at`. */
export interface MintedTicket {
  ticket: string
  document: string
  access: "read" | "comment" | "write"
  user: TicketsPerson
  opens_until: string
  ends_at: string
}

/** What a document is created with; everything may be left out. */
export interface NewDocument {
  id?: string | null
  title?: string | null
  /** Anything of yours, up to 16 KiB of JSON. */
  metadata?: Record<string, JsonValue>
  content?: Record<string, NewRoot>
}

/** What a key may do. `documents` are patterns in which `*` is any run of characters; none means all. */
export interface NewKey {
  name: string
  scopes: Array<Scope>
  documents?: Array<string>
  expires_in_s?: number | null
}

/** Whose sessions: everything that is named must match, and something must be named. */
export interface NewRevocation {
  user?: string | null
  document?: string | null
  /** An API key's id, or a token's `jti`. */
  key?: string | null
  /** The most that is left: `none` ends the sessions, `read` makes them read-only. */
  access?: "none" | "read" | "comment"
}

/** First content of a root type. */
export interface NewRoot {
  type: "text" | "map" | "array" | "xml"
  /** `text` of a text, else `json`, if not given. */
  format?: "text" | "json" | "xml" | null
  /** A string, unless the format is `json`. */
  value: JsonValue
}

/** What a ticket is good for. `user` may be left out by callers with a token of their own: it is they. */
export interface NewTicket {
  access?: "read" | "comment" | "write"
  user?: Person | null
  /** How long the session that it opens may last. */
  expires_in_s?: number
}

/** One change: at a position, at a quoted text, or at a JSON pointer; `collab/engine/patch.py` has the table. */
export interface Operation {
  op: "insert" | "delete" | "replace" | "set" | "remove"
  /** Instead of the query's. */
  root?: string | null
  type?: "text" | "map" | "array" | "xml" | null
  /** Code points from the start. */
  index?: number | null
  /** Code points. */
  length?: number | null
  /** The text to act on, quoted. */
  find?: string | null
  /** Which one, if it occurs often. */
  occurrence?: number | null
  where?: "before" | "after" | null
  text?: string | null
  attributes?: Record<string, JsonValue> | null
  /** JSON pointer (RFC 6901). */
  pointer?: string | null
  value?: JsonValue
}

/** Whom the socket speaks for, as others will see them. */
export interface Person {
  id: string
  name?: string | null
  color?: string | null
}

/** Everybody here. `sockets` counts connections, which may announce nobody or several. */
export interface Presence {
  people: Array<PresencePerson>
  sockets: number
}

/** What each probe said: "ok", or what is wrong. */
export interface Ready {
  ready: boolean
  /** No authentication is configured: whoever reaches it may do everything. */
  open: boolean
  probes: Record<string, string>
}

/** Where the way back ended up; `before` is the snapshot of what was there. */
export interface Restored {
  seq: number
  /** In quotes: the ETag of a state that holds it. */
  version: string
  changed: boolean
  /** Id of the snapshot that was taken first. */
  before: string
}

/** How many sessions of this node were ended, and how many go on with less; other nodes follow within a second. */
export interface Revoked {
  ended: number
  lowered: number
}

/** What changed in one root. */
export interface RootDifference {
  type: string
  /** For programs: where, what was there, what is now. */
  hunks: Array<Record<string, unknown>>
  /** For people: a unified diff. */
  unified: string
}

/** What a caller may do besides touching documents, and in what words an API key is cut. */
export type Scope = "documents:read" | "documents:write" | "tickets:create" | "admin"

/** A snapshot's particulars. */
export interface SnapshotDetails {
  id: string
  document: string
  /** The document's seq when it was taken. */
  seq: number
  label: string | null
  metadata: Record<string, unknown>
  created_by: string
  created_at: string
  bytes: number
}

/** One page, newest first; `cursor` fetches the next one. */
export interface SnapshotPage {
  items: Array<SnapshotDetails>
  cursor?: string | null
}

/** A merge patch (RFC 7396): what is left out stays, null removes. */
export interface SnapshotPatch {
  label?: string | null
  metadata?: Record<string, JsonValue> | null
}

/** Consecutive updates; `next_after` is the `after` of the next page, null at the end of the log. */
export interface UpdatePage {
  items: Array<LoggedUpdate>
  next_after: number | null
}

/** One client's presence, as it announced itself. */
export interface PresencePerson {
  /** The Yjs client id. */
  client_id: number
  state: Record<string, unknown>
}

/** Whom the socket speaks for, as others will see them. */
export interface TicketsPerson {
  id: string
  name?: string | null
  color?: string | null
}

/** One value that does not fit. */
export interface Fault {
  where: Array<string | number>
  detail: string
}

/** RFC 9457 problem details. */
export interface Problem {
  /** Address of the code's explanation. */
  type: string
  /** What the code means. */
  title: string
  status: number
  /** What was wrong with this request. */
  detail: string
  /** Stable name of the error. */
  code: string
  /** True if the same request may succeed later. */
  may_retry: boolean
  /** Byte of the update at which the decoder stopped. */
  offset?: number | null
  /** Every value that does not fit. */
  errors?: Array<Fault> | null
}

/** What a snapshot is kept with; everything may be left out. */
export interface NewSnapshot {
  label?: string | null
  /** Anything of yours, up to 16 KiB of JSON. */
  metadata?: Record<string, JsonValue>
}
