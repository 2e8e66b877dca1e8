import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'

interface DialogProps {
  title: string
  onClose: () => void
  onSubmit?: () => void
  children: ComponentChildren
}

/** A modal of the browser's own: focus is kept inside, Escape closes, focus goes back to where it came from. */
export function Dialog({ title, onClose, onSubmit, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  const outside = useRef(false)
  const heading = useId()
  useEffect(() => {
    const opener = document.activeElement
    dialog.current?.showModal()
    // The browser gives focus back when a dialog is closed, but not when it is taken out of the page.
    return () => {
      if (opener instanceof HTMLElement && opener.isConnected) setTimeout(() => document.activeElement === document.body && opener.focus())
    }
  }, [])
  const submit = (event: Event) => {
    event.preventDefault()
    onSubmit?.()
  }
  return (
    <dialog
      ref={dialog}
      aria-labelledby={heading}
      onClose={onClose}
      // Only what begins and ends outside closes it: selecting text in a field may end there.
      onPointerDown={(event) => (outside.current = event.target === dialog.current)}
      onClick={(event) => event.target === dialog.current && outside.current && dialog.current?.close()}
    >
      <form onSubmit={submit}>
        <h2 id={heading}>{title}</h2>
        {children}
      </form>
    </dialog>
  )
}
