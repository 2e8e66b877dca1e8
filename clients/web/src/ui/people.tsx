export interface Present {
  key: string | number
  name: string
  color: string
}

const SHOWN = 4
const SAFE_COLOR = /^#[0-9a-f]{6}$/i
const PLAIN_COLOR = '#5b6069'

/** What somebody said of themselves, made safe to show. */
export function presentOf(key: string | number, state: { user?: { name?: unknown; color?: unknown } } | undefined): Present {
  return { key, name: nameOf(state?.user?.name), color: colorOf(state?.user?.color) }
}

export function nameOf(name: unknown): string {
  return typeof name === 'string' && name.trim() ? name.trim().slice(0, 60) : 'Somebody'
}

/** Others choose their colours: anything but a plain one is not put into a style. */
export function colorOf(color: unknown): string {
  return typeof color === 'string' && SAFE_COLOR.test(color) ? color : PLAIN_COLOR
}

export function Avatar({ name, color }: { name: string; color: string }) {
  const initials = name.split(/\s+/).slice(0, 2).map((word) => [...word][0] ?? '').join('').toUpperCase()
  // By the style sheet: it is a picture of a name, and the name stands beside it for those who listen.
  return <span class="avatar" data-initials={initials} style={{ backgroundColor: color }} aria-hidden="true" />
}

export function Avatars({ people }: { people: Present[] }) {
  if (people.length === 0) return null
  const names = people.map(({ name }) => name).join(', ')
  return (
    <span class="avatars" role="img" aria-label={`Here: ${names}`} title={names}>
      {people.slice(0, SHOWN).map(({ key, name, color }) => (
        <Avatar key={key} name={name} color={color} />
      ))}
      {people.length > SHOWN && <Avatar name={`+${people.length - SHOWN}`} color={PLAIN_COLOR} />}
    </span>
  )
}
