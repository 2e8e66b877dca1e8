import { useSignal } from '@preact/signals'
import { Problem } from 'collab-client'
import { useEffect } from 'preact/hooks'
import { locked } from '../session'
import { Header } from '../ui/header'
import { SignIn } from '../ui/signin'
import { drain, lastHour, look, type HourView, type Place } from './api'
import './console.css'
import { Look } from './look'
import { Nodes } from './nodes'
import { Plots } from './plots'
import { Room } from './room'
import { Refusals, Rooms, Tiles } from './tables'
import { Dialog } from '../ui/dialog'

const LOOK_MS = 1000
const HOUR_MS = 5000

export function Page(_: { id: string }) {
  const seen = useSignal<Look | undefined>(undefined)
  const plotted = useSignal('')
  const hour = useSignal<HourView | undefined>(undefined)
  const trouble = useSignal<Problem | Error | undefined>(undefined)
  const chosen = useSignal<Place | undefined>(undefined)
  const draining = useSignal<string | undefined>(undefined)
  useEffect(() => {
    document.title = 'Console · collab'
    const every = (ms: number, read: () => Promise<void>) => {
      let timer: ReturnType<typeof setTimeout> | undefined
      let over = false
      const run = async () => {
        await read().then(() => (trouble.value = undefined), (error: Error) => (trouble.value = error))
        if (!over && !locked.value) timer = setTimeout(() => void run(), ms)
      }
      void run()
      return () => ((over = true), clearTimeout(timer))
    }
    const stops = [
      every(LOOK_MS, async () => {
        const view = await look()
        seen.value = new Look(view, performance.now(), seen.value && new Look(seen.value.view, seen.value.at, undefined))
        if (!seen.value.nodes.some(({ node }) => node === plotted.value)) plotted.value = ''
      }),
      every(HOUR_MS, async () => void (hour.value = await lastHour(plotted.value))),
    ]
    return () => stops.forEach((stop) => stop())
  }, [plotted.value])
  const error = trouble.value
  if (locked.value) return <SignIn here="console" why="The console is for operators: give an API key with the scope admin." />
  if (error instanceof Problem && error.status === 403) return <SignIn here="console" why="This key is not an admin’s. Give one with the scope admin." />
  const now = seen.value
  return (
    <>
      <Header here="console" />
      <main class="page console">
        <div class="row wrap">
          <h1 class="grow">Console</h1>
          {now && <span role="status" class={`chip ${now.state[0]}`}>{now.state[1]}</span>}
          {now && <span class="chip plain mono">{now.several ? `${now.nodes.length} nodes` : `node ${now.view.node}`}</span>}
          {now && <span class="chip plain">collab {now.view.version}</span>}
          {!now?.several && <button class="button danger" disabled={!now || now.view.draining} onClick={() => (draining.value = now!.view.node)}>Drain this node</button>}
        </div>
        {now?.view.open && <p class="notice warn">This server is open: no authentication is configured, and whoever reaches it may do everything, this console included.</p>}
        {error && <p class="notice bad" role="alert">These figures are out of date: {error.message}.</p>}
        {!now && !error && <p class="muted" role="status">Looking…</p>}
        {now && (
          <>
            <Tiles look={now} />
            {now.several && <Nodes look={now} onDrain={(node) => (draining.value = node)} />}
            <Rooms look={now} chosen={chosen} />
            {chosen.value !== undefined && <Room key={`${chosen.value.node} ${chosen.value.document}`} place={chosen.value} several={now.several} onClose={() => (chosen.value = undefined)} />}
            {hour.value && <Plots hour={hour.value} nodes={now.nodes.map(({ node }) => node)} node={plotted.value} onNode={(node) => (plotted.value = node)} />}
            <Refusals look={now} />
          </>
        )}
      </main>
      {draining.value !== undefined && <Drain node={draining.value} several={!!now?.several} onClose={() => (draining.value = undefined)} />}
    </>
  )
}

function Drain({ node, several, onClose }: { node: string; several: boolean; onClose: () => void }) {
  const failed = useSignal('')
  const go = () => drain(node).then(onClose, (error: Error) => (failed.value = error.message))
  return (
    <Dialog title={several ? `Drain node ${node}?` : 'Drain this node?'} onClose={onClose} onSubmit={() => void go()}>
      <p>Every socket is closed and asked to come back to another node, and nobody is let in again until this node is restarted. What was typed is stored first.</p>
      {failed.value && <p class="notice bad" role="alert">{failed.value}</p>}
      <footer>
        <button type="button" class="button" onClick={onClose}>Cancel</button>
        <button class="button primary">Drain</button>
      </footer>
    </Dialog>
  )
}
