import { useSignal } from '@preact/signals'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { editorAddress } from '../address'
import { locked } from '../session'
import { Glyph } from '../ui/glyphs'
import { Header } from '../ui/header'
import { Plot } from '../ui/plot'
import { SignIn } from '../ui/signin'
import { bytesText, count, durationText } from '../ui/times'
import './contrast.css'
import type { Meter } from './meter'
import { PollReader, SocketReader, watchConnections } from './readers'
import { sentence } from './sentence'
import { Writer } from './writer'

const SAMPLE_MS = 500
const SHOWN_MS = 60_000
const FIRST_INTERVAL_MS = 2000

/** One document, followed in three ways at once. */
class Stage {
  readonly writer: Writer
  readonly socket: SocketReader
  readonly long: PollReader
  readonly short: PollReader
  startedAt = performance.now()
  #unwatch: () => void

  constructor(id: string) {
    this.writer = new Writer(id)
    this.socket = new SocketReader(id, this.writer)
    this.long = new PollReader(id, this.writer, { long: true })
    this.short = new PollReader(id, this.writer, { long: false, intervalMs: FIRST_INTERVAL_MS })
    this.#unwatch = watchConnections(this.long.meter, this.short.meter)
  }

  get meters(): [Meter, Meter, Meter] {
    return [this.socket.meter, this.long.meter, this.short.meter]
  }

  /** Counts from now on: another rate or interval is another comparison. */
  reset(): void {
    this.startedAt = performance.now()
    this.writer.edits = 0
    for (const meter of this.meters) meter.reset()
  }

  close(): void {
    this.#unwatch()
    for (const part of [this.writer, this.socket, this.long, this.short]) part.close()
  }
}

const WAYS = [
  { name: 'WebSocket', what: 'The server tells as it happens', own: 'var(--socket)', unit: 'Frames' },
  { name: 'Long poll', what: 'The server holds each question until there is something', own: 'var(--long)', unit: 'Requests' },
  { name: 'Short poll', what: 'Asks every so often, changed or not', own: 'var(--short)', unit: 'Requests' },
]

export function Page({ id }: { id: string }) {
  const stage = useMemo(() => new Stage(id), [id])
  const [now, tick] = useState(performance.now())
  useEffect(() => {
    document.title = `Compared: ${id} · collab`
    const timer = setInterval(() => {
      const at = performance.now()
      for (const meter of stage.meters) meter.sample(at)
      tick(at)
    }, SAMPLE_MS)
    const leave = () => stage.close()
    addEventListener('pagehide', leave, { capture: true }) // before the writer's own connection hangs up
    return () => {
      clearInterval(timer)
      removeEventListener('pagehide', leave, { capture: true })
      stage.close()
    }
  }, [stage])
  if (locked.value) return <SignIn />
  return (
    <>
      <Header>
        <a class="button quiet" aria-label="Open the editor" title="Open the editor" href={editorAddress(id)}><Glyph name="pencil" /><span class="wide">Open the editor</span></a>
      </Header>
      <main class="page contrast">
        <div>
          <h1>One document, three ways to follow it</h1>
          <p class="lead">The three panes follow <code>{id}</code> at the same time. The robot types over a connection of its own; each pane shows how long after a key it knew.</p>
        </div>
        <Controls stage={stage} now={now} />
        <section class="panes" aria-label="Three readers">
          {WAYS.map((way, at) => <Pane key={way.name} {...way} meter={stage.meters[at]!} now={now} />)}
        </section>
        <Plots meters={stage.meters} now={now} />
        <p class="small muted">Times are measured in this page: the moment of typing against the moment of seeing. Bytes include headers as HTTP/1.1 and WebSocket frames carry them; what a browser sends in a request is reckoned from what browsers send, since a page cannot see it.</p>
      </main>
    </>
  )
}

function Controls({ stage, now }: { stage: Stage; now: number }) {
  const perSecond = useSignal(2)
  const intervalMs = useSignal(FIRST_INTERVAL_MS)
  const running = useSignal(false)
  const own = useSignal('')
  const run = (on: boolean) => {
    running.value = on
    stage.reset()
    if (on) stage.writer.start(perSecond.value)
    else {
      stage.writer.stop()
      stage.writer.tidy()
    }
  }
  const setRate = (value: number) => {
    perSecond.value = value
    if (running.value) run(true)
  }
  const setInterval_ = (value: number) => {
    intervalMs.value = value
    stage.short.every(value)
    stage.reset()
  }
  const type = (text: string) => {
    if (text.length > own.value.length) stage.writer.type(text.slice(own.value.length))
    own.value = text
  }
  const [socket, long, short] = stage.meters
  const seconds = (now - stage.startedAt) / 1000
  return (
    <>
      <div class="card controls">
        <button class={`button ${running.value ? '' : 'primary'}`} aria-pressed={running.value} onClick={() => run(!running.value)} disabled={stage.writer.provider.readOnly}>
          <Glyph name={running.value ? 'pause' : 'play'} />
          {running.value ? 'Stop the robot' : 'Type for me'}
        </button>
        <label class="field">
          <span>Robot: <b>{perSecond.value}</b> {perSecond.value === 1 ? 'edit' : 'edits'} a second</span>
          <input type="range" min="1" max="20" value={perSecond.value} onInput={(event) => setRate(Number(event.currentTarget.value))} />
        </label>
        <label class="field">
          <span>Short poll: every <b>{durationText(intervalMs.value / 1000)}</b></span>
          <input type="range" min="250" max="10000" step="250" value={intervalMs.value} onInput={(event) => setInterval_(Number(event.currentTarget.value))} />
        </label>
        <label class="field">
          <span>Or type yourself</span>
          <input class="input" value={own.value} placeholder="each key is an edit" onInput={(event) => type(event.currentTarget.value)} onBlur={() => (own.value = '')} />
        </label>
      </div>
      <p class="sentence" data-sentence aria-live="off">
        {sentence({ socket, long, short, edits: stage.writer.edits, perSecond: perSecond.value, intervalMs: intervalMs.value, now, seconds })}
      </p>
    </>
  )
}

function Pane({ name, what, own, unit, meter, now }: (typeof WAYS)[number] & { meter: Meter; now: number }) {
  const lag = (share: number) => {
    const ms = meter.lag(share, now)
    return ms === undefined ? '–' : durationText(ms / 1000)
  }
  return (
    <article class="card pane" style={{ '--own': own } as never} aria-label={name} data-way={name}>
      <div>
        <h2>{name}</h2>
        <p class="what">{meter.trouble.value ? <span role="alert">Trouble: {meter.trouble.value}</span> : what}</p>
      </div>
      <div class="text" aria-label={`The document as the ${name} sees it`}><div>{meter.text.value || <span class="muted">Nothing yet</span>}</div></div>
      <p class="big"><b data-lag>{lag(0.5)}</b><span class="small muted">behind, half the time · <span class="whole">95 %: {lag(0.95)}</span></span></p>
      <dl>
        <dt>{unit}</dt><dd data-messages>{count(meter.messages)}</dd>
        <dt>Sent by the browser</dt><dd>{bytesText(meter.bytesUp)}</dd>
        <dt>Sent by the server</dt><dd data-down>{bytesText(meter.bytesDown)}</dd>
        <dt>Connections opened</dt><dd>{count(meter.connections)}</dd>
      </dl>
    </article>
  )
}

function Plots({ meters, now }: { meters: readonly Meter[]; now: number }) {
  const lines = (of: (meter: Meter) => Meter['lags'], scale = 1) =>
    WAYS.map(({ name, own }, at) => ({ label: name, color: own, points: of(meters[at]!).map(([time, value]) => [time, value * scale] as const) }))
  const time = { from: now - SHOWN_MS, to: now, ends: ['a minute ago', 'now'] as const }
  return (
    <section class="plots" aria-label="Plots">
      <div class="card"><Plot title="How late an edit is seen" series={lines((meter) => meter.lagLine, 0.001)} format={durationText} log {...time} /></div>
      <div class="card"><Plot title="Bytes a second, both ways" series={lines((meter) => meter.bytesLine)} format={bytesText} {...time} /></div>
    </section>
  )
}
