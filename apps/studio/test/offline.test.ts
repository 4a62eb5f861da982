// The studio on hosts as they are: without headers for threads, and without any network.
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { hasChromium, launch, serve, stop, Studio } from './page.js'

describe.skipIf(!hasChromium)('the studio', { timeout: 420_000 }, () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launch()
  })
  afterAll(() => browser?.close())

  const trains = async (studio: Studio): Promise<string> => {
    await studio.train({ batch: '1000', epochs: '1' })
    await studio.says(/Done/)
    return (await studio.page.textContent('#fact-device'))!
  }

  it('trains with one thread on a host that sends no headers, and says why', async () => {
    const server = await serve(false)
    const studio = await Studio.open(browser, server, { serviceWorkers: 'block' })
    expect(await studio.page.evaluate(() => crossOriginIsolated)).toBe(false)
    expect(await trains(studio)).toBe(
      'WebAssembly, 1 thread: this page was served without the headers that allow more',
    )
    await studio.page.context().close()
    await stop(server)
  })

  it('opens and trains without its server, then with threads', async () => {
    const server = await serve(false)
    const studio = await Studio.open(browser, server)
    await studio.page.waitForFunction(() =>
      /offline/.test(document.querySelector('#offline')!.textContent!),
    )
    await stop(server)
    await studio.page.reload()
    await studio.says(/Ready/)
    expect(await studio.page.evaluate(() => crossOriginIsolated)).toBe(true)
    const cores = await studio.page.evaluate(() => navigator.hardwareConcurrency)
    expect(await trains(studio)).toMatch(cores > 1 ? /\d threads$/ : /1 thread$/)
    expect(studio.complaints).toEqual([])
  })
})
