import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { editorAddress } from '../address'
import { api, guarded } from '../session'
import { Glyph } from '../ui/glyphs'
import { bytesText, durationText } from '../ui/times'
import { checkpoint, sessions, trace, type Place, type SessionLine, type TraceLine } from './api'

const REFRESH_MS = 1500
const LINES_MAX = 300

interface RoomProps {
  place: Place
  /** Whether there are other nodes, so that it has to be said which one is meant. */
  several: boolean
  onClose: () => void
}

/** One room: who is in the document on any node, what passes through this one, and what an operator can do. */
export function Room({ place, several, onClose }: RoomProps) {
  const { document: id, node } = place
  const people = useSignal<SessionLine[] | undefined>(undefined)
  const said = useSignal('')
  const load = () => sessions(id).then((found) => (people.value = found), (error: Error) => (said.value = error.message))
  useEffect(() => {
    void load()
    const timer = setInterval(() => void load(), REFRESH_MS)
    return () => clearInterval(timer)
  }, [id])
  const fold = () =>
    checkpoint(place).then(
      ({ seq, bytes }) => (said.value = seq === null ? 'There was nothing to fold.' : `Folded up to ${seq}: ${bytesText(bytes ?? 0)}.`),
      (error: Error) => (said.value = `No checkpoint: ${error.message}`),
    )
  const revoke = (user: string) =>
    guarded(api.revoke({ user, document: id })).then(
      ({ ended }) => {
        const where = several ? ' on the node that answers this page; the others follow within a second' : ''
        said.value = `Ended ${ended} ${ended === 1 ? 'session' : 'sessions'} of ${user}${where}.`
        void load()
      },
      (error: Error) => (said.value = `Not revoked: ${error.message}`),
    )
  return (
    <section class="card room" aria-label={`Room ${id}`}>
      <header>
        <h2 class="grow">{id}{several && <span class="small muted mono"> on node {node}</span>}</h2>
        <a class="button small" href={editorAddress(id)}>Open</a>
        <button class="button small" onClick={() => void fold()}>Checkpoint now</button>
        <button class="button quiet icon small" aria-label="Close this room" onClick={onClose}><Glyph name="close" /></button>
      </header>
      {said.value && <p class="notice" role="status">{said.value}</p>}
      <Sessions people={people.value} several={several} onRevoke={(user) => void revoke(user)} />
      <Trace place={place} several={several} />
    </section>
  )
}

function Sessions({ people, several, onRevoke }: { people: SessionLine[] | undefined; several: boolean; onRevoke: (user: string) => void }) {
  if (!people) return <p class="muted" role="status">Looking…</p>
  if (people.length === 0) return <p class="muted">Nobody is in this document now.</p>
  return (
    <div class="scroll" role="region" aria-label="Who is here" tabIndex={0}>
      <table>
        <thead><tr><th>User</th>{several && <th>Node</th>}<th>By</th><th>Access</th><th>State</th><th><span class="hidden-visually">Action</span></th></tr></thead>
        <tbody>
          {people.map((one) => (
            <tr key={one.id}>
              <td>{one.name ?? one.user} {one.name && <span class="small muted mono">{one.user}</span>}</td>
              {several && <td class="mono">{one.node}</td>}
              <td>{one.kind}</td>
              <td>{one.access}</td>
              <td>{one.behind_s !== null ? `behind for ${durationText(one.behind_s)}` : one.waits_for_disk ? 'waits for the disk' : 'up to date'}</td>
              <td class="number"><button class="button small danger" aria-label={`Revoke ${one.name ?? one.user}`} onClick={() => onRevoke(one.user)}>Revoke</button></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

/** Frames as they pass. What is in them is shown only if that is asked for, and that is written into the audit. */
function Trace({ place, several }: { place: Place; several: boolean }) {
  const running = useSignal(false)
  const content = useSignal(false)
  const lines = useSignal<TraceLine[]>([])
  const failed = useSignal('')
  const list = useRef<HTMLDivElement>(null)
  useEffect(() => {
    if (!running.value) return
    const stop = new AbortController()
    const follow = async () => {
      for await (const line of trace(place, content.value, stop.signal)) lines.value = [...lines.value.slice(1 - LINES_MAX), line]
    }
    follow().then(
      () => (running.value = false),
      (error: Error) => stop.signal.aborted || ((failed.value = error.message), (running.value = false)),
    )
    return () => stop.abort()
  }, [running.value, content.value])
  useEffect(() => {
    list.current?.scrollTo({ top: list.current.scrollHeight })
  }, [lines.value])
  const dropped = lines.value[lines.value.length - 1]?.dropped ?? 0
  return (
    <div style={{ display: 'grid', gap: '0.6rem' }}>
      <div class="row wrap">
        <button class="button small" aria-pressed={running.value} onClick={() => ((running.value = !running.value), (failed.value = ''))}>
          <Glyph name={running.value ? 'pause' : 'play'} />
          {running.value ? 'Stop the trace' : `Trace this room${several ? ` on node ${place.node}` : ''}`}
        </button>
        <label class="row small muted">
          <input type="checkbox" checked={content.value} onChange={(event) => (content.value = event.currentTarget.checked)} />
          with typed text (written into the audit)
        </label>
        {dropped > 0 && <span class="small muted">{dropped} lines dropped: too many to show</span>}
        {failed.value && <span class="small" role="alert">The trace ended: {failed.value}</span>}
      </div>
      {(running.value || lines.value.length > 0) && (
        <div class="trace" ref={list} tabIndex={0} role="log" aria-label="Trace" aria-live="off">
          {lines.value.length === 0 && <span class="muted">Waiting for the next frame…</span>}
          <ol>{lines.value.map((line, at) => <Line key={at} line={line} />)}</ol>
        </div>
      )}
    </div>
  )
}

const ARROWS = { in: '→', out: '←', room: '·' }

function Line({ line }: { line: TraceLine }) {
  const time = new Date(line.at * 1000).toISOString().slice(11, 23)
  const told = Object.entries(line.detail).map(([name, value]) => `${name} ${Array.isArray(value) ? value.join(', ') || 'nothing' : String(value)}`)
  return (
    <li>
      <span class="time muted">{time}</span>
      <span class={`way-${line.way}`} aria-label={line.way}>{ARROWS[line.way]}</span>
      <span>{line.what}</span>
      <span class="size">{line.bytes ? bytesText(line.bytes) : ''}</span>
      <span class="muted" title={told.join(' · ')}>{[line.user, ...told].filter(Boolean).join(' · ')}</span>
    </li>
  )
}
