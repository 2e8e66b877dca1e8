import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { afterEach, expect, test, vi } from 'vitest'
import * as Y from 'yjs'
import { Account } from '../src/account'
import { Backoff } from '../src/backoff'
import { AUTH, AUTH_DENIED, STATUS, SYNC, frame, readStatus, statusFrame } from '../src/messages'
import { CollabProvider, type ProviderOptions } from '../src/provider'
import { addressesOf } from './openapi'

test('waiting doubles, is jittered, and stays under its most', () => {
  const lowest = new Backoff(100, 1000, () => 0)
  expect([1, 2, 3, 4, 5, 6].map(() => lowest.next())).toEqual([50, 100, 200, 400, 500, 500])
  lowest.reset()
  expect(new Backoff(100, 1000, () => 1).next(1000)).toBe(1100)
  expect(lowest.next()).toBe(50)
})

test('nothing is saved before the server has said so', () => {
  const account = new Account()
  expect(account.isSaved).toBe(false)
  expect(account.confirm(0)).toBe(true)
  expect(account.isSaved).toBe(true)
  account.edit()
  account.edit()
  expect([account.isSaved, account.unsaved]).toEqual([false, 2])
  expect(account.confirm(1)).toBe(true)
  expect(account.confirm(1)).toBe(false) // a sign of life
  expect(account.confirm(9)).toBe(false) // not ours
  expect([account.isSaved, account.unsaved]).toEqual([false, 1])
  account.confirm(2)
  account.doubt()
  expect(account.isSaved).toBe(false)
})

test('every address that the client asks is in the server’s OpenAPI', async () => {
  const { used, served } = await addressesOf()
  expect(used.length).toBeGreaterThan(15)
  expect(used.filter((address) => !served.includes(address))).toEqual([])
})

/** A server's end of a socket, in the test's hands. */
class Wire {
  static last: Wire
  static made = 0
  readyState = 1
  sent: Uint8Array[] = []
  onopen?: () => void
  onerror?: () => void
  onclose?: (event: { code: number; reason: string }) => void
  onmessage?: (event: { data: ArrayBuffer }) => void
  constructor() {
    Wire.last = this
    Wire.made += 1
  }
  send(data: Uint8Array) {
    this.sent.push(data)
  }
  close() {}
  tell(data: Uint8Array) {
    this.onmessage?.({ data: data.slice().buffer as ArrayBuffer })
  }
  deny(reason: string) {
    this.tell(frame(AUTH, (encoder) => (encoding.writeVarUint(encoder, AUTH_DENIED), encoding.writeVarString(encoder, reason))))
  }
  /** How many sync messages of this kind have come: 1 step 2, 2 update. */
  count(kind: number) {
    return this.sent.filter((data) => data[0] === SYNC && decoding.readVarUint(decoding.createDecoder(data.slice(1))) === kind).length
  }
}

const EMPTY_STEP1 = new Uint8Array([SYNC, 0, 1, 0])
const EMPTY_STEP2 = new Uint8Array([SYNC, 1, 2, 0, 0])
const soon = () => new Promise((resolve) => setTimeout(resolve))
const open: CollabProvider[] = []

function provide(options: Partial<ProviderOptions> = {}): CollabProvider {
  open.push(new CollabProvider({ url: 'ws://there', document: 'd', doc: new Y.Doc(), tabs: false, WebSocket: Wire as unknown as typeof WebSocket, ...options }))
  return open[open.length - 1]!
}

afterEach(() => {
  vi.useRealTimers()
  for (const provider of open.splice(0)) provider.destroy()
})

const HOUR_MS = 3_600_000
const iso = (ms: number) => new Date(ms).toISOString()

test('a clock that is hours off neither hammers the server for tickets nor lets the session end', async () => {
  vi.useFakeTimers()
  const minted = { with: 0, without: 0 }
  const made = () => Date.now() - 5 * HOUR_MS // the server's clock
  provide({ ticket: async () => ((minted.with += 1), { ticket: 't', ends_at: iso(made() + HOUR_MS), opens_until: iso(made() + 60_000) }) })
  provide({ ticket: async () => ((minted.without += 1), { ticket: 't', ends_at: iso(made() + HOUR_MS) }) })
  await vi.advanceTimersByTimeAsync(10_000)
  expect(minted.with).toBe(1)
  expect(minted.without).toBeLessThan(12)
})

test('with a clock that is behind, a session that has ended begins again', async () => {
  vi.useFakeTimers()
  const made = () => Date.now() + HOUR_MS // the server's clock
  let fails = false
  const ticket = async () => {
    if (fails) throw new Error('the network is away')
    return { ticket: 't', ends_at: iso(made() + 10_000), opens_until: iso(made() + 60_000) }
  }
  const provider = provide({ ticket })
  await vi.advanceTimersByTimeAsync(1)
  fails = true
  await vi.advanceTimersByTimeAsync(10_000)
  Wire.last.onclose!({ code: 4401, reason: 'it has ended' })
  expect(provider.status).toBe('offline')
})

test('a ticket that says nothing of its end is fetched anew when the session has ended; a bad one is not', async () => {
  let minted = 0
  const provider = provide({ ticket: async () => `ticket ${(minted += 1)}`, backoff: new Backoff(1, 1) })
  await vi.waitUntil(() => minted === 1)
  await soon()
  Wire.last.tell(EMPTY_STEP2)
  const first = Wire.last
  first.onclose!({ code: 4401, reason: 'it has ended' })
  await vi.waitUntil(() => Wire.last !== first)
  Wire.last.onclose!({ code: 4401, reason: 'not a ticket' })
  expect([provider.status, minted]).toEqual(['ended', 2])
})

test('a server that takes one in and throws one out is asked less and less often', async () => {
  vi.useFakeTimers()
  provide({ backoff: new Backoff(100, 10_000, () => 1) })
  const before = Wire.made
  for (let passed = 0; passed < 6000; passed += 50) {
    await vi.advanceTimersByTimeAsync(50)
    Wire.last.tell(EMPTY_STEP2)
    Wire.last.onclose!({ code: 1011, reason: 'a fault' })
  }
  expect(Wire.made - before).toBeLessThan(10)
})

test('what another tab brings is sent on, since what is typed here may build on it', async () => {
  const url = `ws://there/${Math.random()}`
  const away = provide({ url, tabs: true, connect: false })
  const live = provide({ url, tabs: true })
  await soon()
  const wire = Wire.last
  wire.tell(EMPTY_STEP1)
  wire.tell(EMPTY_STEP2)
  away.doc.getText('text').insert(0, 'offline')
  await vi.waitUntil(() => live.doc.getText('text').toString() === 'offline')
  expect(wire.count(2)).toBe(1)
})

test('a copy that this device brings late is not called saved before the server has it', async () => {
  const persistence = { whenSynced: Promise.resolve() }
  const provider = provide({ persistence })
  await soon()
  const wire = Wire.last
  wire.tell(EMPTY_STEP1)
  wire.tell(EMPTY_STEP2)
  await soon()
  wire.tell(statusFrame(0))
  expect(provider.saved).toBe(true)
  const kept = new Y.Doc()
  kept.getText('text').insert(0, 'typed last week')
  Y.applyUpdate(provider.doc, Y.encodeStateAsUpdate(kept), persistence)
  expect([provider.saved, wire.count(2)]).toEqual([false, 1])
  await soon()
  const asked = wire.sent.filter((data) => data[0] === STATUS).map((data) => readStatus(decoding.createDecoder(data.slice(1))))
  wire.tell(statusFrame(asked[asked.length - 1]!))
  expect(provider.saved).toBe(true)
})

test('an error event of a socket is heard: in Node, ws would end the program', async () => {
  provide()
  await soon()
  expect(Wire.last.onerror).toBeTypeOf('function')
})

test('being slowed down refuses nothing, and what was refused is sent when the server asks again', async () => {
  const provider = provide()
  const { doc } = provider
  await soon()
  const wire = Wire.last
  const denied: string[] = []
  provider.on('denied', (reason) => denied.push(reason))
  wire.deny('slowed down: more than one connection may send')
  doc.getText('text').insert(0, 'a')
  expect([provider.readOnly, denied, wire.count(2)]).toEqual([false, [], 1])
  wire.deny('the document takes no more')
  doc.getText('text').insert(1, 'b')
  expect([provider.readOnly, denied.length, wire.count(2)]).toEqual([true, 1, 1])
  wire.tell(new Uint8Array([SYNC, 0, 1, 0]))
  expect([provider.readOnly, wire.count(1)]).toEqual([false, 1])
})
