import { expect, test } from 'vitest'
import { Account } from '../src/account'
import { Backoff } from '../src/backoff'
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
