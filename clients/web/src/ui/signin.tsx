import { useState } from 'preact/hooks'
import { key as given, locked, signIn } from '../session'
import { Header } from './header'

/** Shown when the server needs a key. */
export function SignIn({ why, here }: { why?: string; here?: 'documents' | 'console' }) {
  const [key, setKey] = useState('')
  const submit = (event: Event) => {
    event.preventDefault()
    signIn(key.trim())
    location.reload()
  }
  return (
    <>
      <Header here={here} />
      <main class="page">
        <form class="card empty" onSubmit={submit}>
          <h1>This server needs a key</h1>
          <p>{why ?? 'Enter an API key or a token. It stays in this tab and is forgotten when you close it.'}</p>
          {given() && locked.value && <p class="notice bad" role="alert">The key that you gave was not accepted. It may be mistyped, expired or revoked.</p>}
          <label class="field" style={{ width: 'min(24rem, 100%)', textAlign: 'left' }}>
            <span>API key or token</span>
            <input class="input mono" type="password" autocomplete="off" required autofocus value={key} onInput={(event) => setKey(event.currentTarget.value)} />
          </label>
          <div class="row">
            <button class="button primary">Continue</button>
          </div>
          <p class="small">
            Operators make one with <code>collab keys create</code>.
          </p>
        </form>
      </main>
    </>
  )
}
