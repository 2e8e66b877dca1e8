import { signal } from '@preact/signals'

const KEPT_MS = 60_000
const QUANTILES_MS = 30_000
const SMOOTH = 4 // samples that a rate is taken over, so that a poll now and then is a level and not a comb

export type Sample = readonly [at: number, value: number]

/** What one way of following a document costs and how late it is. Bytes as HTTP/1.1 and WebSocket frames carry them. */
export class Meter {
  messages = 0
  bytesUp = 0
  bytesDown = 0
  connections = 0
  /** [when it was seen, milliseconds after it was typed]. */
  lags: Sample[] = []
  readonly bytesLine: Sample[] = []
  readonly lagLine: Sample[] = []
  readonly text = signal('')
  readonly trouble = signal('')
  #passed: Sample[] = []
  #sampledAt = 0

  sent(bytes: number): void {
    this.messages += 1
    this.bytesUp += bytes
  }

  got(bytes: number): void {
    this.bytesDown += bytes
  }

  /** A quantile of the last 30 seconds, in milliseconds. */
  lag(share: number, now: number): number | undefined {
    const sorted = this.lags.filter(([at]) => at > now - QUANTILES_MS).map(([, ms]) => ms).sort((a, b) => a - b)
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
  }

  /** Called a few times a second: what the plots show. */
  sample(now: number): void {
    const recent = this.lags.filter(([at]) => at > Math.max(this.#sampledAt, now - 5000)).map(([, ms]) => ms)
    const bytes = this.bytesUp + this.bytesDown
    if (recent.length) this.lagLine.push([now, recent.reduce((sum, ms) => sum + ms, 0) / recent.length])
    this.#passed.push([now, bytes])
    if (this.#passed.length > SMOOTH) this.#passed.shift()
    const [first] = this.#passed
    if (now > first![0]) this.bytesLine.push([now, ((bytes - first![1]) * 1000) / (now - first![0])])
    this.#sampledAt = now
    for (const line of [this.lags, this.lagLine, this.bytesLine]) while (line.length && line[0]![0] < now - KEPT_MS) line.shift()
  }

  /** Forgets what was counted: the settings have changed. The lines go on. */
  reset(): void {
    this.messages = this.bytesUp = this.bytesDown = 0
    this.#passed = []
    this.lags = []
  }
}
