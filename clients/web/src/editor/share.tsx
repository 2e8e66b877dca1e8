import { useSignal } from '@preact/signals'
import { Problem } from 'collab-client'
import { useEffect, useRef } from 'preact/hooks'
import { editorAddress } from '../address'
import { api, guarded, key } from '../session'
import { Dialog } from '../ui/dialog'

const DAY_S = 86_400

/**
 * A link for somebody else. Opening it mints a ticket for the chosen access: on an open server by the `access` in it,
 * else by a key for this document only, which travels in the fragment, so no server log or referrer holds it.
 */
export function Share({ id, onClose }: { id: string; onClose: () => void }) {
  const open = useSignal<boolean | undefined>(undefined)
  const access = useSignal<'read' | 'write'>('read')
  const days = useSignal(7)
  const link = useSignal('')
  const failed = useSignal('')
  const copied = useSignal(false)
  useEffect(() => {
    api.ready().then((ready) => (open.value = ready.open), () => (open.value = false))
  }, [])
  const make = async () => {
    copied.value = false
    try {
      link.value = await (open.value ? openLink(id, access.value) : keyLink(id, access.value, days.value))
      failed.value = ''
    } catch (error) {
      failed.value = error instanceof Problem && error.status === 403 ? 'Making links needs an admin’s key.' : String((error as Error).message)
    }
  }
  const shown = useRef<HTMLInputElement>(null)
  const copy = async () => {
    shown.current?.select()
    // Browsers keep their clipboard from pages on plain http; the old command still works there.
    copied.value = await (navigator.clipboard?.writeText(link.value).then(() => true) ?? Promise.reject()).catch(() => document.execCommand('copy'))
  }
  return (
    <Dialog title="Share this document" onClose={onClose} onSubmit={() => void make()}>
      <fieldset class="choices">
        <legend>Whoever has the link</legend>
        {(['read', 'write'] as const).map((level) => (
          <label key={level}>
            <input type="radio" name="access" checked={access.value === level} onChange={() => ((access.value = level), (link.value = ''))} />
            {level === 'read' ? 'can read and follow live' : 'can edit'}
          </label>
        ))}
      </fieldset>
      {open.value === false && (
        <label class="field">
          <span>Valid for</span>
          <select class="input" value={days.value} onChange={(event) => ((days.value = Number(event.currentTarget.value)), (link.value = ''))}>
            {[1, 7, 30].map((value) => <option key={value} value={value}>{value === 1 ? 'a day' : `${value} days`}</option>)}
          </select>
        </label>
      )}
      {open.value && <p class="small muted">This server is open: everybody who can reach it may edit anyway. The link decides what its page asks for.</p>}
      {failed.value && <p class="notice bad" role="alert">{failed.value}</p>}
      {link.value && (
        <div class="row">
          <input class="input mono" ref={shown} readOnly aria-label="Link" value={link.value} onFocus={(event) => event.currentTarget.select()} />
          <button type="button" class="button" onClick={() => void copy()}>{copied.value ? 'Copied' : 'Copy'}</button>
        </div>
      )}
      <footer>
        <button type="button" class="button" onClick={onClose}>Close</button>
        <button class="button primary" disabled={open.value === undefined}>Make link</button>
      </footer>
    </Dialog>
  )
}

async function openLink(id: string, access: 'read' | 'write'): Promise<string> {
  return `${location.origin}${editorAddress(id)}?access=${access}`
}

async function keyLink(id: string, access: 'read' | 'write', days: number): Promise<string> {
  if (id.includes('*')) throw new Error('In a key * stands for any text, so this document cannot be shared alone.')
  if (!key()) throw new Error('Making links needs an admin’s key.')
  const made = await guarded(
    api.createKey({
      name: `link to ${id}`.slice(0, 100),
      scopes: [`documents:${access}`, 'tickets:create'],
      documents: [id],
      expires_in_s: days * DAY_S,
    }),
  )
  return `${location.origin}${editorAddress(id)}?access=${access}#key=${made.key}`
}
