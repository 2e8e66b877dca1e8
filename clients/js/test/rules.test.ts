import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { expect, test } from 'vitest'
import * as Y from 'yjs'
import { Account } from '../src/account'
import { Backoff } from '../src/backoff'
import { AUTH, AUTH_DENIED, SYNC, frame } from '../src/messages'
import { CollabProvider } from '../src/provider'
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
  readyState = 1
  sent: Uint8Array[] = []
  onmessage?: (event: { data: ArrayBuffer }) => void
  constructor() {
    Wire.last = this
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

test('being slowed down refuses nothing, and what was refused is sent when the server asks again', async () => {
  const doc = new Y.Doc()
  const provider = new CollabProvider({ url: 'ws://there', document: 'd', doc, tabs: false, WebSocket: Wire as unknown as typeof WebSocket })
  await new Promise((resolve) => setTimeout(resolve))
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
  provider.destroy()
})
