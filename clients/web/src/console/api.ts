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

export interface Refused {
  where: string
  code: string
  count: number
}

export interface NodeView {
  node: string
  host: string
  version: string
  draining: boolean
  figures: Record<string, number>
  refusals: Refused[]
  rooms: RoomLine[]
  rooms_open: number
}

/** The node that answers, and the others; `silent` did not answer it in time. */
export interface ConsoleView extends NodeView {
  open: boolean
  quarantined: [string, string][] | null
  others: NodeView[]
  silent: { node: string; heard_s: number; why: string }[]
}

export interface SessionLine {
  node: string
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

/** A document's room on one node. */
export interface Place {
  node: string
  document: string
}

const room = (id: string) => `/api/console/rooms/${encodeURIComponent(id)}`
const on = (node: string) => `?node=${encodeURIComponent(node)}`
const call = async <T,>(method: string, path: string): Promise<T> => (await guarded(api.request(method, path))).json() as Promise<T>

export const look = () => call<ConsoleView>('GET', '/api/console')
export const lastHour = (node: string) => call<HourView>('GET', `/api/console/hour${node && on(node)}`)
export const sessions = (id: string) => call<SessionLine[]>('GET', room(id))
export const checkpoint = ({ document, node }: Place) => call<{ seq: number | null; bytes: number | null }>('POST', `${room(document)}/checkpoint${on(node)}`)
export const drain = (node: string) => guarded(api.request('POST', `/api/console/drain${on(node)}`))

export async function* trace({ document, node }: Place, content: boolean, signal: AbortSignal): AsyncGenerator<TraceLine> {
  for await (const { event, data } of api.stream(`${room(document)}/trace`, { content, node }, signal)) {
    if (event === 'line') yield JSON.parse(data) as TraceLine
  }
}
