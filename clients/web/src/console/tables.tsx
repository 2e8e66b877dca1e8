import type { Signal } from '@preact/signals'
import { bytesText, count, durationText } from '../ui/times'
import type { ConsoleView, Place } from './api'
import { behind, resident, type Look } from './look'

/** All nodes at a glance. */
export function Tiles({ look }: { look: Look }) {
  const rooms = look.rooms
  const [late, longest] = [behind(rooms), Math.max(0, ...rooms.map((room) => room.behind_s))]
  const { quarantined } = look.view
  const healthy = look.nodes.every(({ figures }) => figures['journal_healthy'])
  const commit = (name: string) => durationText(look.sum('journal_commits') ? look.worst(name) : undefined)
  const slowest = look.several ? ', slowest node' : ''
  const tiles: [string, string, string, boolean?][] = [
    ['Sockets', count(look.sum('sockets')), `in ${count(look.roomsOpen)} open ${look.roomsOpen === 1 ? 'room' : 'rooms'}`],
    ['Edits a second', count(look.rates('updates_in')), `${count(look.rates('frames_out'))} frames shown`],
    ['Commit, median', commit('commit_seconds_p50'), `99 %: ${commit('commit_seconds_p99')}${slowest}`],
    ['Waiting for the disk', bytesText(look.sum('journal_waiting_bytes')), healthy ? 'commits work' : 'commits fail; nothing is acknowledged', !healthy],
    ['Resident', bytesText(resident(rooms)), 'bytes of open documents'],
    ['Readers behind', count(late), late ? `the longest for ${durationText(longest)}` : 'all keep up', late > 0],
    ['Quarantined', quarantined ? count(quarantined.length) : '?', quarantined ? (quarantined.length ? 'read-only: collab doctor' : 'no damaged document') : 'the database does not say', !!quarantined?.length],
    ['CPU', `${Math.round(look.worst('cpu_share') * 100)} %`, `of one core${look.several ? ', busiest node' : ''}`],
  ]
  return (
    <dl class="tiles">
      {tiles.map(([name, value, note, bad]) => (
        <div key={name} class={`card tile ${bad ? 'bad' : ''}`}>
          <dt>{name}</dt>
          <dd>{value}<span class="note">{note}</span></dd>
        </div>
      ))}
    </dl>
  )
}

export function Rooms({ look, chosen }: { look: Look; chosen: Signal<Place | undefined> }) {
  const { rooms, several, roomsOpen } = look
  return (
    <section class="card" aria-label="Open rooms">
      <h2>Open rooms</h2>
      {rooms.length === 0 ? (
        <p class="muted">None. A room opens with its first socket, or when REST reads a document’s content.</p>
      ) : (
        <div class="scroll" role="region" aria-label="Figures of each room" tabIndex={0}>
          <table>
            <thead>
              <tr>
                <th>Document</th>{several && <th>Node</th>}<th class="number">Sockets</th><th class="number">People</th><th class="number">Size</th>
                <th class="number">Tail</th><th class="number">Seq</th><th>State</th>
              </tr>
            </thead>
            <tbody>
              {rooms.map((room) => <Line key={`${room.node} ${room.document}`} room={room} several={several} chosen={chosen} />)}
            </tbody>
          </table>
          {roomsOpen > rooms.length && <p class="muted small">The {rooms.length} busiest of {count(roomsOpen)}.</p>}
        </div>
      )}
    </section>
  )
}

function Line({ room, several, chosen }: { room: Look['rooms'][number]; several: boolean; chosen: Signal<Place | undefined> }) {
  const { document, node } = room
  const open = chosen.value?.document === document && chosen.value.node === node
  return (
    <tr class={open ? 'open' : ''}>
      <td class="name"><button class="link" title={document} aria-expanded={open} onClick={() => (chosen.value = open ? undefined : { document, node })}>{document}</button></td>
      {several && <td class="mono">{node}</td>}
      <td class="number">{count(room.sockets)}</td>
      <td class="number">{count(room.people)}</td>
      <td class="number">{bytesText(room.bytes)}</td>
      <td class="number">{count(room.tail)}</td>
      <td class="number">{count(room.seq)}</td>
      <td>{room.read_only ? <span class="chip bad" title={room.read_only}>read-only</span> : room.behind ? <span class="chip warn">{room.behind} behind</span> : room.unsaved ? <span class="chip warn">storing</span> : <span class="chip good">stored</span>}</td>
    </tr>
  )
}

export function Refusals({ look }: { look: Look }) {
  const { refusals } = look
  return (
    <div class="halves">
      <section class="card" aria-label="Refusals by kind">
        <h2>Refusals by kind</h2>
        {refusals.length === 0 ? (
          <p class="muted">None since {look.several ? 'these nodes' : 'this node'} started.</p>
        ) : (
          <table>
            <thead><tr><th>Code</th><th>At</th><th class="number">Count</th></tr></thead>
            <tbody>
              {refusals.map(({ where, code, count: times }) => (
                <tr key={where + code}><td><a href={`/docs#${code}`} class="mono">{code}</a></td><td>{where}</td><td class="number">{count(times)}</td></tr>
              ))}
            </tbody>
          </table>
        )}
      </section>
      <Quarantined quarantined={look.view.quarantined} />
    </div>
  )
}

function Quarantined({ quarantined }: Pick<ConsoleView, 'quarantined'>) {
  return (
    <section class="card" aria-label="Quarantined documents">
      <h2>Quarantined documents</h2>
      {!quarantined?.length ? (
        <p class="muted">{quarantined ? 'None. Every stored byte that was read passed its check.' : 'The database does not say now.'}</p>
      ) : (
        <>
          <table>
            <thead><tr><th>Document</th><th>Why</th></tr></thead>
            <tbody>{quarantined.map(([id, why]) => <tr key={id}><td class="mono">{id}</td><td class="small">{why}</td></tr>)}</tbody>
          </table>
          <p class="muted small">Each is served read-only, as far as its bytes are good. <code>collab doctor</code> says more and mends what can be mended.</p>
        </>
      )}
    </section>
  )
}
