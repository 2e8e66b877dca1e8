import { useSignal, type Signal } from '@preact/signals'
import { Problem, type SnapshotDetails } from 'collab-client'
import { useEffect } from 'preact/hooks'
import { api, guarded } from '../session'
import { Glyph } from '../ui/glyphs'
import { Menu } from '../ui/menu'
import { ago, moment } from '../ui/times'

export interface Look {
  snapshot: SnapshotDetails
  as: 'preview' | 'diff'
}

interface PanelProps {
  id: string
  canWrite: boolean
  look: Signal<Look | undefined>
  onClose: () => void
}

/** Named states that people keep: take one, look at one, compare, go back. */
export function Snapshots({ id, canWrite, look, onClose }: PanelProps) {
  const items = useSignal<SnapshotDetails[] | undefined>(undefined)
  const failed = useSignal('')
  const note = (error: unknown) => (failed.value = error instanceof Problem ? error.message : String(error))
  const load = async () => {
    try {
      items.value = (await guarded(api.snapshots(id))).items
      failed.value = ''
    } catch (error) {
      if (error instanceof Problem && error.status === 404) items.value = []
      else note(error)
    }
  }
  useEffect(() => {
    void load()
    return follow(id, () => void load())
  }, [id])
  return (
    <aside class="panel" aria-label="Snapshots">
      <div class="row">
        <h2 class="grow">Snapshots</h2>
        <button class="button quiet icon small" aria-label="Close snapshots" onClick={onClose}><Glyph name="close" /></button>
      </div>
      {canWrite && <Take id={id} onTaken={() => void load()} onFailed={note} />}
      {failed.value && <p class="notice bad small" role="alert">{failed.value}</p>}
      {items.value?.length === 0 && <p class="muted small">None yet. A snapshot keeps the document as it is now, whatever happens to it later.</p>}
      {items.value === undefined && !failed.value && <p class="muted small" role="status">Loading…</p>}
      <ol class="snapshots">
        {items.value?.map((snapshot) => (
          <Item key={snapshot.id} id={id} snapshot={snapshot} canWrite={canWrite} look={look} onChange={() => void load()} onFailed={note} />
        ))}
      </ol>
    </aside>
  )
}

/** Calls when anybody takes a snapshot, until stopped; a stream that is cut is opened again. */
function follow(id: string, onSnapshot: () => void): () => void {
  const stop = new AbortController()
  const run = async () => {
    while (!stop.signal.aborted) {
      try {
        for await (const { event } of api.events(id, stop.signal)) if (event === 'snapshot') onSnapshot()
      } catch {
        // the next one tells
      }
      await new Promise((resolve) => setTimeout(resolve, 3000))
      if (!stop.signal.aborted) onSnapshot() // what was taken meanwhile was told to nobody here
    }
  }
  void run()
  return () => stop.abort()
}

function Take({ id, onTaken, onFailed }: { id: string; onTaken: () => void; onFailed: (error: unknown) => void }) {
  const label = useSignal('')
  const take = async (event: Event) => {
    event.preventDefault()
    try {
      await guarded(api.takeSnapshot(id, label.value.trim() || undefined))
      label.value = ''
      onTaken()
    } catch (error) {
      onFailed(error instanceof Problem && error.status === 404 ? new Error('There is nothing to keep yet: write something first.') : error)
    }
  }
  return (
    <form class="row" onSubmit={(event) => void take(event)}>
      <input class="input" aria-label="Name of the snapshot" placeholder="Name, if you like" maxLength={200} value={label.value} onInput={(event) => (label.value = event.currentTarget.value)} />
      <button class="button primary">Take</button>
    </form>
  )
}

interface ItemProps {
  id: string
  snapshot: SnapshotDetails
  canWrite: boolean
  look: Signal<Look | undefined>
  onChange: () => void
  onFailed: (error: unknown) => void
}

function Item({ id, snapshot, canWrite, look, onChange, onFailed }: ItemProps) {
  const naming = useSignal<string | undefined>(undefined)
  const name = snapshot.label || 'Unnamed'
  const shown = look.value?.snapshot.id === snapshot.id
  const toggle = (as: Look['as']) => (look.value = shown && look.value?.as === as ? undefined : { snapshot, as })
  const rename = async (event: Event) => {
    event.preventDefault()
    await guarded(api.patchSnapshot(id, snapshot.id, { label: naming.value?.trim() || null })).then(onChange, onFailed)
    naming.value = undefined
  }
  return (
    <li class={shown ? 'shown' : ''}>
      <div class="row">
        {naming.value === undefined ? (
          <strong class={`grow ${snapshot.label ? '' : 'muted'}`}>{name}</strong>
        ) : (
          <form class="row grow" onSubmit={(event) => void rename(event)}>
            <input class="input" aria-label="Name" value={naming.value} autofocus onInput={(event) => (naming.value = event.currentTarget.value)} />
            <button class="button small">Save</button>
          </form>
        )}
        {canWrite && (
          <Menu label={`More for ${name}`} glyph="more" small>
            <li><button type="button" onClick={() => (naming.value = snapshot.label ?? '')}><Glyph name="pencil" />Rename</button></li>
            <li><button type="button" class="danger" onClick={() => void guarded(api.deleteSnapshot(id, snapshot.id)).then(onChange, onFailed)}><Glyph name="trash" />Delete</button></li>
          </Menu>
        )}
      </div>
      <span class="small muted" title={moment(snapshot.created_at)}>{ago(snapshot.created_at)}{snapshot.created_by === 'anonymous' ? '' : ` by ${snapshot.created_by}`}</span>
      <div class="row">
        <button class="button small" aria-pressed={shown && look.value?.as === 'preview'} onClick={() => toggle('preview')}>Preview</button>
        <button class="button small" aria-pressed={shown && look.value?.as === 'diff'} onClick={() => toggle('diff')}>Compare</button>
      </div>
    </li>
  )
}
