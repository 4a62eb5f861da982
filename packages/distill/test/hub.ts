// A part of the Hugging Face Hub on the loopback interface: the requests that downloading the repository us/tiny makes.
import { createHash } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export const commit = 'c'.repeat(40)
export const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
export const gitDigest = (bytes: Uint8Array) =>
  createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')

/** The repository, and how the hub behaves. */
export interface Hub {
  readonly files: Map<string, Uint8Array>
  /** Ranges asked of the weights. */
  readonly ranges: string[]
  requests: number
  /** Headers of the latest request that had some. */
  authorization?: string | undefined
  /** A digest that the hub makes up. */
  digest?: string
  /** Answers of 503 before the next one. */
  busy: number
  /** Bytes after which the connection of the weights breaks. */
  breakAfter: number
}

/** Returns a hub that behaves well. */
export const newHub = (files: Hub['files']): Hub => ({
  files,
  ranges: [],
  requests: 0,
  busy: 0,
  breakAfter: Infinity,
})

/** Starts a hub; its address goes into HF_ENDPOINT. */
export async function startHub(hub: Hub): Promise<{ server: Server; address: string }> {
  const server = serve(hub)
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return { server, address: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

export async function stopHub(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise((closed) => server.close(closed))
}

function serve(hub: Hub): Server {
  const entry = (path: string) => {
    const bytes = hub.files.get(path)!
    const lfs = { oid: sha256(bytes), size: bytes.length, pointerSize: 130 }
    const rest = /\.(safetensors|onnx|onnx_data)$/.test(path) ? { lfs } : {}
    return { type: 'file', path, size: bytes.length, oid: hub.digest ?? gitDigest(bytes), ...rest }
  }
  return createServer((request, response) => {
    hub.requests++
    hub.authorization = request.headers.authorization
    if (hub.busy-- > 0) {
      response.writeHead(503, { 'retry-after': '0' })
      return response.end()
    }
    const url = decodeURI(request.url!)
    const json = (value: unknown) => {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify(value))
    }
    if (url.startsWith('/api/models/us/tiny/revision/'))
      return json({ _id: '1', id: 'us/tiny', sha: commit, tags: [] })
    if (url.startsWith(`/api/models/us/tiny/tree/${commit}`))
      return json([...hub.files.keys()].map(entry))
    if (url.startsWith('/api/models/us/tiny/paths-info/')) {
      let body = ''
      request.on('data', (chunk) => (body += chunk))
      request.on('end', () => json((JSON.parse(body) as { paths: string[] }).paths.map(entry)))
      return undefined
    }
    const path = url.split(`/resolve/${commit}/`)[1]
    const bytes = path === undefined ? undefined : hub.files.get(path)
    if (!bytes) {
      response.statusCode = 404
      return json({ error: 'Repository not found' })
    }
    const [, from = '0', to] = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? '') ?? []
    const begin = Number(from)
    const end = to ? Number(to) + 1 : bytes.length
    if (path!.endsWith('.safetensors')) hub.ranges.push(`${begin}-${end}`)
    response.statusCode = request.headers.range ? 206 : 200
    response.setHeader('content-range', `bytes ${begin}-${end - 1}/${bytes.length}`)
    response.setHeader('content-length', end - begin)
    response.setHeader('etag', `"${gitDigest(bytes)}"`)
    const part = bytes.subarray(begin, end)
    if (part.length <= hub.breakAfter) return response.end(part)
    response.write(part.subarray(0, hub.breakAfter), () => setTimeout(() => response.destroy(), 50))
    return undefined
  })
}
