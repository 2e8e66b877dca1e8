import { useSignal } from '@preact/signals'
import { Problem } from 'collab-client'
import { useEffect } from 'preact/hooks'
import { locked } from '../session'
import { Header } from '../ui/header'
import { SignIn } from '../ui/signin'
import { drain, lastHour, look, type ConsoleView, type HourView } from './api'
import './console.css'
import { Plots } from './plots'
import { Room } from './room'
import { Refusals, Rooms, Tiles } from './tables'
import { Dialog } from '../ui/dialog'

const LOOK_MS = 1000
const HOUR_MS = 5000

export function Page(_: { id: string }) {
  const view = useSignal<ConsoleView | undefined>(undefined)
  const before = useSignal<ConsoleView | undefined>(undefined)
  const hour = useSignal<HourView | undefined>(undefined)
  const trouble = useSignal<Problem | Error | undefined>(undefined)
  const chosen = useSignal<string | undefined>(undefined)
  const draining = useSignal(false)
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
        const seen = await look()
        ;[before.value, view.value] = [view.value, seen]
      }),
      every(HOUR_MS, async () => void (hour.value = await lastHour())),
    ]
    return () => stops.forEach((stop) => stop())
  }, [])
  const error = trouble.value
  if (locked.value) return <SignIn here="console" why="The console is for operators: give an API key with the scope admin." />
  if (error instanceof Problem && error.status === 403) return <SignIn here="console" why="This key is not an admin’s. Give one with the scope admin." />
  const now = view.value
  return (
    <>
      <Header here="console" />
      <main class="page console">
        <div class="row wrap">
          <h1 class="grow">Console</h1>
          {now && <span class={`chip ${now.draining ? 'warn' : now.figures['journal_healthy'] ? 'good' : 'bad'}`}>{now.draining ? 'Draining' : now.figures['journal_healthy'] ? 'Healthy' : 'Storage trouble'}</span>}
          {now && <span class="chip plain mono">node {now.node}</span>}
          {now && <span class="chip plain">collab {now.version}</span>}
          <button class="button danger" disabled={!now || now.draining} onClick={() => (draining.value = true)}>Drain this node</button>
        </div>
        {now?.open && <p class="notice warn">This server is open: no authentication is configured, and whoever reaches it may do everything, this console included.</p>}
        {error && <p class="notice bad" role="alert">What is shown is old: {error.message}.</p>}
        {!now && !error && <p class="muted" role="status">Looking…</p>}
        {now && (
          <>
            <Tiles now={now} before={before.value} />
            <Rooms now={now} chosen={chosen} />
            {chosen.value !== undefined && <Room key={chosen.value} id={chosen.value} onClose={() => (chosen.value = undefined)} />}
            {hour.value && <Plots hour={hour.value} />}
            <Refusals now={now} />
          </>
        )}
      </main>
      {draining.value && <Drain onClose={() => (draining.value = false)} />}
    </>
  )
}

function Drain({ onClose }: { onClose: () => void }) {
  const failed = useSignal('')
  const go = () => drain().then(onClose, (error: Error) => (failed.value = error.message))
  return (
    <Dialog title="Drain this node?" onClose={onClose} onSubmit={() => void go()}>
      <p>Every socket is closed and asked to come back to another node, and nobody is let in again until this node is restarted. What was typed is stored first.</p>
      {failed.value && <p class="notice bad" role="alert">{failed.value}</p>}
      <footer>
        <button type="button" class="button" onClick={onClose}>Cancel</button>
        <button class="button primary">Drain</button>
      </footer>
    </Dialog>
  )
}
