import { useSignal } from '@preact/signals'
import { Problem } from 'collab-client'
import { useEffect, useRef } from 'preact/hooks'
import { api, guarded } from '../session'

/** The document's title, to be changed in place; its id stands for it until it has one. */
export function Title({ id, canWrite }: { id: string; canWrite: boolean }) {
  const title = useSignal('')
  const failed = useSignal('')
  const touched = useRef(false) // a title that comes late must not take the place of what is being typed
  useEffect(() => {
    void api.get(id).then((details) => touched.current || (title.value = details.title ?? ''), () => {})
  }, [id])
  useEffect(() => {
    document.title = `${title.value || id} · collab`
  }, [title.value])
  const save = async (text: string) => {
    if (text === title.value) return
    title.value = text
    try {
      await guarded(api.patch(id, { title: text || null })).catch((error: unknown) => {
        if (!(error instanceof Problem && error.status === 404)) throw error
        return api.create({ id, title: text }) // nobody has written to it yet
      })
      failed.value = ''
    } catch (error) {
      failed.value = error instanceof Problem ? error.message : String(error)
    }
  }
  return (
    <div class="title">
      <input
        aria-label="Title"
        placeholder={id}
        value={title.value}
        readOnly={!canWrite}
        maxLength={200}
        onInput={() => (touched.current = true)}
        onBlur={(event) => void save(event.currentTarget.value.trim())}
        onKeyDown={(event) => event.key === 'Enter' && event.currentTarget.blur()}
      />
      {failed.value && <span class="small" role="alert">Title not saved: {failed.value}</span>}
    </div>
  )
}
