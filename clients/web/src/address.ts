export type PageName = 'documents' | 'editor' | 'contrast' | 'console'

/** Which page an address shows, and of which document. */
export function addressOf({ pathname }: { pathname: string }): { page: PageName; document: string } {
  for (const [prefix, page] of [['/d/', 'editor'], ['/contrast/', 'contrast']] as const) {
    if (pathname.startsWith(prefix) && pathname !== prefix) return { page, document: decoded(pathname.slice(prefix.length)) }
  }
  return { page: pathname === '/console' ? 'console' : 'documents', document: '' }
}

/** What somebody typed with a bare % is taken as it stands. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

export const editorAddress = (id: string) => `/d/${encodeURIComponent(id)}`
export const contrastAddress = (id: string) => `/contrast/${encodeURIComponent(id)}`
