import { useSignal } from '@preact/signals'
import { useEffect, useMemo } from 'preact/hooks'
import { editorAddress } from '../address'
import { copies } from '../copies'
import { locked } from '../session'
import { Glyph } from '../ui/glyphs'
import { Header } from '../ui/header'
import { SignIn } from '../ui/signin'
import { Catalog } from './catalog'
import './documents.css'
import { NewDocument } from './new'
import { Row } from './row'

export function Page(_: { id: string }) {
  const catalog = useMemo(() => new Catalog(), [])
  const creating = useSignal(false)
  useEffect(() => {
    document.title = 'Documents · collab'
    return catalog.watch()
  }, [])
  if (locked.value) return <SignIn here="documents" />
  return (
    <>
      <Header here="documents" />
      <main class="page">
        <div class="row wrap">
          <h1 class="grow">Documents</h1>
          <button class="button primary" onClick={() => (creating.value = true)}>
            <Glyph name="plus" />
            New document
          </button>
        </div>
        <div class="row wrap" role="search">
          <label class="finder">
            <span class="hidden-visually">Find by the beginning of the id</span>
            <Glyph name="search" />
            <input class="input" type="search" placeholder="Find by id, from its beginning" value={catalog.prefix.value} onInput={(event) => (catalog.prefix.value = event.currentTarget.value)} />
          </label>
          <label class="toggle muted">
            <input type="checkbox" checked={catalog.deleted.value} onChange={(event) => (catalog.deleted.value = event.currentTarget.checked)} />
            Show deleted
          </label>
        </div>
        <Trouble catalog={catalog} />
        <List catalog={catalog} onCreate={() => (creating.value = true)} />
      </main>
      {creating.value && <NewDocument prefix={catalog.prefix.value} onClose={() => (creating.value = false)} />}
    </>
  )
}

function Trouble({ catalog }: { catalog: Catalog }) {
  if (!catalog.trouble.value) return null
  return (
    <>
      <div class="notice bad" role="alert">
        <p>The list could not be refreshed: {catalog.trouble.value}.</p>
        <button class="button small" onClick={() => void catalog.refresh()}>Try again</button>
      </div>
      {catalog.items.value === undefined && <OnDevice prefix={catalog.prefix.value} />}
    </>
  )
}

/** Documents of which this browser has a copy: they open without the server. */
function OnDevice({ prefix }: { prefix: string }) {
  const ids = useSignal<string[]>([])
  useEffect(() => void copies().then((found) => (ids.value = found), () => {}), [])
  const shown = ids.value.filter((id) => id.startsWith(prefix))
  if (shown.length === 0) return null
  return (
    <section class="card kept" aria-label="On this device">
      <h2>On this device</h2>
      <p class="small muted">Copies that this browser keeps. They can be read and written now; edits are merged when the server is back.</p>
      <ul>{shown.map((id) => <li key={id}><a href={editorAddress(id)}>{id}</a></li>)}</ul>
    </section>
  )
}

function List({ catalog, onCreate }: { catalog: Catalog; onCreate: () => void }) {
  const items = catalog.items.value
  if (items === undefined) return catalog.trouble.value ? null : <Loading />
  if (items.length === 0) return <Empty prefix={catalog.prefix.value} onCreate={onCreate} onClear={() => (catalog.prefix.value = '')} />
  return (
    <>
      <ul class="list card" aria-label="Documents">
        {items.map((item) => (
          <Row key={item.id} item={item} people={catalog.people.value.get(item.id) ?? []} onChange={() => void catalog.refresh()} />
        ))}
      </ul>
      {catalog.more.value && (
        <div class="row" style={{ justifyContent: 'center' }}>
          <button class="button" onClick={() => void catalog.showMore()}>Show more</button>
        </div>
      )}
    </>
  )
}

function Loading() {
  return (
    <div class="card skeleton" role="status">
      <span class="hidden-visually">Loading the documents</span>
      <div />
      <div />
      <div />
    </div>
  )
}

function Empty({ prefix, onCreate, onClear }: { prefix: string; onCreate: () => void; onClear: () => void }) {
  return (
    <div class="card empty">
      <h2>{prefix ? `No document’s id begins with “${prefix}”` : 'No documents yet'}</h2>
      <p>
        {prefix
          ? 'Ids are searched from their beginning; capital letters count.'
          : 'A document is also made when the first editor, script or curl writes to it.'}
      </p>
      <div class="row">
        {prefix && <button class="button" onClick={onClear}>Show all</button>}
        <button class="button primary" onClick={onCreate}>
          <Glyph name="plus" />
          New document
        </button>
      </div>
    </div>
  )
}
