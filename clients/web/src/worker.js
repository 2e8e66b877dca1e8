/**
 * The pages while the server is away: the page itself and what was built for it, never what the API answers. Documents
 * are in IndexedDB, where the editor keeps its copies.
 *
 * A page is asked of the server first, so an update of the server is seen at once; files are taken from here, since
 * their names hold a hash of their content. A new worker waits until the last tab of the old one is closed, then throws
 * the old files away: no tab ever loses what it may still want to load.
 */
const FILES = __FILES__
const CACHE = 'collab-pages-__VERSION__'
const PAGES = /^\/($|console$|d\/|contrast\/)/
const PATIENCE_MS = 5000 // a network that hangs is as good as none

addEventListener('install', (event) => event.waitUntil(keep()))
addEventListener('activate', (event) => event.waitUntil(tidy()))
addEventListener('fetch', (event) => {
  const { origin, pathname } = new URL(event.request.url)
  if (event.request.method !== 'GET' || origin !== location.origin) return
  if (event.request.mode === 'navigate') {
    if (PAGES.test(pathname)) event.respondWith(page(event.request))
  } else if (FILES.includes(pathname)) event.respondWith(file(event.request))
})

async function keep() {
  const cache = await caches.open(CACHE)
  await cache.addAll([new Request('/', { cache: 'reload' }), ...FILES])
}

async function tidy() {
  const old = (await caches.keys()).filter((name) => name.startsWith('collab-pages-') && name !== CACHE)
  await Promise.all(old.map((name) => caches.delete(name)))
}

async function page(request) {
  const kept = await caches.match('/', { cacheName: CACHE })
  const asked = fetch(request)
  if (!kept) return asked
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS))
  const answer = await Promise.race([asked, late]).catch(() => undefined)
  // A proxy's 502 is not ours: whatever this server answers carries its policy.
  return answer === undefined || (answer.status >= 500 && !answer.headers.has('content-security-policy')) ? kept : answer
}

// Their names say what is in them: who asks (`Vary: Origin`, of CORS) makes no difference.
async function file(request) {
  return (await caches.match(request, { cacheName: CACHE, ignoreVary: true })) ?? fetch(request)
}
