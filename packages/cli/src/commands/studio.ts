// `embed-kd studio`: serves the page in which a student learns, on this machine only, until Ctrl-C.
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { Command, InvalidArgumentError } from 'commander'

import { serveDirectories } from '../static-server.js'

/** The studio, as the build copied it from apps/studio next to this package's compiled files. */
const STUDIO = fileURLToPath(new URL('../../dist/studio', import.meta.url))

/** A fixed port: browsers keep a page's unfinished run under its address. */
const PORT = 5880

function port(word: string): number {
  const value = Number(word)
  if (!/^\d+$/.test(word) || value > 65_535)
    throw new InvalidArgumentError('give a whole number from 0 to 65535; 0 takes any free port')
  return value
}

export const studioCommand = (): Command =>
  new Command('studio')
    .option('--port <number>', 'port on this machine; 0 takes any free one', port, PORT)
    .addHelpText(
      'after',
      `
The page trains in your browser, on WebGPU or WebAssembly. It needs no network, and nothing leaves this computer.
Open the address that is printed; Ctrl-C ends the server.

Examples:
  embed-kd studio
  embed-kd studio --port 0
`,
    )
    .action(async ({ port }: { port: number }) => {
      if (!existsSync(STUDIO))
        throw new Error(`${STUDIO} is missing; build it with: npx turbo run build`)
      // Loaded here, because help needs no data sets.
      const { mnistSmallDirectory } = await import('@embed-kd/distill/node')
      const { server, url } = await serveDirectories(
        { '/': STUDIO, '/mnist-small/': mnistSmallDirectory },
        port,
      )
      process.stdout.write(`studio: ${url}\n`)
      process.stderr.write('Open this address in a browser; Ctrl-C ends the server.\n')
      const ended = new Promise<void>((resolve) => server.once('close', resolve))
      const stop = () => {
        server.close()
        // Browsers keep connections open, which would keep the server.
        server.closeAllConnections()
      }
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop)
      await ended
    })
