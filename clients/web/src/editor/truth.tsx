import { useEffect, useState } from 'preact/hooks'
import type { LiveDocument } from './live'

const SETTLED_MS = 1500

/** What is true of the connection and of what was typed; nothing here is a guess. */
export function Truth({ live }: { live: LiveDocument }) {
  return (
    <div class="truth">
      <Connection live={live} />
      <Saved live={live} />
      <Told live={live} />
    </div>
  )
}

/** For who listens: what has become of the edits, once it has settled. Told at every key it would drown the typing. */
function Told({ live }: { live: LiveDocument }) {
  const [told, tell] = useState('')
  const now =
    live.access.value !== 'write' ? 'Read-only'
    : live.saved.value ? 'Saved'
    : live.unsaved.value > 0 ? 'Edits are not saved yet'
    : ''
  useEffect(() => {
    const timer = setTimeout(() => tell(now), SETTLED_MS)
    return () => clearTimeout(timer)
  }, [now])
  return <span class="hidden-visually" role="status" data-told>{told}</span>
}

function Connection({ live }: { live: LiveDocument }) {
  const [kind, text, more] = {
    connecting: ['warn busy', 'Connecting', 'On the way to the server'],
    live: ['good', 'Live', 'Others see every key at once'],
    offline: ['warn', 'Offline', live.kept.value ? 'Edits are kept on this device and merged when the server is back' : 'Edits are in this tab only'],
    ended: ['bad', 'Ended', live.ending.value?.reason ?? ''],
  }[live.status.value] as [string, string, string]
  return (
    <span class={`chip ${kind}`} role="status" aria-label={`Connection: ${text}`} data-status={live.status.value} title={more}>
      {text}
    </span>
  )
}

/** "Saved" only ever comes from the server, after its disk has it. */
function Saved({ live }: { live: LiveDocument }) {
  const unsaved = live.unsaved.value
  if (live.access.value !== 'write') return <span class="chip plain" data-saved="read-only">Read-only</span>
  if (live.saved.value) {
    return <span class="chip plain good" data-saved="yes" title="Everything you typed is on the server’s disk">Saved</span>
  }
  if (unsaved === 0) {
    return <span class="chip plain" data-saved="unknown" title="The server has not confirmed this copy yet">Not confirmed yet</span>
  }
  const text = `${unsaved} ${unsaved === 1 ? 'edit' : 'edits'} unsaved`
  return <span class="chip plain warn numbers" data-saved="no" data-unsaved={unsaved} title="Not on the server’s disk yet">{text}</span>
}

/** What needs more than a word. */
export function Trouble({ live }: { live: LiveDocument }) {
  const ending = live.ending.value
  if (ending) return <Ended live={live} code={ending.code} reason={ending.reason} />
  if (live.denied.value) {
    return (
      <div class="notice warn" role="alert">
        <p>The server did not take your last change: {live.denied.value}. What you see may not be what others see; reload to see the document as it is.</p>
        <button class="button small" onClick={() => location.reload()}>Reload</button>
      </div>
    )
  }
  if (live.status.value === 'offline' && live.ready.value) {
    return (
      <div class="notice warn" role="status">
        <p>{live.kept.value
          ? 'You are offline. You can go on writing: your edits are kept on this device and merged when the server is back.'
          : 'You are offline, and this browser keeps no copies. Leave this tab open until the server is back: your edits are only here.'}</p>
      </div>
    )
  }
  return null
}

const PURGED = 4411

function Ended({ live, code, reason }: { live: LiveDocument; code: number; reason: string }) {
  const text = TEXTS[code] ?? `The connection has ended: ${reason || `code ${code}`}.`
  return (
    <div class="notice bad" role="alert" data-ended={code}>
      <p>{text}</p>
      {code === PURGED ? (
        <button class="button small" onClick={() => void live.forget().then(() => location.reload())}>Throw my copy away</button>
      ) : (
        <button class="button small" onClick={() => live.reconnect()}>Try again</button>
      )}
    </div>
  )
}

const TEXTS: Record<number, string> = {
  4401: 'Your permission for this document has ended. What you typed since then was not saved on the server.',
  4403: 'You may not open this document with this key.',
  4404: 'There is no such document here, or not for you.',
  4409: 'This copy is open in another tab that was cloned from this one. Reload to go on here.',
  4410: 'This document was deleted. Bring it back from the list of documents, then try again.',
  4411: 'This copy belongs to a document that was erased for good.',
}
