/** Who is at this browser, and with what key. Keys live in the tab only and end with it. */
import { signal } from '@preact/signals'
import { DocumentsApi, Problem, type Access, type Ticket } from 'collab-client'

const KEY = 'collab.key'

export interface Person {
  id: string
  name: string
  color: string
}

// Dark enough for white letters on them (4.5 : 1 or more).
const COLORS = ['#b3261e', '#9a4a00', '#6b6100', '#2f6b1f', '#00695c', '#0b63a5', '#3f51b5', '#7b3fb5', '#a0266f', '#5d4a3f']
const KINDS = ['Quiet', 'Bright', 'Early', 'Gentle', 'Brisk', 'Merry', 'Clever', 'Calm', 'Bold', 'Kind']
const ANIMALS = ['Otter', 'Heron', 'Badger', 'Wren', 'Lynx', 'Finch', 'Hare', 'Seal', 'Robin', 'Fox']
const one = <T,>(of: readonly T[]): T => of[Math.floor(Math.random() * of.length)]!

function known(): Person {
  try {
    const kept = JSON.parse(localStorage.getItem('collab.person') ?? '') as Person
    if (typeof kept.id === 'string' && typeof kept.name === 'string' && kept.name && /^#[0-9a-f]{6}$/i.test(kept.color)) return kept
  } catch {
    // nobody yet
  }
  const random = Array.from(crypto.getRandomValues(new Uint8Array(6)), (byte) => byte.toString(16).padStart(2, '0'))
  const person = { id: `guest-${random.join('')}`, name: `${one(KINDS)} ${one(ANIMALS)}`, color: one(COLORS) }
  keep(person)
  return person
}

function keep(person: Person): void {
  try {
    localStorage.setItem('collab.person', JSON.stringify(person))
  } catch {
    // a browser that is told to keep nothing: it is somebody else next time
  }
}

export const me = signal<Person>(known())
/** True once the server wanted a key and got none, or a wrong one. */
export const locked = signal(false)

export function rename(name: string): void {
  me.value = { ...me.value, name }
  keep(me.value)
}

let place = KEY

function remembered(name: string): string | undefined {
  try {
    return sessionStorage.getItem(name) ?? undefined
  } catch {
    return undefined
  }
}

/** The key for this page: the one of a share link (`#key=…`, never sent in an address), else the tab's own. */
export function recall(document: string): void {
  const shared = new URLSearchParams(location.hash.slice(1)).get('key')
  const own = `${KEY}:${document}`
  if (shared) {
    sessionStorage.setItem(own, shared)
    history.replaceState(null, '', location.pathname + location.search)
  }
  if (document && remembered(own)) place = own
}

export function signIn(key: string): void {
  sessionStorage.setItem(place, key)
  locked.value = false
}

export const key = (): string | undefined => remembered(place)
export const api = new DocumentsApi({ key })

/** True if this came from a share link. */
export const isShared = (): boolean => place !== KEY

/** Runs a call; a refusal for want of a key opens the sign-in. */
export async function guarded<T>(call: Promise<T>): Promise<T> {
  try {
    return await call
  } catch (error) {
    if (error instanceof Problem && error.status === 401) locked.value = true
    throw error
  }
}

/** Permission to open one socket, as much as is wanted and may be had. */
export async function ticket(document: string, wanted: Access = 'write', user: Person = me.value): Promise<Ticket> {
  const levels = (['write', 'comment', 'read'] as const).slice(wanted === 'read' ? 2 : 0)
  for (const access of levels) {
    try {
      return await guarded(api.ticket(document, { access, user }))
    } catch (error) {
      const less = error instanceof Problem && error.status === 403 && /access/.test(error.message)
      if (!less || access === 'read') throw error
    }
  }
  throw new Error('no access')
}

export const socketUrl = (): string => `${location.origin.replace(/^http/, 'ws')}/sync`
