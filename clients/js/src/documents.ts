import { Problem } from './problem.js'
import type * as Api from './schemas.js'
import { readEvents, type StreamEvent } from './stream.js'

export interface DocumentsOptions {
  /** Where the server is, e.g. `https://collab.example`; the page's own origin if not given. */
  url?: string
  /** An API key or a JSON web token, or how to get one; nothing for a server without authentication. */
  key?: string | (() => string | undefined)
  fetch?: typeof fetch
}

export interface ListOptions {
  prefix?: string
  deleted?: boolean
  limit?: number
  cursor?: string
  signal?: AbortSignal
}

export interface ContentOptions {
  root?: string
  type?: 'text' | 'map' | 'array' | 'xml'
  format?: 'text' | 'json' | 'xml'
}

export interface PollOptions {
  /** As the last poll gave it. */
  version?: string
  /** A state vector, base64url: only what it lacks is sent. */
  since?: string
  /** How long the server may wait for something new. */
  waitS?: number
  signal?: AbortSignal
}

export interface Polled {
  version: string
  update: Uint8Array | undefined
  response: Response
}

type Query = Record<string, string | number | boolean | undefined | null>

interface Request {
  query?: Query
  /** Sent as JSON. */
  json?: unknown
  body?: BodyInit
  headers?: Record<string, string>
  signal?: AbortSignal
}

/** The REST side of a collab server. Every method raises `Problem` when the server refuses. */
export class DocumentsApi {
  readonly url: string
  readonly #options: DocumentsOptions

  constructor(options: DocumentsOptions = {}) {
    this.#options = options
    this.url = (options.url ?? '').replace(/\/+$/, '')
  }

  // ------------------------------------------------------------------ documents

  list(options: ListOptions = {}): Promise<Api.DocumentPage> {
    const { signal, ...query } = options
    return this.#json('GET', '/api/documents', { query, signal })
  }

  /** Every document, page after page. */
  async *all(options: ListOptions = {}): AsyncGenerator<Api.DocumentDetails> {
    let cursor = options.cursor
    do {
      const page = await this.list({ ...options, cursor })
      yield* page.items
      cursor = page.cursor ?? undefined
    } while (cursor !== undefined)
  }

  create(document: Partial<Api.NewDocument> = {}): Promise<Api.DocumentDetails> {
    return this.#json('POST', '/api/documents', { json: document, headers: once() })
  }

  get(id: string): Promise<Api.DocumentDetails> {
    return this.#json('GET', at(id))
  }

  /** A merge patch: what is left out stays, null removes. */
  patch(id: string, patch: Api.DocumentPatch): Promise<Api.DocumentDetails> {
    return this.#json('PATCH', at(id), { json: patch })
  }

  /** Softly; `undelete` brings it back. */
  async delete(id: string): Promise<void> {
    await this.request('DELETE', at(id))
  }

  /** For good: log, checkpoints, snapshots. */
  async purge(id: string): Promise<void> {
    await this.request('DELETE', at(id), { query: { purge: true } })
  }

  undelete(id: string): Promise<Api.DocumentDetails> {
    return this.#json('POST', at(id, 'undelete'))
  }

  // ------------------------------------------------------------------ content

  async content(id: string, options: ContentOptions = {}): Promise<string> {
    return (await this.request('GET', at(id, 'content'), { query: { ...options } })).text()
  }

  /** Turned into the smallest edits, merged with what people type. */
  putContent(id: string, text: string, options: ContentOptions = {}): Promise<Api.Edited> {
    const { format = 'text', ...query } = options
    const kind = { text: 'text/plain', json: 'application/json', xml: 'application/xml' }[format]
    return this.#json('PUT', at(id, 'content'), { query, body: text, headers: { 'content-type': kind } })
  }

  patchContent(id: string, operations: Api.Operation[], options: Omit<ContentOptions, 'format'> = {}): Promise<Api.Edited> {
    return this.#json('PATCH', at(id, 'content'), { query: { ...options }, json: operations, headers: once() })
  }

  /** The whole document as one Yjs V1 update, or what a state vector (base64url) lacks. */
  async state(id: string, since?: string): Promise<Uint8Array> {
    return bytes(await this.request('GET', at(id, 'state'), { query: { since } }))
  }

  /**
   * What is new since `version`, for clients that hold no socket; with `waitS` a long poll. `update` is undefined if
   * nothing is.
   */
  async poll(id: string, options: PollOptions = {}): Promise<Polled> {
    const { version, since, waitS, signal } = options
    const headers: Record<string, string> = version ? { 'if-none-match': `"${version}"` } : {}
    const response = await this.#fetch('GET', at(id, 'state'), { query: { since, wait: waitS }, headers, signal })
    if (response.status !== 304 && !response.ok) throw await Problem.of(response)
    const named = response.headers.get('etag')?.replace(/^(W\/)?"|"$/g, '') ?? version ?? ''
    return { version: named, update: response.ok ? await bytes(response) : undefined, response }
  }

  // ------------------------------------------------------------------ snapshots

  snapshots(id: string, options: { limit?: number; cursor?: string } = {}): Promise<Api.SnapshotPage> {
    return this.#json('GET', at(id, 'snapshots'), { query: { ...options } })
  }

  takeSnapshot(id: string, label?: string): Promise<Api.SnapshotDetails> {
    return this.#json('POST', at(id, 'snapshots'), { json: { label }, headers: once() })
  }

  patchSnapshot(id: string, snapshot: string, patch: Api.SnapshotPatch): Promise<Api.SnapshotDetails> {
    return this.#json('PATCH', at(id, 'snapshots', snapshot), { json: patch })
  }

  async deleteSnapshot(id: string, snapshot: string): Promise<void> {
    await this.request('DELETE', at(id, 'snapshots', snapshot))
  }

  async snapshotState(id: string, snapshot: string): Promise<Uint8Array> {
    return bytes(await this.request('GET', at(id, 'snapshots', snapshot, 'state')))
  }

  diff(id: string, snapshot: string, to = 'now'): Promise<Api.Difference> {
    return this.#json('GET', at(id, 'snapshots', snapshot, 'diff'), { query: { to } })
  }

  /** By an edit that goes forward; what was there is kept as a snapshot first. */
  restore(id: string, snapshot: string): Promise<Api.Restored> {
    return this.#json('POST', at(id, 'snapshots', snapshot, 'restore'), { headers: once() })
  }

  // ------------------------------------------------------------------ live

  presence(id: string): Promise<Api.Presence> {
    return this.#json('GET', at(id, 'presence'))
  }

  /** New versions, snapshots and presence as they come, until the signal aborts. */
  events(id: string, signal?: AbortSignal): AsyncGenerator<StreamEvent> {
    return this.stream(at(id, 'events'), {}, signal)
  }

  // ------------------------------------------------------------------ permissions

  /** Permission to open one socket; `CollabProvider` takes it as it is. */
  ticket(id: string, ticket: Api.NewTicket = {}): Promise<Api.MintedTicket> {
    return this.#json('POST', at(id, 'tickets'), { json: ticket })
  }

  createKey(key: Api.NewKey): Promise<Api.MintedKey> {
    return this.#json('POST', '/api/keys', { json: key })
  }

  async revokeKey(key: string): Promise<void> {
    await this.request('DELETE', `/api/keys/${encodeURIComponent(key)}`)
  }

  /** Ends or lowers open sessions. */
  revoke(revocation: Api.NewRevocation): Promise<Api.Revoked> {
    return this.#json('POST', '/api/sessions/revoke', { json: revocation })
  }

  /** Whether the server is ready, and whether it is open to everybody. */
  async ready(): Promise<Api.Ready> {
    const response = await this.#fetch('GET', '/readyz', {})
    return response.ok || response.status === 503 ? ((await response.json()) as Api.Ready) : raise(await Problem.of(response))
  }

  // ------------------------------------------------------------------ any call

  /** A call that has no method of its own. Raises Problem. */
  async request(method: string, path: string, request: Request = {}): Promise<Response> {
    const response = await this.#fetch(method, path, request)
    return response.ok ? response : raise(await Problem.of(response))
  }

  /** Server-Sent Events of any address that has them. */
  async *stream(path: string, query: Query = {}, signal?: AbortSignal): AsyncGenerator<StreamEvent> {
    const response = await this.request('GET', path, { query, signal, headers: { accept: 'text/event-stream' } })
    if (response.body) yield* readEvents(response.body)
  }

  async #json<T>(method: string, path: string, request: Request = {}): Promise<T> {
    return (await (await this.request(method, path, request)).json()) as T
  }

  async #fetch(method: string, path: string, { query = {}, json, body, headers = {}, signal }: Request): Promise<Response> {
    const { key } = this.#options
    const secret = typeof key === 'function' ? key() : key
    const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== false)
    const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString()
    const sent = new Headers(headers)
    if (secret) sent.set('authorization', `Bearer ${secret}`)
    if (json !== undefined) sent.set('content-type', 'application/json')
    try {
      return await (this.#options.fetch ?? fetch)(`${this.url}${path}${search && `?${search}`}`, {
        method,
        headers: sent,
        body: json === undefined ? body : JSON.stringify(json),
        signal,
      })
    } catch (error) {
      if (signal?.aborted) throw error
      throw new Problem(0, 'network', 'the server cannot be reached', true, { cause: error })
    }
  }
}

function at(id: string, ...rest: string[]): string {
  return ['/api/documents', ...[id, ...rest].map(encodeURIComponent)].join('/')
}

/** A key under which the server does the call once, however often it is sent. */
function once(): Record<string, string> {
  const random = crypto.getRandomValues(new Uint8Array(16)) // randomUUID is not there on plain http
  return { 'idempotency-key': `"${[...random].map((byte) => byte.toString(16).padStart(2, '0')).join('')}"` }
}

async function bytes(response: Response): Promise<Uint8Array> {
  return new Uint8Array(await response.arrayBuffer())
}

function raise(error: Error): never {
  throw error
}
