import { api, guarded } from '../session'

export interface RoomLine {
  document: string
  sockets: number
  people: number
  bytes: number
  tail: number
  seq: number
  unsaved: boolean
  read_only: string | null
  behind: number
  behind_s: number
}

export interface ConsoleView {
  node: string
  version: string
  open: boolean
  draining: boolean
  figures: Record<string, number>
  refusals: { where: string; code: string; count: number }[]
  quarantined: [string, string][] | null
  rooms: RoomLine[]
  rooms_open: number
}

export interface SessionLine {
  id: string
  user: string
  name: string | null
  kind: string
  access: string
  expires_at: number | null
  waits_for_disk: boolean
  behind_s: number | null
}

export interface HourView {
  sample_s: number
  at: number[]
  series: Record<string, number[]>
}

export interface TraceLine {
  at: number
  way: 'in' | 'out' | 'room'
  what: string
  bytes: number
  session: string | null
  user: string | null
  detail: Record<string, unknown>
  dropped: number
}

const room = (id: string) => `/api/console/rooms/${encodeURIComponent(id)}`
const call = async <T,>(method: string, path: string): Promise<T> => (await guarded(api.request(method, path))).json() as Promise<T>

export const look = () => call<ConsoleView>('GET', '/api/console')
export const lastHour = () => call<HourView>('GET', '/api/console/hour')
export const sessions = (id: string) => call<SessionLine[]>('GET', room(id))
export const checkpoint = (id: string) => call<{ seq: number | null; bytes: number | null }>('POST', `${room(id)}/checkpoint`)
export const drain = () => guarded(api.request('POST', '/api/console/drain'))

export async function* trace(id: string, content: boolean, signal: AbortSignal): AsyncGenerator<TraceLine> {
  for await (const { event, data } of api.stream(`${room(id)}/trace`, { content }, signal)) {
    if (event === 'line') yield JSON.parse(data) as TraceLine
  }
}
