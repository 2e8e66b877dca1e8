import { useSignal } from '@preact/signals'
import type { Editor } from '@tiptap/core'
import { useEffect, useMemo, useRef } from 'preact/hooks'
import { locked, me } from '../session'
import { Glyph, Logo } from '../ui/glyphs'
import { Myself } from '../ui/header'
import { Avatars } from '../ui/people'
import { SignIn } from '../ui/signin'
import { Canvas } from './canvas'
import './editor.css'
import { Export } from './export'
import { LiveDocument } from './live'
import { Past } from './past'
import { isReadable } from './reading'
import { Share } from './share'
import { Snapshots, type Look } from './snapshots'
import { Title } from './title'
import { Toolbar } from './toolbar'
import { Trouble, Truth } from './truth'

export function Page({ id }: { id: string }) {
  const live = useMemo(() => new LiveDocument(id, new URLSearchParams(location.search).get('access') === 'read' ? 'read' : 'write'), [id])
  const editor = useSignal<Editor | undefined>(undefined)
  const panel = useSignal(false)
  const sharing = useSignal(false)
  const look = useSignal<Look | undefined>(undefined)
  useEffect(() => () => live.close(), [live])
  const known = useRef(me.value)
  useEffect(() => {
    if (known.current === me.value) return
    known.current = me.value
    live.rename()
  }, [me.value])
  const top = useRef<HTMLElement>(null)
  useEffect(() => {
    if (!top.current) return
    const header = top.current
    const below = () => document.documentElement.style.setProperty('--top', `${header.offsetHeight}px`)
    const observer = new ResizeObserver(below) // it takes more lines on a phone, and what sticks has to stick below it
    observer.observe(header)
    return () => observer.disconnect()
  }, [locked.value])
  if (locked.value) return <SignIn />
  const canWrite = live.access.value === 'write'
  return (
    <div class={`desk ${panel.value ? 'with-panel' : ''}`}>
      <header class="top editor-top" ref={top}>
        <div>
          <a class="brand" href="/" aria-label="Documents" title="Documents"><Logo /></a>
          <Title id={id} canWrite={canWrite} />
          <Truth live={live} />
          <div class="grow" />
          <Avatars people={live.people.value} />
          <div class="actions">
            <button class="button quiet" aria-expanded={panel.value} aria-label="Snapshots" onClick={() => ((panel.value = !panel.value), (look.value = undefined))}>
              <Glyph name="clock" /><span class="wide">Snapshots</span>
            </button>
            {editor.value && <Export id={id} live={live} editor={editor.value} />}
            <button class="button quiet" aria-label="Share" onClick={() => (sharing.value = true)}><Glyph name="share" /><span class="wide">Share</span></button>
            <Myself />
          </div>
        </div>
      </header>
      {editor.value && canWrite && !look.value && <Toolbar editor={editor.value} />}
      <main>
        <Trouble live={live} />
        {look.value && <Past id={id} live={live} look={look} />}
        <div hidden={look.value !== undefined}><Sheet live={live} onEditor={(made) => (editor.value = made)} /></div>
      </main>
      {panel.value && <Snapshots id={id} canWrite={canWrite} look={look} onClose={() => ((panel.value = false), (look.value = undefined))} />}
      {sharing.value && <Share id={id} onClose={() => (sharing.value = false)} />}
    </div>
  )
}

function Sheet({ live, onEditor }: { live: LiveDocument; onEditor: (editor: Editor | undefined) => void }) {
  const strange = useSignal(false)
  if (!live.ready.value) return live.ending.value ? null : <Opening live={live} />
  if (strange.value || !isReadable(live.doc)) {
    return (
      <div class="empty">
        <h2>This editor does not know everything in here</h2>
        <p>Opening the document with it would take out what it does not know, so it does not. Read it by <a href={`/api/documents/${encodeURIComponent(live.provider.document)}/content`}>the API</a>.</p>
      </div>
    )
  }
  return (
    <>
      <Elsewhere live={live} />
      <Canvas live={live} onEditor={onEditor} onStrange={() => (strange.value = true)} />
    </>
  )
}

/** Other editors keep their content in other roots: an empty page must not look like an empty document. */
function Elsewhere({ live }: { live: LiveDocument }) {
  const others = [...live.doc.share].filter(([name, type]) => name !== 'default' && type._start !== null).map(([name]) => name)
  if (others.length === 0 || live.doc.getXmlFragment('default').length > 0) return null
  return (
    <div class="notice">
      <p>This document also holds {others.map((name) => `“${name}”`).join(', ')}, written by another kind of editor. This page edits the root “default”.</p>
      <a class="button small" href={`/api/documents/${encodeURIComponent(live.provider.document)}/content`}>Read all of it</a>
    </div>
  )
}

function Opening({ live }: { live: LiveDocument }) {
  return (
    <div class="opening" role="status">
      <p class="muted">{live.status.value === 'offline' ? 'There is no copy of this document on this device yet. Waiting for the server…' : 'Opening…'}</p>
    </div>
  )
}
