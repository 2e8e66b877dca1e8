/** A refusal of the server (RFC 9457), or of the network (`status` 0). */
export class Problem extends Error {
  constructor(
    readonly status: number,
    /** Stable, e.g. `not_found`. */
    readonly code: string,
    detail: string,
    /** The same request may succeed later. */
    readonly mayRetry: boolean,
    options?: ErrorOptions,
  ) {
    super(detail, options)
    this.name = 'Problem'
  }

  static async of(response: Response): Promise<Problem> {
    const said = (await response.json().catch(() => ({}))) as { code?: string; detail?: string; may_retry?: boolean }
    const { status } = response
    return new Problem(
      status,
      said.code ?? 'http',
      said.detail ?? `the server answered ${status} ${response.statusText}`.trim(),
      said.may_retry ?? (status === 429 || status >= 500),
    )
  }
}
