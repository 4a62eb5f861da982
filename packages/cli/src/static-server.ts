// Serves the files of directories on this machine's loopback address, with the headers that give a page threads.
import { readdirSync, readFileSync } from 'node:fs'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { extname, join, relative, sep } from 'node:path'

import { UserError } from '@embed-kd/core'

const LOOPBACK = '127.0.0.1'

const contentTypes: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.wasm': 'application/wasm',
}

/** A page with these headers is isolated from other origins, without which browsers share no memory between threads. */
const ISOLATION = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
}

/** Returns the files under a directory by their path in a URL; `index.html` answers for its directory. */
function filesOf([prefix, directory]: [prefix: string, directory: string]): [string, string][] {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  return files.map(({ parentPath, name }) => {
    const path = relative(directory, join(parentPath, name)).split(sep).join('/')
    return [prefix + path.replace(/(^|\/)index\.html$/, '$1'), join(parentPath, name)]
  })
}

/**
 * Serves the files of directories. No other file can be asked for: the list is read once, at the start.
 * @param directories By the path in a URL under which their files are served; `/` for the page.
 * @param port 0 takes any free port.
 * @throws UserError if the port cannot be opened.
 */
export async function serveDirectories(
  directories: Readonly<Record<string, string>>,
  port: number,
): Promise<{ readonly server: Server; readonly url: string }> {
  const files = new Map(Object.entries(directories).flatMap(filesOf))
  const server = createServer(({ method = '', url = '' }, response) => {
    if (method !== 'GET' && method !== 'HEAD') return refuse(response, 405)
    const [path] = url.replace(/\/index\.html(?=\?|$)/, '/').split('?')
    const file = files.get(path!)
    if (file === undefined) return refuse(response, 404)
    response.writeHead(200, {
      ...ISOLATION,
      'Content-Type': contentTypes[extname(file)] ?? 'application/octet-stream',
      // Names in assets/ contain a digest of their contents; the rest is asked for anew after an update.
      'Cache-Control': path!.startsWith('/assets/') ? 'max-age=31536000, immutable' : 'no-cache',
    })
    response.end(method === 'HEAD' ? undefined : readFileSync(file))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(portError(error, port)))
    server.listen(port, LOOPBACK, resolve)
  })
  const { port: opened } = server.address() as { port: number }
  return { server, url: `http://${LOOPBACK}:${opened}/` }
}

function refuse(response: ServerResponse, status: number): void {
  response.writeHead(status).end()
}

const portProblems: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is in use by another program',
  EACCES: 'may not be opened by this user',
}

function portError(error: NodeJS.ErrnoException, port: number): Error {
  const problem = portProblems[error.code ?? '']
  if (problem === undefined) return error
  return new UserError(`port ${port} ${problem}`, 'choose another one with --port (0: any free)')
}
