import { useSignal, type Signal } from '@preact/signals'
import { Problem } from 'collab-client'
import { useEffect } from 'preact/hooks'
import { Doc, applyUpdate } from 'yjs'
import { api, guarded } from '../session'
import { ago } from '../ui/times'
import { Still } from './canvas'
import { compare, type Block } from './compare'
import type { LiveDocument } from './live'
import { isReadable, lines } from './reading'
import type { Look } from './snapshots'

/** A snapshot in the place of the document: as it was, or with what changed since. */
export function Past({ id, live, look }: { id: string; live: LiveDocument; look: Signal<Look | undefined> }) {
  const { snapshot, as } = look.value!
  const state = useSignal<Uint8Array | undefined>(undefined)
  const failed = useSignal('')
  const note = (error: unknown) => (failed.value = error instanceof Problem ? error.message : String(error))
  useEffect(() => {
    state.value = undefined
    guarded(api.snapshotState(id, snapshot.id)).then((bytes) => (state.value = bytes), note)
  }, [snapshot.id])
  const restore = () => guarded(api.restore(id, snapshot.id)).then(() => (look.value = undefined), note)
  return (
    <>
      <div class="notice past" role="status">
        <p>
          {as === 'diff' ? 'What changed since ' : 'The document as it was in '}
          <strong>{snapshot.label || 'an unnamed snapshot'}</strong>, {ago(snapshot.created_at)}
        </p>
        <div class="row wrap">
          {live.access.value === 'write' && <button class="button small primary" onClick={() => void restore()}>Restore</button>}
          <button class="button small" onClick={() => (look.value = undefined)}>Back to now</button>
        </div>
      </div>
      {failed.value && <p class="notice bad" role="alert">{failed.value}</p>}
      {state.value && (as === 'preview' ? <Still state={state.value} /> : <Changes before={state.value} live={live} />)}
    </>
  )
}

function Changes({ before, live }: { before: Uint8Array; live: LiveDocument }) {
  const blocks = useSignal<Block[]>([])
  useEffect(() => {
    const old = new Doc()
    applyUpdate(old, before)
    if (!isReadable(old)) return
    const was = lines(old)
    const draw = () => (blocks.value = compare(was, lines(live.doc)))
    draw()
    live.doc.on('update', draw)
    return () => live.doc.off('update', draw)
  }, [before])
  if (blocks.value.every(({ kind }) => kind === 'same')) {
    return <div class="sheet"><p class="muted">No words have changed since; formatting may have.</p></div>
  }
  return (
    <div class="sheet changes" aria-label="Changes">
      {blocks.value.map(({ kind, pieces }, at) => (
        <p key={at} class={kind}>
          {pieces.map((piece, index) => {
            if (piece.kind === 'same') return <span key={index}>{piece.text}</span>
            return piece.kind === 'added' ? <ins key={index}>{piece.text}</ins> : <del key={index}>{piece.text}</del>
          })}
        </p>
      ))}
    </div>
  )
}
