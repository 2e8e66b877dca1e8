import { Plot } from '../ui/plot'
import { bytesText, count, durationText } from '../ui/times'
import type { HourView } from './api'

const [ONE, TWO] = ['var(--accent)', 'var(--warn)']
const HOUR_S = 3600

type Line = [label: string, name: string, color: string]
const PLOTS: { title: string; lines: Line[]; format: (value: number) => string }[] = [
  { title: 'Sockets', lines: [['Sockets', 'sockets', ONE]], format: count },
  { title: 'Edits a second', lines: [['Edits', 'updates_per_s', ONE]], format: (value) => (value < 10 ? value.toFixed(1) : count(value)) },
  { title: 'Time of a commit', lines: [['half', 'commit_seconds_p50', ONE], ['99 %', 'commit_seconds_p99', TWO]], format: durationText },
  { title: 'Frames a second', lines: [['in', 'frames_in_per_s', ONE], ['shown', 'frames_out_per_s', TWO]], format: (value) => (value < 10 ? value.toFixed(1) : count(value)) },
  { title: 'Bytes of open documents', lines: [['Bytes', 'resident_bytes', ONE]], format: bytesText },
  { title: 'CPU, share of one core', lines: [['Share', 'cpu_share', ONE]], format: (value) => `${Math.round(value * 100)} %` },
]

interface PlotsProps {
  hour: HourView
  /** Those to choose from. */
  nodes: readonly string[]
  /** The one whose hour it is; empty for all together. */
  node: string
  onNode: (node: string) => void
}

/** The last hour, or as much of it as the nodes have lived. */
export function Plots({ hour, nodes, node, onNode }: PlotsProps) {
  const to = hour.at[hour.at.length - 1] ?? 0
  const from = Math.max(to - HOUR_S, hour.at[0] ?? 0)
  const minutes = Math.max(1, Math.round((to - from) / 60))
  if (hour.at.length < 2) return <p class="muted">Plots begin when the node has run for a few seconds.</p>
  return (
    <section aria-label="The last hour" class="hour">
      {nodes.length > 1 && (
        <label class="row wrap small">
          <span>The last hour of</span>
          <select class="input" value={node} onChange={(event) => onNode(event.currentTarget.value)}>
            <option value="">all nodes: sums, and the slowest commits</option>
            {nodes.map((one) => <option key={one} value={one}>node {one}</option>)}
          </select>
        </label>
      )}
      <div class="halves">
        {PLOTS.map(({ title, lines, format }) => (
          <div class="card" key={title}>
            <Plot
              title={title}
              series={lines.map(([label, name, color]) => ({ label, color, points: hour.at.map((at, index) => [at, hour.series[name]?.[index] ?? 0] as const) }))}
              from={from}
              to={to}
              format={format}
              ends={[minutes >= 60 ? 'an hour ago' : `${minutes} min ago`, 'now']}
              height={120}
            />
          </div>
        ))}
      </div>
    </section>
  )
}
