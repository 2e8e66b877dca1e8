import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { me, rename } from '../session'
import { Dialog } from './dialog'
import { Logo } from './glyphs'
import { Avatar } from './people'

/** The bar of every page but the editor's. */
export function Header({ here, children }: { here?: 'documents' | 'console'; children?: ComponentChildren }) {
  const link = (page: typeof here) => (page === here ? ('page' as const) : undefined)
  return (
    <header class="top">
      <div>
        <a class="brand" href="/" aria-label="collab, documents">
          <Logo />
          <span>collab</span>
        </a>
        <nav aria-label="Pages">
          <a href="/" aria-current={link('documents')}>Documents</a>
          <a href="/console" aria-current={link('console')}>Console</a>
          <a href="/docs">API</a>
        </nav>
        <div class="grow" />
        {children}
        <Myself />
      </div>
    </header>
  )
}

/** One's own name, as others see it. */
export function Myself() {
  const [open, setOpen] = useState(false)
  const [name, setName] = useState(me.value.name)
  const save = () => {
    if (name.trim()) rename(name.trim().slice(0, 60))
    setOpen(false)
  }
  return (
    <>
      <button type="button" class="button quiet icon" onClick={() => setOpen(true)} aria-label={`You are ${me.value.name}; change your name`} title={me.value.name}>
        <Avatar name={me.value.name} color={me.value.color} />
      </button>
      {open && (
        <Dialog title="Your name" onClose={() => setOpen(false)} onSubmit={save}>
          <label class="field">
            <span>Others see it at your cursor</span>
            <input class="input" value={name} maxLength={60} autofocus onInput={(event) => setName(event.currentTarget.value)} />
          </label>
          <footer>
            <button type="button" class="button" onClick={() => setOpen(false)}>Cancel</button>
            <button class="button primary">Save</button>
          </footer>
        </Dialog>
      )}
    </>
  )
}
