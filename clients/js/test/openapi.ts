import { readFile } from 'node:fs/promises'
import { api } from './server'

const PARTS: Record<string, string> = { id: '{document}', snapshot: '{snapshot}' }

/** "METHOD path" of every call in documents.ts, and of every call that the server describes. */
export async function addressesOf(): Promise<{ used: string[]; served: string[] }> {
  const source = await readFile(new URL('../src/documents.ts', import.meta.url), 'utf8')
  const used = [...source.matchAll(/'(GET|POST|PUT|PATCH|DELETE)', (at\(([^)]*)\)|'([^']+)')/g)].map(([, method, , parts, path]) => {
    const named = parts?.split(', ').map((part) => (part.startsWith("'") ? part.slice(1, -1) : PARTS[part]))
    return `${method} ${path ?? ['/api/documents', ...named!].join('/')}`
  })
  const { paths } = (await (await api.request('GET', '/api/openapi.json')).json()) as { paths: Record<string, object> }
  const served = Object.entries(paths).flatMap(([path, calls]) => Object.keys(calls).map((method) => `${method.toUpperCase()} ${path}`))
  return { used, served }
}
