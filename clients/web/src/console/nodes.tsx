import { bytesText, count, durationText } from '../ui/times'
import type { NodeView } from './api'
import { behind, resident, type Look } from './look'

/** Each node by itself, the one that answers first; not shown for one that is alone. */
export function Nodes({ look, onDrain }: { look: Look; onDrain: (node: string) => void }) {
  const { silent, node: own } = look.view
  return (
    <section class="card" aria-label="Nodes">
      <h2>Nodes</h2>
      {silent.map(({ node, heard_s, why }) => (
        <p key={node} class="notice warn small" role="alert" data-silent={node}>
          Node {node} does not answer: {why}. It was last heard {durationText(heard_s)} ago. It is in none of the figures here.
        </p>
      ))}
      <div class="scroll" role="region" aria-label="Figures of each node" tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th>Node</th><th>State</th><th class="number">Sockets</th><th class="number">Rooms</th><th class="number">Edits a second</th>
              <th class="number">Commit, 99 %</th><th class="number">Waiting</th><th class="number">Resident</th><th class="number">Behind</th>
              <th class="number">CPU</th><th><span class="hidden-visually">Action</span></th>
            </tr>
          </thead>
          <tbody>{look.nodes.map((node) => <Line key={node.node} look={look} node={node} own={node.node === own} onDrain={() => onDrain(node.node)} />)}</tbody>
        </table>
      </div>
    </section>
  )
}

function Line({ look, node, own, onDrain }: { look: Look; node: NodeView; own: boolean; onDrain: () => void }) {
  const figure = (name: string) => node.figures[name] ?? 0
  const [kind, text] = node.draining ? ['warn', 'Draining'] : figure('journal_healthy') ? ['good', 'Healthy'] : ['bad', 'Storage trouble']
  return (
    <tr data-node={node.node}>
      <td><span class="mono">{node.node}</span><br /><span class="small muted">{node.host}{own && ', answers this page'}</span></td>
      <td><span class={`chip ${kind}`}>{text}</span></td>
      <td class="number">{count(figure('sockets'))}</td>
      <td class="number">{count(node.rooms_open)}</td>
      <td class="number">{count(look.rate(node, 'updates_in'))}</td>
      <td class="number">{durationText(figure('journal_commits') ? figure('commit_seconds_p99') : undefined)}</td>
      <td class="number">{bytesText(figure('journal_waiting_bytes'))}</td>
      <td class="number">{bytesText(resident(node.rooms))}</td>
      <td class="number">{count(behind(node.rooms))}</td>
      <td class="number">{Math.round(figure('cpu_share') * 100)} %</td>
      <td class="number"><button class="button small danger" aria-label={`Drain node ${node.node}`} disabled={node.draining} onClick={onDrain}>Drain</button></td>
    </tr>
  )
}
