import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { Glyph, type GlyphName } from './glyphs'

const STEPS: Record<string, (at: number, count: number) => number> = {
  ArrowDown: (at) => at + 1,
  ArrowUp: (at) => at - 1,
  Home: () => 0,
  End: (_, count) => count - 1,
}

interface MenuProps {
  label: string
  glyph: GlyphName
  text?: string
  small?: boolean
  children: ComponentChildren
}

/** A button that opens a list of buttons and links; arrows move, Escape and a choice close. */
export function Menu({ label, glyph, text, small, children }: MenuProps) {
  const [open, setOpen] = useState(false)
  const root = useRef<HTMLDivElement>(null)
  const items = () => [...(root.current?.querySelectorAll<HTMLElement>(':scope > ul :is(button, a)') ?? [])]
  useEffect(() => {
    if (!open) return
    items()[0]?.focus()
    const outside = (event: PointerEvent) => root.current?.contains(event.target as Node) || setOpen(false)
    document.addEventListener('pointerdown', outside)
    return () => document.removeEventListener('pointerdown', outside)
  }, [open])
  const trigger = () => root.current?.querySelector('button')?.focus()
  const onKey = (event: KeyboardEvent) => {
    if (!open) {
      if (event.key === 'ArrowDown') event.preventDefault(), setOpen(true)
      return
    }
    if (event.key === 'Escape') {
      setOpen(false)
      trigger()
    } else if (event.key in STEPS) {
      event.preventDefault()
      const all = items()
      const next = STEPS[event.key]!(all.indexOf(document.activeElement as HTMLElement), all.length)
      all[(next + all.length) % all.length]?.focus()
    }
  }
  const onLeave = (event: FocusEvent) => event.relatedTarget && !root.current?.contains(event.relatedTarget as Node) && setOpen(false)
  return (
    <div class="menu" ref={root} onKeyDown={onKey} onFocusOut={onLeave}>
      <button
        type="button"
        class={`button quiet ${text ? '' : 'icon'} ${small ? 'small' : ''}`}
        aria-label={label}
        title={label}
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        <Glyph name={glyph} />
        {text && <span class="wide">{text}</span>}
      </button>
      {/* Focus goes back first: a dialog that the choice opens then gives it back to this button. */}
      {open && <ul onClickCapture={trigger} onClick={() => setOpen(false)}>{children}</ul>}
    </div>
  )
}
