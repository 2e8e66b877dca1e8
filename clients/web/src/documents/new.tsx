import { useSignal } from '@preact/signals'
import { Problem } from 'collab-client'
import { editorAddress } from '../address'
import { api, guarded } from '../session'
import { Dialog } from '../ui/dialog'

/** A readable id from a title: letters and digits of any script, dashes between. */
export function slug(title: string): string {
  return title.normalize('NFC').toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-+|-+$/g, '').slice(0, 80)
}

export function NewDocument({ prefix, onClose }: { prefix: string; onClose: () => void }) {
  const title = useSignal('')
  const id = useSignal<string | undefined>(undefined) // until somebody types one it follows the title
  const failed = useSignal('')
  const busy = useSignal(false)
  const shown = id.value ?? (title.value ? prefix + slug(title.value) : '')
  const create = async () => {
    busy.value = true
    try {
      const made = await guarded(api.create({ title: title.value.trim() || undefined, id: shown || undefined }))
      location.href = editorAddress(made.id)
    } catch (error) {
      busy.value = false
      failed.value = error instanceof Problem && error.status === 409 ? `There is a document “${shown}” already.` : String((error as Error).message)
    }
  }
  return (
    <Dialog title="New document" onClose={onClose} onSubmit={() => void create()}>
      <label class="field">
        <span>Title</span>
        <input class="input" value={title.value} placeholder="Untitled" maxLength={200} autofocus onInput={(event) => (title.value = event.currentTarget.value)} />
      </label>
      <label class="field">
        <span>Id</span>
        <input class="input mono" value={shown} placeholder="chosen for you" maxLength={200} onInput={(event) => (id.value = event.currentTarget.value)} />
        <span class="small muted">Its address. Slashes make folders that can be searched by their beginning: <code>team/minutes</code></span>
      </label>
      {failed.value && <p class="notice bad" role="alert">{failed.value}</p>}
      <footer>
        <button type="button" class="button" onClick={onClose}>Cancel</button>
        <button class="button primary" disabled={busy.value}>Create</button>
      </footer>
    </Dialog>
  )
}
