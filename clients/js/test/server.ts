/** The real server that the tests talk to; `uv run pytest tests/web` starts one. */
import { Backoff, CollabProvider, DocumentsApi, type ProviderOptions } from '../src/index'
import * as Y from 'yjs'

const url = process.env['COLLAB_URL'] ?? 'http://127.0.0.1:8000'

export const api = new DocumentsApi({ url })
export const sockets = `${url.replace('http', 'ws')}/sync`
export const fresh = (name: string): string => `${name}/${Math.random().toString(36).slice(2)}`

const open: CollabProvider[] = []

export function connect(document: string, options: Partial<ProviderOptions> = {}): CollabProvider {
  const provider = new CollabProvider({ url: sockets, document, doc: new Y.Doc(), tabs: false, backoff: new Backoff(20, 200), ...options })
  open.push(provider)
  return provider
}

export function hangUp(): void {
  for (const provider of open.splice(0)) provider.destroy()
}

/** Resolves when it holds; the test's own timeout is the limit. */
export async function until(holds: () => unknown): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5))
}

export const textOf = (provider: CollabProvider): Y.Text => provider.doc.getText('text')
