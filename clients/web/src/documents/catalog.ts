import { effect, signal } from '@preact/signals'
import { Problem, type DocumentDetails } from 'collab-client'
import { presentOf, type Present } from '../ui/people'
import { api, guarded } from '../session'

const REFRESH_MS = 4000
const PAGE = 100

/** The list as it is shown: what is asked for, what came, what went wrong. */
export class Catalog {
  readonly prefix = signal('')
  readonly deleted = signal(false)
  readonly items = signal<DocumentDetails[] | undefined>(undefined)
  readonly people = signal<ReadonlyMap<string, Present[]>>(new Map())
  readonly more = signal(false)
  readonly trouble = signal<string | undefined>(undefined)
  #pages = 1
  #asked = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  /** Keeps it fresh while the page is looked at; returns how to stop. */
  watch(): () => void {
    const seen = () => document.visibilityState === 'visible' && void this.refresh()
    document.addEventListener('visibilitychange', seen)
    const stop = effect(() => {
      this.prefix.value
      this.deleted.value
      this.#pages = 1
      void this.refresh()
    })
    return () => {
      stop()
      clearTimeout(this.#timer)
      document.removeEventListener('visibilitychange', seen)
    }
  }

  showMore(): Promise<void> {
    this.#pages += 1
    return this.refresh()
  }

  async refresh(): Promise<void> {
    clearTimeout(this.#timer)
    const asked = ++this.#asked
    try {
      const items = await this.#fetch()
      if (asked !== this.#asked) return
      this.items.value = items
      this.trouble.value = undefined
      void this.#meet(items)
    } catch (error) {
      if (asked !== this.#asked) return
      this.trouble.value = error instanceof Problem ? error.message : String(error)
    }
    this.#timer = setTimeout(() => document.visibilityState === 'visible' && void this.refresh(), REFRESH_MS)
  }

  async #fetch(): Promise<DocumentDetails[]> {
    const items: DocumentDetails[] = []
    let cursor: string | undefined
    for (let page = 0; page < this.#pages; page++) {
      const found = await guarded(api.list({ prefix: this.prefix.peek(), deleted: this.deleted.peek(), limit: PAGE, cursor }))
      items.push(...found.items)
      cursor = found.cursor ?? undefined
      if (cursor === undefined) break
    }
    this.more.value = cursor !== undefined
    return items
  }

  /** Who is in those documents that somebody has open. */
  async #meet(items: DocumentDetails[]): Promise<void> {
    const busy = items.filter((item) => item.online > 0 && !item.deleted_at).slice(0, 20)
    const met = await Promise.all(
      busy.map(async ({ id }) => {
        const { people } = await api.presence(id).catch(() => ({ people: [] }))
        return [id, people.map((person) => presentOf(person.client_id, person.state))] as const
      }),
    )
    this.people.value = new Map(met)
  }
}
