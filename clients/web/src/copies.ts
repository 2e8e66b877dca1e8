/** Copies of documents that this browser keeps in IndexedDB, a database each. */
const PREFIX = 'collab:'

export const copyName = (id: string): string => `${PREFIX}${id}`

/** Ids of the documents that there are copies of, in order. */
export async function copies(): Promise<string[]> {
  const found = await indexedDB.databases()
  return found.flatMap(({ name }) => (name?.startsWith(PREFIX) ? [name.slice(PREFIX.length)] : [])).sort()
}
