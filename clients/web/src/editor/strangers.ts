import type { Awareness } from 'y-protocols/awareness'

interface Shown {
  user?: unknown
  cursor?: unknown
}

/**
 * What others show of themselves is theirs to write, and the cursor plugin throws at what is none: then nothing that
 * they type is seen here any more. So it is taken out before the plugin looks; called before the editor is made.
 */
export function tame(awareness: Awareness): void {
  awareness.on('change', ({ added, updated }: Record<'added' | 'updated', number[]>) => {
    for (const id of [...added, ...updated]) {
      const state = awareness.getStates().get(id) as Shown | undefined
      if (id === awareness.clientID || !state) continue
      if (!isObject(state.user)) delete state.user
      if (!isCursor(state.cursor)) delete state.cursor
    }
  })
}

function isCursor(cursor: unknown): boolean {
  return isObject(cursor) && isPosition(cursor['anchor']) && isPosition(cursor['head'])
}

/** A relative position as Yjs writes it: in a type, at an item, or in a root; each by its name. */
function isPosition(position: unknown): boolean {
  if (!isObject(position)) return false
  const { type, item, tname, assoc } = position
  const places = [type, item].filter((id) => id !== undefined && id !== null)
  const named = tname === undefined || tname === null || typeof tname === 'string'
  return named && places.every(isId) && (places.length > 0 || typeof tname === 'string') && (assoc === undefined || Number.isSafeInteger(assoc))
}

function isId(id: unknown): boolean {
  return isObject(id) && [id['client'], id['clock']].every((value) => Number.isSafeInteger(value) && (value as number) >= 0)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
