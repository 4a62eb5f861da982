// A GPU that is lost while a student trains: the studio says so, keeps the run, and trains on once asked to.
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { hasChromium, launch, serve, SOFTWARE_WEBGPU, stop, Studio } from './page.js'

/** Put before the worker's script: a message `lose` makes the device report its loss, as a driver that crashed would. */
const LOSABLE = `
{
  const lost = new Promise((resolve) =>
    addEventListener('message', (event) => {
      if (event.data !== 'lose') return
      event.stopImmediatePropagation()
      resolve({ reason: 'unknown', message: 'the driver crashed' })
    }),
  )
  const request = GPUAdapter.prototype.requestDevice
  GPUAdapter.prototype.requestDevice = async function (...given) {
    return Object.defineProperty(await request.apply(this, given), 'lost', { value: lost })
  }
}
`

describe.skipIf(!hasChromium)('a device that is lost', { timeout: 420_000 }, () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launch(SOFTWARE_WEBGPU)
  })
  afterAll(() => browser?.close())

  it('is a message, and another device takes its place', async () => {
    const server = await serve()
    const context = await browser.newContext({ serviceWorkers: 'block' })
    await context.route('**/assets/worker-*.js', async (route) => {
      const response = await route.fetch()
      const body = `${LOSABLE}${await response.text()}`
      await route.fulfill({ response, body })
    })
    // The page's own worker gets the message, as if from its device.
    await context.addInitScript(() => {
      const { Worker } = globalThis
      globalThis.Worker = class extends Worker {
        constructor(url: string | URL, options?: WorkerOptions) {
          super(url, options)
          // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a message to a worker has none
          addEventListener('lose', () => this.postMessage('lose'))
        }
      }
    })
    const studio = await Studio.open(browser, server, {}, context)
    await studio.train({ batch: '16', epochs: '1', device: 'webgpu' })
    await studio.page.waitForFunction(() =>
      /WebGPU/.test(document.querySelector('#fact-device')!.textContent!),
    )
    await studio.page.evaluate(() => dispatchEvent(new Event('lose')))
    const said = await studio.says(/lost its device/)
    console.log(`the studio: ${said}`)
    expect(said).toMatch('the driver crashed; train again, or resume the last run')
    await studio.train({ batch: '1000', epochs: '1', device: 'wasm' })
    await studio.says(/Done/)
    expect(studio.complaints).toEqual([])
    await context.close()
    await stop(server)
  })
})
