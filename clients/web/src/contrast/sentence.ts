import { durationText } from '../ui/times'
import type { Meter } from './meter'

interface Seen {
  socket: Meter
  long: Meter
  short: Meter
  edits: number
  perSecond: number
  intervalMs: number
  now: number
  seconds: number
}

const late = (ms: number) => durationText(ms / 1000)
const bytes = (meter: Meter) => meter.bytesUp + meter.bytesDown

/** What one sees, in a sentence or two. */
export function sentence(seen: Seen): string {
  const { socket, long, short, edits, now, intervalMs, seconds } = seen
  const [one, two, three] = [socket, long, short].map((meter) => meter.lag(0.5, now))
  if (edits === 0 || one === undefined || two === undefined || three === undefined) return idle(seen)
  const every = `every ${late(intervalMs)}`
  const first = `The socket shows an edit ${late(one)} after it was typed, the long poll ${late(two)}, the short poll, asking ${every}, ${late(three)}.`
  const perEdit = [socket, long, short].map((meter) => bytes(meter) / edits)
  const ratio = (at: number) => (perEdit[at]! / Math.max(1, perEdit[0]!)).toFixed(1)
  const rate = (short.messages / Math.max(1, seconds)).toFixed(1)
  return `${first} For each edit the long poll moves ${ratio(1)} times the socket’s bytes and the short poll ${ratio(2)} times, with ${rate} requests a second whether anybody types or not.`
}

function idle({ short, intervalMs, seconds }: Seen): string {
  if (seconds < 5) return 'Let the robot type, or type yourself, and see who is told when.'
  const perMinute = Math.round((bytes(short) / seconds) * 60)
  return `Nobody types. The socket is silent; the short poll still asks every ${late(intervalMs)}, ${Math.round(perMinute / 1000)} kB a minute for nothing new.`
}
