import type { Signal } from '@preact/signals'
import { bytesText, count, durationText } from '../ui/times'
import type { ConsoleView } from './api'

const LOOK_S = 1

/** The node at a glance. Rates are those between the last two looks. */
export function Tiles({ now, before }: { now: ConsoleView; before: ConsoleView | undefined }) {
  const figure = (name: string) => now.figures[name] ?? 0
  const rate = (name: string) => (before ? Math.max(0, figure(name) - (before.figures[name] ?? 0)) / LOOK_S : 0)
  const behind = now.rooms.reduce((sum, room) => sum + room.behind, 0)
  const longest = Math.max(0, ...now.rooms.map((room) => room.behind_s))
  const quarantined = now.quarantined
  const tiles: [string, string, string, boolean?][] = [
    ['Sockets', count(figure('sockets')), `in ${count(now.rooms_open)} open ${now.rooms_open === 1 ? 'room' : 'rooms'}`],
    ['Edits a second', count(rate('updates_in')), `${count(rate('frames_out'))} frames shown`],
    ['Commit, half', durationText(figure('journal_commits') ? figure('commit_seconds_p50') : undefined), `99 %: ${durationText(figure('journal_commits') ? figure('commit_seconds_p99') : undefined)}`],
    ['Waiting for the disk', bytesText(figure('journal_waiting_bytes')), figure('journal_healthy') ? 'commits work' : 'commits fail; nothing is acknowledged', !figure('journal_healthy')],
    ['Resident', bytesText(now.rooms.reduce((sum, room) => sum + room.bytes, 0)), 'bytes of open documents'],
    ['Readers behind', count(behind), behind ? `the longest for ${durationText(longest)}` : 'all keep up', behind > 0],
    ['Quarantined', quarantined ? count(quarantined.length) : '?', quarantined ? (quarantined.length ? 'read-only: collab doctor' : 'no damaged document') : 'the database does not say', !!quarantined?.length],
    ['Processor', `${Math.round(figure('cpu_share') * 100)} %`, 'of one core'],
  ]
  return (
    <dl class="tiles">
      {tiles.map(([name, value, note, bad]) => (
        <div key={name} class={`card tile ${bad ? 'bad' : ''}`}>
          <dt>{name}</dt>
          <dd>{value}</dd>
          <span class="note">{note}</span>
        </div>
      ))}
    </dl>
  )
}

export function Rooms({ now, chosen }: { now: ConsoleView; chosen: Signal<string | undefined> }) {
  return (
    <section class="card" aria-label="Open rooms">
      <h2>Open rooms</h2>
      {now.rooms.length === 0 ? (
        <p class="muted">None. A room opens with its first socket, or when REST reads a document’s content.</p>
      ) : (
        <div class="scroll">
          <table>
            <thead>
              <tr>
                <th>Document</th><th class="number">Sockets</th><th class="number">People</th><th class="number">Size</th>
                <th class="number">Tail</th><th class="number">Seq</th><th>State</th>
              </tr>
            </thead>
            <tbody>
              {now.rooms.map((room) => (
                <tr key={room.document} class={chosen.value === room.document ? 'open' : ''}>
                  <td class="name"><button class="link" aria-expanded={chosen.value === room.document} onClick={() => (chosen.value = chosen.value === room.document ? undefined : room.document)}>{room.document}</button></td>
                  <td class="number">{count(room.sockets)}</td>
                  <td class="number">{count(room.people)}</td>
                  <td class="number">{bytesText(room.bytes)}</td>
                  <td class="number">{count(room.tail)}</td>
                  <td class="number">{count(room.seq)}</td>
                  <td>{room.read_only ? <span class="chip bad">read-only</span> : room.behind ? <span class="chip warn">{room.behind} behind</span> : room.unsaved ? <span class="chip warn">storing</span> : <span class="chip good">stored</span>}</td>
                </tr>
              ))}
            </tbody>
          </table>
          {now.rooms_open > now.rooms.length && <p class="muted small">The {now.rooms.length} busiest of {count(now.rooms_open)}.</p>}
        </div>
      )}
    </section>
  )
}

export function Refusals({ now }: { now: ConsoleView }) {
  const sorted = [...now.refusals].sort((a, b) => b.count - a.count)
  return (
    <div class="halves">
      <section class="card" aria-label="Refusals by kind">
        <h2>Refusals by kind</h2>
        {sorted.length === 0 ? (
          <p class="muted">None since this node started.</p>
        ) : (
          <table>
            <thead><tr><th>Code</th><th>At</th><th class="number">Count</th></tr></thead>
            <tbody>
              {sorted.map(({ where, code, count: times }) => (
                <tr key={where + code}><td><a href={`/docs#${code}`} class="mono">{code}</a></td><td>{where}</td><td class="number">{count(times)}</td></tr>
              ))}
            </tbody>
          </table>
        )}
      </section>
      <section class="card" aria-label="Quarantined documents">
        <h2>Quarantined documents</h2>
        {!now.quarantined?.length ? (
          <p class="muted">{now.quarantined ? 'None. Every stored byte that was read passed its check.' : 'The database does not say now.'}</p>
        ) : (
          <table>
            <thead><tr><th>Document</th><th>Why</th></tr></thead>
            <tbody>{now.quarantined.map(([id, why]) => <tr key={id}><td class="mono">{id}</td><td class="small">{why}</td></tr>)}</tbody>
          </table>
        )}
      </section>
    </div>
  )
}
