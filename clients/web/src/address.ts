export type PageName = 'documents' | 'editor' | 'contrast' | 'console'

/** Which page an address shows, and of which document. */
export function addressOf({ pathname }: { pathname: string }): { page: PageName; document: string } {
  for (const [prefix, page] of [['/d/', 'editor'], ['/contrast/', 'contrast']] as const) {
    if (pathname.startsWith(prefix)) return { page, document: decodeURIComponent(pathname.slice(prefix.length)) }
  }
  return { page: pathname === '/console' ? 'console' : 'documents', document: '' }
}

export const editorAddress = (id: string) => `/d/${encodeURIComponent(id)}`
export const contrastAddress = (id: string) => `/contrast/${encodeURIComponent(id)}`
