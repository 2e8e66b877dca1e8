import { useEffect, useRef, useState } from 'preact/hooks'
import './plot.css'

export interface Series {
  label: string
  color: string
  /** [time, value], oldest first; times as `from` and `to`. */
  points: readonly (readonly [number, number])[]
}

interface PlotProps {
  title: string
  series: readonly Series[]
  from: number
  to: number
  /** How a value is written at the axis. */
  format: (value: number) => string
  /** What stands at the two ends of the time axis. */
  ends: readonly [string, string]
  height?: number
  /** For values that lie decades apart. */
  log?: boolean
}

const LEFT = 52
const BOTTOM = 18

/** Lines over time. A screen reader is told the newest values. */
export function Plot({ title, series, from, to, format, ends, height = 150, log = false }: PlotProps) {
  const figure = useRef<HTMLElement>(null)
  const [width, setWidth] = useState(480)
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.max(160, entry!.contentRect.width)))
    observer.observe(figure.current!)
    return () => observer.disconnect()
  }, [])
  const values = series.flatMap(({ points }) => points.map(([, value]) => value)).filter((value) => !log || value > 0)
  const [low, high] = log ? decades(values) : [0, niceTop(Math.max(...values, 0))]
  const scale = (value: number) => (log ? (Math.log10(Math.max(value, low)) - Math.log10(low)) / (Math.log10(high) - Math.log10(low)) : value / high)
  const x = (time: number) => LEFT + ((time - from) / (to - from || 1)) * (width - LEFT - 4)
  const y = (value: number) => (height - BOTTOM) * (1 - scale(value)) + 4
  const ticks = (log ? powers(low, high) : [0, high / 2, high]).filter((tick, at, all) => at === all.length - 1 || format(tick) !== format(all[at + 1]!))
  const newest = series.map(({ label, points }) => `${label}: ${points.length ? format(points[points.length - 1]![1]) : 'nothing yet'}`)
  return (
    <figure class="plot" ref={figure}>
      <figcaption>
        <span>{title}</span>
        {series.length > 1 && series.map(({ label, color }) => <span class="key" key={label}><i class="swatch" style={{ backgroundColor: color }} />{label}</span>)}
      </figcaption>
      <svg height={height + 6} viewBox={`0 0 ${width} ${height + 6}`} role="img" aria-label={`${title}. ${newest.join(', ')}`}>
        {ticks.map((tick) => (
          <g key={tick}>
            <line class="grid" x1={LEFT} x2={width} y1={y(tick)} y2={y(tick)} />
            <text x={LEFT - 8} y={y(tick) + 4} text-anchor="end">{format(tick)}</text>
          </g>
        ))}
        {series.map(({ label, color, points }) => {
          const shown = points.filter(([time]) => time >= from)
          if (shown.length === 0) return null
          const path = shown.map(([time, value], at) => `${at ? 'L' : 'M'}${x(time).toFixed(1)} ${y(value).toFixed(1)}`).join('')
          const under = `${path}L${x(shown[shown.length - 1]![0]).toFixed(1)} ${y(low)}L${x(shown[0]![0]).toFixed(1)} ${y(low)}Z`
          return (
            <g key={label}>
              {series.length === 1 && <path class="under" d={under} style={{ fill: color }} />}
              <path class="line" d={path} style={{ stroke: color }} />
            </g>
          )
        })}
        <text x={LEFT} y={height + 4}>{ends[0]}</text>
        <text x={width} y={height + 4} text-anchor="end">{ends[1]}</text>
      </svg>
    </figure>
  )
}

/** The next of 1, 2, 5, 10 … above a value. */
function niceTop(value: number): number {
  if (value <= 0) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  return power * ([1, 2, 5, 10].find((step) => step * power >= value) ?? 10)
}

function decades(values: number[]): [number, number] {
  if (values.length === 0) return [1, 1000]
  const low = 10 ** Math.floor(Math.log10(Math.min(...values)))
  return [low, Math.max(low * 10, 10 ** Math.ceil(Math.log10(Math.max(...values))))]
}

function powers(low: number, high: number): number[] {
  const made = []
  for (let value = low; value <= high * 1.001; value *= 10) made.push(value)
  return made
}
