import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineConfig, type Plugin } from 'vite'

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** Writes `worker.js`: src/worker.js with the names of all that was built, and a version that changes with any of it. */
function worker(): Plugin {
  return {
    name: 'worker',
    apply: 'build',
    writeBundle({ dir }, bundle) {
      const files = ['/favicon.svg', ...Object.keys(bundle).filter((name) => name.startsWith('assets/')).map((name) => `/${name}`)].sort()
      const version = createHash('sha256').update(JSON.stringify(files)).update(readFileSync(join(dir!, 'index.html'))).digest('hex')
      const source = readFileSync(at('src/worker.js'), 'utf8')
      writeFileSync(join(dir!, 'worker.js'), source.replace('__FILES__', JSON.stringify(files)).replace('__VERSION__', version.slice(0, 12)))
    },
  }
}

export default defineConfig({
  root: at('.'),
  plugins: [worker()],
  resolve: {
    alias: { 'collab-client': at('../js/src/index.ts') },
    dedupe: ['yjs', 'y-protocols', 'lib0'],
  },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: at('../../collab/web/static'),
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0, // the Content-Security-Policy takes nothing inline
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 800,
  },
  // `npm run dev` against a server started with COLLAB_ORIGINS=http://localhost:5173
  server: { proxy: { '/api': 'http://127.0.0.1:8000', '/readyz': 'http://127.0.0.1:8000', '/sync': { target: 'ws://127.0.0.1:8000', ws: true } } },
})
