/** What changed between two texts, by paragraphs and, in those that changed, by words. */
export type Kind = 'same' | 'added' | 'removed'
export interface Piece {
  kind: Kind
  text: string
}
export interface Block {
  kind: Kind | 'changed'
  pieces: Piece[]
}

const CELLS_MAX = 4_000_000 // beyond this the middle counts as replaced: the table would take too long

/** Longest common subsequence: pairs of equal items, in order. */
function common(a: readonly string[], b: readonly string[]): [number, number][] {
  let start = 0
  while (start < a.length && start < b.length && a[start] === b[start]) start++
  let enda = a.length
  let endb = b.length
  while (enda > start && endb > start && a[enda - 1] === b[endb - 1]) enda--, endb--
  const head = Array.from({ length: start }, (_, at): [number, number] => [at, at])
  const tail = Array.from({ length: a.length - enda }, (_, at): [number, number] => [enda + at, endb + at])
  const [rows, columns] = [enda - start, endb - start]
  if (rows * columns > CELLS_MAX) return [...head, ...tail]
  const width = columns + 1
  const best = new Uint32Array((rows + 1) * width)
  for (let row = rows - 1; row >= 0; row--)
    for (let column = columns - 1; column >= 0; column--)
      best[row * width + column] =
        a[start + row] === b[start + column]
          ? best[(row + 1) * width + column + 1]! + 1
          : Math.max(best[(row + 1) * width + column]!, best[row * width + column + 1]!)
  const middle: [number, number][] = []
  for (let row = 0, column = 0; row < rows && column < columns; ) {
    if (a[start + row] === b[start + column]) middle.push([start + row++, start + column++])
    else if (best[(row + 1) * width + column]! >= best[row * width + column + 1]!) row++
    else column++
  }
  return [...head, ...middle, ...tail]
}

/** Runs of items that were taken out and put in, between those that stayed. */
function* runs(a: readonly string[], b: readonly string[]): Generator<{ out: string[]; in: string[]; stays?: string }> {
  let [left, right] = [0, 0]
  for (const [x, y] of [...common(a, b), [a.length, b.length] as [number, number]]) {
    yield { out: a.slice(left, x), in: b.slice(right, y), ...(x < a.length ? { stays: a[x]! } : {}) }
    ;[left, right] = [x + 1, y + 1]
  }
}

const words = (text: string): string[] => text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? []

function pieces(before: string, after: string): Piece[] {
  const made: Piece[] = []
  const add = (kind: Kind, text: string) => {
    const last = made[made.length - 1]
    if (!text) return
    if (last?.kind === kind) last.text += text
    else made.push({ kind, text })
  }
  for (const run of runs(words(before), words(after))) {
    add('removed', run.out.join(''))
    add('added', run.in.join(''))
    add('same', run.stays ?? '')
  }
  return made
}

export function compare(before: readonly string[], after: readonly string[]): Block[] {
  const made: Block[] = []
  for (const run of runs(before, after)) {
    const paired = Math.min(run.out.length, run.in.length)
    for (let at = 0; at < paired; at++) made.push({ kind: 'changed', pieces: pieces(run.out[at]!, run.in[at]!) })
    for (const text of run.out.slice(paired)) made.push({ kind: 'removed', pieces: [{ kind: 'removed', text }] })
    for (const text of run.in.slice(paired)) made.push({ kind: 'added', pieces: [{ kind: 'added', text }] })
    if (run.stays !== undefined) made.push({ kind: 'same', pieces: [{ kind: 'same', text: run.stays }] })
  }
  return made
}
