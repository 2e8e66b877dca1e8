// The built package as a program in plain Node has it: `node built.mjs DIST URL`.
const [dist, url] = process.argv.slice(2)
const { CollabProvider, DocumentsApi } = await import(`${dist}/index.js`)
const { Doc } = await import('yjs')

const document = `built/${Math.random().toString(36).slice(2)}`
const doc = new Doc()
const provider = new CollabProvider({ url: `${url.replace('http', 'ws')}/sync`, document, doc })
doc.getText('text').insert(0, 'from plain Node')
await provider.whenSaved()
console.log(await new DocumentsApi({ url }).content(document, { root: 'text', format: 'text' }))
provider.destroy() // and nothing is left that keeps the program from ending
