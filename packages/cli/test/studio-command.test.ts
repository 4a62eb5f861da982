// `embed-kd studio`: what it serves, how it ends, and what it says about ports that cannot be opened.
import { createServer } from 'node:net'

import { describe, expect, it } from 'vitest'

import { runCli, startCli } from './cli.js'

/** Starts the command on a free port, and waits until it serves. */
async function startStudio() {
  const { child, result } = startCli(['studio', '--port', '0'])
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout!.on('data', (text: string) => resolve(/http:\S+/.exec(text)![0]))
    void result.then(({ stderr }) => reject(new Error(stderr)))
  })
  return { child, result, url }
}

describe('embed-kd studio', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)(
    'serves the page isolated from other origins until %s',
    async (signal) => {
      const { child, result, url } = await startStudio()
      expect(new URL(url).hostname).toBe('127.0.0.1')
      const page = await fetch(url)
      expect(page.headers.get('cross-origin-opener-policy')).toBe('same-origin')
      expect(page.headers.get('cross-origin-embedder-policy')).toBe('require-corp')
      const html = await page.text()
      const [script] = /assets\/index-[^"]+\.js/.exec(html)!
      const asset = await fetch(new URL(script, url))
      expect(asset.headers.get('content-type')).toMatch('text/javascript')
      expect(await (await fetch(`${url}index.html`)).text()).toBe(html)
      const digits = await fetch(new URL('mnist-small/train-images-idx3-ubyte.gz', url))
      expect((await digits.arrayBuffer()).byteLength).toBeGreaterThan(900_000)
      child.kill(signal)
      expect(await result).toMatchObject({ code: 0 })
    },
  )

  it('serves nothing but its own files', async () => {
    const { child, result, url } = await startStudio()
    for (const path of ['none', '%2e%2e/report.html', '..%2fcli.js', 'assets', 'assets/'])
      expect((await fetch(url + path)).status, path).toBe(404)
    expect((await fetch(url, { method: 'POST', body: 'x' })).status).toBe(405)
    child.kill('SIGINT')
    await result
  })

  it('names a port that is in use, and what to do', async () => {
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const { port } = other.address() as { port: number }
    const failed = await runCli('studio', '--port', `${port}`)
    other.close()
    expect(failed).toMatchObject({
      code: 1,
      stderr: `error: port ${port} is in use by another program; choose another one with --port (0: any free)\n`,
    })
  })

  it.each(['65536', '-1', '80.5', 'x', ''])('refuses the port "%s"', async (port) => {
    const failed = await runCli('studio', `--port=${port}`)
    expect(failed.code).toBe(2)
    expect(failed.stderr).toMatch(/give a whole number from 0 to 65535/)
  })
})
