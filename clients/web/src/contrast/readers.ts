import { CollabProvider, Problem } from 'collab-client'
import * as Y from 'yjs'
import { api, key, socketUrl, ticket } from '../session'
import { Meter } from './meter'
import type { Writer } from './writer'

const LONG_WAIT_S = 25
const RETRY_MS = 1000
const SHOWN_CHARS = 420
// What a browser sends and is sent to open a socket, besides the ticket.
const UPGRADE_UP = 620
const UPGRADE_DOWN = 190

/** A replica that follows a document in its own way. */
abstract class Reader {
  readonly doc = new Y.Doc()
  readonly meter = new Meter()
  #seen = 0

  constructor(readonly id: string, private readonly writer: Writer) {
    this.doc.on('update', () => this.#see())
  }

  /** Compares what is here with what the writer has typed: the difference in time is how late this reader is. */
  #see(): void {
    const now = performance.now()
    const known = Y.getState(this.doc.store, this.writer.doc.clientID)
    for (const { clock, at } of this.writer.sent) {
      if (clock <= this.#seen) continue
      if (clock > known) break
      this.meter.lags.push([now, now - at])
      this.#seen = clock
    }
    const blocks = this.doc.getXmlFragment('default').toArray().map(plain)
    this.meter.text.value = blocks.filter(Boolean).join('\n').slice(-SHOWN_CHARS)
  }

  abstract close(): void
}

function plain(node: unknown): string {
  if (node instanceof Y.XmlText) return node.toDelta().map(({ insert }: { insert: unknown }) => (typeof insert === 'string' ? insert : '')).join('')
  return node instanceof Y.XmlElement || node instanceof Y.XmlFragment ? node.toArray().map(plain).join('') : ''
}

/** Over a WebSocket: told as it happens. */
export class SocketReader extends Reader {
  readonly #provider: CollabProvider

  constructor(id: string, writer: Writer) {
    super(id, writer)
    this.#provider = new CollabProvider({
      url: socketUrl(),
      document: id,
      doc: this.doc,
      ticket: () => ticket(id, 'read'),
      tabs: false,
      WebSocket: counting(this.meter),
    })
    this.#provider.on('ended', ({ reason }) => (this.meter.trouble.value = reason))
  }

  close(): void {
    this.#provider.destroy()
  }
}

/** The browser's WebSocket, counted: frames with their headers, a client's with its mask. */
function counting(meter: Meter): typeof WebSocket {
  return class extends WebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols)
      meter.connections += 1
      meter.bytesUp += UPGRADE_UP + String(protocols ?? '').length
      meter.bytesDown += UPGRADE_DOWN
      this.addEventListener('message', ({ data }) => {
        meter.messages += 1
        meter.got(framed((data as ArrayBuffer).byteLength))
      })
    }

    override send(data: Parameters<WebSocket['send']>[0]): void {
      meter.sent(framed((data as Uint8Array).byteLength) + 4)
      super.send(data)
    }
  }
}

const framed = (size: number) => size + (size < 126 ? 2 : size < 65_536 ? 4 : 10)

/** By asking: at once again with the server holding the question (long), or every so often (short). */
export class PollReader extends Reader {
  intervalMs: number
  #version: string | undefined
  readonly #stop = new AbortController()
  readonly #long: boolean
  #wake: () => void = () => {}

  constructor(id: string, writer: Writer, options: { long: true } | { long: false; intervalMs: number }) {
    super(id, writer)
    this.#long = options.long
    this.intervalMs = options.long ? 0 : options.intervalMs
    void this.#run()
  }

  /** A new interval counts from now. */
  every(intervalMs: number): void {
    this.intervalMs = intervalMs
    this.#wake()
  }

  close(): void {
    this.#stop.abort()
    this.#wake()
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        await this.#ask(signal)
        this.meter.trouble.value = ''
        if (!this.#long) await this.#rest(this.intervalMs)
      } catch (error) {
        if (signal.aborted) return
        const unborn = error instanceof Problem && error.status === 404 // nobody has written to it yet
        this.meter.trouble.value = unborn ? '' : (error as Error).message
        await this.#rest(Math.max(this.intervalMs, RETRY_MS))
      }
    }
  }

  async #ask(signal: AbortSignal): Promise<void> {
    const since = base64url(Y.encodeStateVector(this.doc))
    const waitS = this.#long ? LONG_WAIT_S : undefined
    this.meter.sent(requestBytes(`/api/documents/${encodeURIComponent(this.id)}/state?since=${since}${waitS ? `&wait=${waitS}` : ''}`, this.#version))
    const { version, update, response } = await api.poll(this.id, { version: this.#version, since, waitS, signal })
    this.#version = version
    this.meter.got(headerBytes(response) + (update?.byteLength ?? 0))
    if (update) Y.applyUpdate(this.doc, update, this)
  }

  #rest(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => (clearTimeout(timer), resolve())
    })
  }
}

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}

/** A page cannot see what its browser sends; these are the headers that browsers add to a fetch. */
function requestBytes(target: string, version: string | undefined): number {
  const headers = [
    `GET ${target} HTTP/1.1`, `Host: ${location.host}`, 'Connection: keep-alive', 'sec-ch-ua-platform: "Linux"',
    `User-Agent: ${navigator.userAgent}`, 'sec-ch-ua: "Chromium";v="156", "Not A(Brand";v="24"', 'sec-ch-ua-mobile: ?0',
    'Accept: */*', 'Sec-Fetch-Site: same-origin', 'Sec-Fetch-Mode: cors', 'Sec-Fetch-Dest: empty',
    'Accept-Encoding: gzip, deflate, br, zstd', `Accept-Language: ${navigator.languages.join(',')}`,
    ...(version ? [`If-None-Match: "${version}"`] : []), ...(key() ? [`Authorization: Bearer ${key()}`] : []),
  ]
  return headers.join('\r\n').length + 4
}

function headerBytes(response: Response): number {
  let bytes = `HTTP/1.1 ${response.status} ${response.statusText}\r\n\r\n`.length
  response.headers.forEach((value, name) => (bytes += name.length + value.length + 4))
  return bytes
}

/** Counts the connections that the browser opened for the two kinds of polls. */
export function watchConnections(long: Meter, short: Meter): () => void {
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries() as PerformanceResourceTiming[]) {
      if (!entry.name.includes('/state?since=') || entry.connectEnd <= entry.connectStart) continue
      ;(entry.name.includes('&wait=') ? long : short).connections += 1
    }
  })
  observer.observe({ type: 'resource' })
  return () => observer.disconnect()
}
