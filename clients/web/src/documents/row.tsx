import { useSignal } from '@preact/signals'
import { Problem, type DocumentDetails } from 'collab-client'
import { contrastAddress, editorAddress } from '../address'
import { api, guarded } from '../session'
import { Dialog } from '../ui/dialog'
import { Glyph } from '../ui/glyphs'
import { Menu } from '../ui/menu'
import { Avatars, type Present } from '../ui/people'
import { ago, bytesText, moment } from '../ui/times'

interface RowProps {
  item: DocumentDetails
  people: Present[]
  onChange: () => void
}

export function Row({ item, people, onChange }: RowProps) {
  return item.deleted_at ? <Deleted item={item} onChange={onChange} /> : <Kept item={item} people={people} onChange={onChange} />
}

function Kept({ item, people, onChange }: RowProps) {
  const renaming = useSignal(false)
  const failed = useSignal('')
  const remove = () =>
    guarded(api.delete(item.id)).then(onChange, (error: unknown) => (failed.value = error instanceof Problem ? error.message : String(error)))
  return (
    <li>
      <div class="name">
        <a href={editorAddress(item.id)}>{item.title || item.id}</a>
        {item.title && <span class="id mono">{item.id}</span>}
        {item.quarantine && <span class="chip bad">Read-only: {item.quarantine}</span>}
        {failed.value && <span class="small" role="alert">Not deleted: {failed.value}</span>}
      </div>
      <Online online={item.online} people={people} />
      <time class="when small muted" dateTime={item.updated_at} title={moment(item.updated_at)}>{ago(item.updated_at)}</time>
      <span class="size small muted numbers">{bytesText(item.bytes)}</span>
      <Menu label={`More for ${item.title || item.id}`} glyph="more" small>
        <li><button type="button" onClick={() => (renaming.value = true)}><Glyph name="pencil" />Rename</button></li>
        <li><a href={contrastAddress(item.id)}><Glyph name="compare" />Sockets and polling compared</a></li>
        <li><button type="button" class="danger" onClick={() => void remove()}><Glyph name="trash" />Delete</button></li>
      </Menu>
      {renaming.value && <Rename item={item} onClose={() => (renaming.value = false)} onDone={onChange} />}
    </li>
  )
}

function Online({ online, people }: { online: number; people: Present[] }) {
  if (online === 0) return <span class="online" />
  return (
    <span class="row online">
      <Avatars people={people} />
      <span class="chip good numbers">{online} online</span>
    </span>
  )
}

function Deleted({ item, onChange }: { item: DocumentDetails; onChange: () => void }) {
  const failed = useSignal('')
  const bringBack = () =>
    guarded(api.undelete(item.id)).then(onChange, (error: unknown) => (failed.value = error instanceof Problem ? error.message : String(error)))
  return (
    <li class="gone">
      <div class="name">
        <strong>{item.title || item.id}</strong>
        <span class="small muted">Deleted {ago(item.deleted_at ?? '')}</span>
        {failed.value && <span class="small" role="alert">Not brought back: {failed.value}</span>}
      </div>
      <span />
      <span />
      <span />
      <button class="button small" style={{ justifySelf: 'end' }} aria-label={`Bring back ${item.title || item.id}`} onClick={() => void bringBack()}>
        Bring back
      </button>
    </li>
  )
}

function Rename({ item, onClose, onDone }: { item: DocumentDetails; onClose: () => void; onDone: () => void }) {
  const title = useSignal(item.title ?? '')
  const failed = useSignal('')
  const save = async () => {
    try {
      await guarded(api.patch(item.id, { title: title.value.trim() || null }))
      onDone()
      onClose()
    } catch (error) {
      failed.value = error instanceof Problem ? error.message : String(error)
    }
  }
  return (
    <Dialog title="Rename" onClose={onClose} onSubmit={() => void save()}>
      <label class="field">
        <span>Title</span>
        <input class="input" value={title.value} placeholder={item.id} maxLength={200} autofocus onInput={(event) => (title.value = event.currentTarget.value)} />
      </label>
      <p class="small muted">The id, and with it every address, stays <code>{item.id}</code>.</p>
      {failed.value && <p class="notice bad" role="alert">{failed.value}</p>}
      <footer>
        <button type="button" class="button" onClick={onClose}>Cancel</button>
        <button class="button primary">Save</button>
      </footer>
    </Dialog>
  )
}
