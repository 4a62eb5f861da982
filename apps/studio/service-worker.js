// Keeps the page's files in the browser, so that it opens without a network. The build puts the list of files in front.
// FILES: addresses of all files, relative to this one. VERSION: a digest of their contents.

// With these headers the page may share memory between threads, also on hosts that do not send them.
const ISOLATION = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
}
const PREFIX = 'embed-kd-studio '
const CACHE = PREFIX + VERSION

async function fill() {
  const cache = await caches.open(CACHE)
  await Promise.all(
    FILES.map(async (file) => {
      const response = await fetch(file, { cache: 'no-cache' })
      if (!response.ok) throw new Error(`${file} is answered with status ${response.status}`)
      await cache.put(file, await isolated(response))
    }),
  )
}

async function isolated(response) {
  const headers = new Headers(response.headers)
  for (const [name, value] of Object.entries(ISOLATION)) headers.set(name, value)
  const { status, statusText } = response
  return new Response(await response.blob(), { status, statusText, headers })
}

async function dropOthers() {
  for (const name of await caches.keys())
    if (name.startsWith(PREFIX) && name !== CACHE) await caches.delete(name)
}

// Answers from the network for the page itself, if there is a network, so that the page is never older than its server's. All other
// files have names that change with their contents, except those of MNIST, whose contents do not change.
async function answer(request) {
  // Hosts name headers in Vary that a page's own files do not depend on.
  const kept = () =>
    caches.match(request, { cacheName: CACHE, ignoreSearch: true, ignoreVary: true })
  if (request.mode !== 'navigate') return (await kept()) ?? fetch(request)
  const response = await fetch(request).catch(() => undefined)
  if (response?.ok) return isolated(response)
  return (await kept()) ?? response ?? Response.error()
}

addEventListener('install', (event) => event.waitUntil(fill()))
addEventListener('activate', (event) => event.waitUntil(dropOthers()))
addEventListener('fetch', (event) => {
  const { method, url } = event.request
  if (method === 'GET' && new URL(url).origin === location.origin)
    event.respondWith(answer(event.request))
})
