import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { Glyph, type GlyphName } from './glyphs'

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
  const items = () => [...(root.current?.querySelectorAll<HTMLElement>('ul button, ul a') ?? [])]
  useEffect(() => {
    if (!open) return
    items()[0]?.focus()
    const outside = (event: PointerEvent) => root.current?.contains(event.target as Node) || setOpen(false)
    document.addEventListener('pointerdown', outside)
    return () => document.removeEventListener('pointerdown', outside)
  }, [open])
  const onKey = (event: KeyboardEvent) => {
    if (!open) return
    if (event.key === 'Escape') {
      setOpen(false)
      root.current?.querySelector('button')?.focus()
    } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault()
      const all = items()
      const next = all.indexOf(document.activeElement as HTMLElement) + (event.key === 'ArrowDown' ? 1 : -1)
      all[(next + all.length) % all.length]?.focus()
    }
  }
  return (
    <div class="menu" ref={root} onKeyDown={onKey}>
      <button
        type="button"
        class={`button quiet ${text ? '' : 'icon'} ${small ? 'small' : ''}`}
        aria-label={label}
        title={label}
        aria-expanded={open}
        aria-haspopup="true"
        onClick={() => setOpen(!open)}
      >
        <Glyph name={glyph} />
        {text && <span class="wide">{text}</span>}
      </button>
      {open && <ul onClick={() => setOpen(false)}>{children}</ul>}
    </div>
  )
}
