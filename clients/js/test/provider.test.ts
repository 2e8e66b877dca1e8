import 'fake-indexeddb/auto'
import { afterEach, expect, test } from 'vitest'
import { IndexeddbPersistence } from 'y-indexeddb'
import * as Y from 'yjs'
import type { Access } from '../src/index'
import { api, connect, fresh, hangUp, textOf, until } from './server'

afterEach(hangUp)

const ticketFor = (document: string, access: 'read' | 'write', expires_in_s = 3600) => () =>
  api.ticket(document, { access, user: { id: 'tester', name: 'Tess' }, expires_in_s })

test('two providers exchange edits and presence', async () => {
  const name = fresh('pair')
  const [ada, ben] = [connect(name), connect(name)]
  await until(() => ada.status === 'live' && ben.status === 'live')
  textOf(ada).insert(0, 'hello')
  ada.awareness.setLocalStateField('user', { name: 'Ada' })
  await until(() => textOf(ben).toString() === 'hello')
  await until(() => ben.awareness.getStates().get(ada.doc.clientID)?.['user'])
  ada.disconnect()
  await until(() => !ben.awareness.getStates().has(ada.doc.clientID))
})

test('saved comes after the disk has it, and never before anything was confirmed', async () => {
  const name = fresh('saved')
  const ada = connect(name, { connect: false })
  const counts: number[] = []
  ada.on('unsaved', (count) => counts.push(count))
  textOf(ada).insert(0, 'a')
  textOf(ada).insert(1, 'b')
  expect([ada.saved, ada.unsaved, counts]).toEqual([false, 2, [1, 2]])
  ada.connect()
  await ada.whenSaved()
  expect([ada.saved, ada.unsaved]).toEqual([true, 0])
  expect(await api.content(name, { root: 'text', type: 'text' })).toBe('ab')
  textOf(ada).insert(2, 'c')
  expect(ada.saved).toBe(false)
  await ada.whenSaved()
})

test('a reader is read-only, and what it writes goes nowhere', async () => {
  const name = fresh('reader')
  const ada = connect(name)
  textOf(ada).insert(0, 'fact')
  await ada.whenSaved()
  const levels: Access[] = []
  const ben = connect(name, { ticket: ticketFor(name, 'read') })
  ben.on('access', (access) => levels.push(access))
  await until(() => textOf(ben).toString() === 'fact')
  expect([ben.readOnly, levels]).toEqual([true, ['read']])
  textOf(ben).insert(0, 'lie, ')
  textOf(ada).insert(4, '!')
  await until(() => textOf(ben).toString() === 'lie, fact!')
  expect(await api.content(name, { root: 'text', type: 'text' })).not.toContain('lie')
  expect(ben.saved).toBe(false)
})

test('a deleted document ends the connection for good', async () => {
  const name = fresh('deleted')
  const ada = connect(name)
  textOf(ada).insert(0, 'x')
  await ada.whenSaved()
  await api.delete(name)
  await until(() => ada.status === 'ended')
  expect(ada.ending?.code).toBe(4410)
  textOf(ada).insert(0, 'y')
  await expect(Promise.race([ada.whenSaved(), new Promise((_, no) => setTimeout(() => no(new Error('never')), 300))])).rejects.toThrow('never')
  await api.undelete(name)
  ada.connect()
  await ada.whenSaved()
})

test('a ticket that is refused for good ends it; one that fails in passing is asked for again', async () => {
  const name = fresh('refused')
  let asked = 0
  const ben = connect(name, {
    ticket: async () => {
      asked += 1
      if (asked < 3) throw new Error('the network is away')
      return api.ticket(name, { access: 'write', user: { id: '' } }) // 422: no retry helps
    },
  })
  await until(() => ben.status === 'ended')
  expect([asked, ben.ending?.code]).toEqual([3, 4422])
})

test('a session outlives its ticket: a fresh one is presented on the open socket', async () => {
  const name = fresh('renewed')
  let minted = 0
  const ada = connect(name, { ticket: () => ((minted += 1), ticketFor(name, 'write', 1.5)()) })
  const seen: string[] = []
  await until(() => ada.status === 'live')
  ada.on('status', (status) => seen.push(status))
  await until(() => minted >= 4) // more than three seconds of a permission that lasts one and a half
  textOf(ada).insert(0, 'still here')
  await ada.whenSaved()
  expect(seen).toEqual([])
})

test('what was typed offline is sent from the copy on the device', async () => {
  const name = fresh('device')
  const before = new Y.Doc()
  const kept = new IndexeddbPersistence(name, before)
  await kept.whenSynced
  before.getText('text').insert(0, 'on the train')
  await kept.destroy()
  const doc = new Y.Doc()
  const ada = connect(name, { doc, persistence: new IndexeddbPersistence(name, doc) })
  expect(ada.saved).toBe(false) // nobody has confirmed it yet
  await ada.whenSaved()
  expect(await api.content(name, { root: 'text', type: 'text' })).toBe('on the train')
  expect(ada.unsaved).toBe(0)
})

test('tabs share edits while they are offline', async () => {
  const name = fresh('tabs')
  const url = 'ws://127.0.0.1:9/sync' // nobody listens
  const [one, two] = [connect(name, { url, tabs: true }), connect(name, { url, tabs: true })]
  await until(() => one.status === 'offline' && two.status === 'offline')
  textOf(one).insert(0, 'next door')
  await until(() => textOf(two).toString() === 'next door')
  expect([one.unsaved, two.unsaved, one.saved]).toEqual([1, 0, false])
})
