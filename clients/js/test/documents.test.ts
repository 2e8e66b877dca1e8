import { afterEach, expect, test } from 'vitest'
import * as Y from 'yjs'
import { Problem } from '../src/index'
import { api, connect, fresh, hangUp, textOf } from './server'

afterEach(hangUp)

test('a document lives: created, found, changed, deleted, brought back, purged', async () => {
  const id = fresh('life')
  expect((await api.create({ id, title: 'Life' })).title).toBe('Life')
  expect((await api.list({ prefix: id })).items.map((item) => item.id)).toEqual([id])
  expect((await api.patch(id, { title: null })).title).toBe(null)
  await api.delete(id)
  await expect(api.get(id)).rejects.toMatchObject({ status: 410, code: 'gone', mayRetry: false })
  await api.undelete(id)
  await api.purge(id)
  const absent = await api.get(id).catch((error: unknown) => error)
  expect(absent).toBeInstanceOf(Problem)
})

test('content is written, edited and polled', async () => {
  const id = fresh('content')
  await api.create({ id })
  await api.putContent(id, 'hello world', { root: 'text', type: 'text' })
  await api.patchContent(id, [{ op: 'replace', find: 'world', text: 'you' }], { root: 'text', type: 'text' })
  expect(await api.content(id, { root: 'text', type: 'text' })).toBe('hello you')
  const first = await api.poll(id)
  const doc = new Y.Doc()
  Y.applyUpdate(doc, first.update!)
  expect(doc.getText('text').toString()).toBe('hello you')
  expect((await api.poll(id, { version: first.version })).update).toBeUndefined()
})

test('snapshots are taken, compared and restored', async () => {
  const id = fresh('snapshots')
  const ada = connect(id)
  textOf(ada).insert(0, 'before')
  await ada.whenSaved()
  const kept = await api.takeSnapshot(id, 'first')
  textOf(ada).insert(6, ' and after')
  await ada.whenSaved()
  expect((await api.diff(id, kept.id)).roots['text']?.unified).toContain('+before and after')
  await api.restore(id, kept.id)
  expect(await api.content(id, { root: 'text', type: 'text' })).toBe('before')
  expect((await api.snapshots(id)).items.length).toBe(2)
})

test('events come as they happen', async () => {
  const id = fresh('events')
  await api.create({ id })
  const stop = new AbortController()
  for await (const { event } of api.events(id, stop.signal)) {
    if (event === 'presence') void api.takeSnapshot(id, 'told')
    if (event === 'snapshot') break
  }
  stop.abort()
})

test('every document of many pages', async () => {
  const prefix = fresh('many')
  await Promise.all([1, 2, 3].map((number) => api.create({ id: `${prefix}/${number}` })))
  const found = []
  for await (const { id } of api.all({ prefix, limit: 1 })) found.push(id)
  expect(found.length).toBe(3)
})

test('a server that is not there is a Problem that may be tried again', async () => {
  const { DocumentsApi } = await import('../src/index')
  await expect(new DocumentsApi({ url: 'http://127.0.0.1:9' }).list()).rejects.toMatchObject({ status: 0, mayRetry: true })
})
