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
    let over = false // another one was chosen: an answer that comes late must not stand under its name
    state.value = undefined
    failed.value = ''
    guarded(api.snapshotState(id, snapshot.id)).then((bytes) => over || (state.value = bytes), (error) => over || note(error))
    return () => {
      over = true
    }
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
  const blocks = useSignal<Block[] | undefined>(undefined)
  const strange = useSignal(false)
  useEffect(() => {
    const old = new Doc()
    applyUpdate(old, before)
    if ((strange.value = !isReadable(old) || !isReadable(live.doc))) return
    const was = lines(old)
    const draw = () => {
      if ((strange.value = !isReadable(live.doc))) return
      blocks.value = compare(was, lines(live.doc))
    }
    draw()
    live.doc.on('update', draw)
    return () => live.doc.off('update', draw)
  }, [before])
  if (strange.value) return <div class="sheet"><p class="muted">This page cannot compare them: one of the two holds what this editor does not know.</p></div>
  if (blocks.value === undefined) return null
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
