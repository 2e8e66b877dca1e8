/** How long to wait before the next try: doubling, capped, and jittered so that a restart brings no stampede. */
export class Backoff {
  #failures = 0

  constructor(
    readonly baseMs = 250,
    readonly maxMs = 15_000,
    readonly random: () => number = Math.random,
  ) {}

  /** Milliseconds to wait; `atLeastMs` for a server that said it is overloaded or going down. */
  next(atLeastMs = 0): number {
    const span = Math.min(this.maxMs, this.baseMs * 2 ** Math.min(this.#failures++, 16))
    return atLeastMs + span * (0.5 + this.random() / 2)
  }

  /** A connection was good. */
  reset(): void {
    this.#failures = 0
  }

  get failures(): number {
    return this.#failures
  }
}
