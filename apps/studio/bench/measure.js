// Prints what the studio weighs and how it runs here: bytes loaded before and after the button is pressed, accuracy, seconds, images
// per second, and the longest tasks of the page's main thread while a student trains. It asserts nothing.
//   npm run measure -w apps/studio -- [--device wasm|webgpu] [--epochs 2] [--batch 64] [--steps N: pause after so many]
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import { chromium } from 'playwright-core'
import { preview } from 'vite'

const { device, epochs, batch, steps } = parseArgs({
  options: {
    device: { type: 'string', default: 'wasm' },
    epochs: { type: 'string', default: '2' },
    batch: { type: 'string', default: '64' },
    steps: { type: 'string' },
  },
}).values
const root = join(import.meta.dirname, '..')
const executablePath = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium'
// A WebGPU device in software, for machines without a GPU.
const software = [
  '--enable-unsafe-webgpu',
  '--enable-features=Vulkan',
  '--use-webgpu-adapter=swiftshader',
]
const args = ['--no-sandbox', ...(device === 'webgpu' ? software : [])]
/** Long trainings are traced in pieces of so many milliseconds: a trace is kept in memory until it ends. */
const TRACE_PIECE = 60_000

const server = await preview({ root, logLevel: 'error', preview: { host: '127.0.0.1', port: 0 } })
const browser = await chromium.launch({ executablePath, args })
const context = await browser.newContext({ serviceWorkers: 'block' })
const page = await context.newPage()
const loaded = []
page.on('response', (response) => {
  const { protocol, pathname } = new URL(response.url())
  const name = pathname.slice(1) || 'index.html'
  if (protocol === 'http:') loaded.push([name, statSync(join(root, 'dist', name)).size])
})
const print = (title, files) => {
  const all = files.reduce((sum, [, bytes]) => sum + bytes, 0)
  console.log(`${title}: ${(all / 1000).toFixed(0)} kB`)
  for (const [name, bytes] of files) console.log(`  ${name} ${bytes}`)
}
/** Waits until the status has one of the texts, or an error is shown. */
const says = (...texts) =>
  page.waitForFunction(
    (texts) =>
      !document.querySelector('#error').hidden ||
      texts.some((text) => document.querySelector('#status').textContent.includes(text)),
    texts,
    { timeout: 0 },
  )

await page.goto(server.resolvedUrls.local[0], { timeout: 0 })
await says('Ready')
await page.waitForTimeout(500)
print('loaded before the button', loaded.splice(0))

await page.evaluate(() => (document.querySelector('details').open = true))
await page.selectOption('#device', device)
await page.fill('#epochs', epochs)
await page.fill('#batch', batch)
const began = performance.now()
await page.click('#start')
if (steps !== undefined)
  void page
    .waitForFunction((steps) => document.querySelector('.run progress')?.value >= steps, +steps, {
      timeout: 0,
    })
    .then(() => page.click('#pause'))
const ended = says('Done', 'Paused').then(() => true)
const tasks = []
let done
do {
  await browser.startTracing(page, { categories: ['toplevel', '__metadata'] })
  done = await Promise.race([ended, page.waitForTimeout(TRACE_PIECE)])
  tasks.push(...mainThreadTasks(JSON.parse(String(await browser.stopTracing()))))
} while (!done)
const seconds = (performance.now() - began) / 1000

print('loaded after the button', loaded)
console.log(await page.textContent('#fact-device'))
console.log(await page.innerText('#error:not([hidden]), #status'))
console.log((await page.innerText('.run dl')).replaceAll('\n', ' '))
console.log(
  `${seconds.toFixed(1)} s from the button to the end, with loading, compiling and snapshots`,
)
if (await page.isEnabled('#record')) {
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#record')])
  const { accuracy, curves, time } = JSON.parse(readFileSync(await download.path(), 'utf8'))
  for (const { epoch, trainLoss, testAccuracy, seconds } of curves.epochs)
    console.log(
      `epoch ${epoch}: loss ${trainLoss.toFixed(3)}, accuracy ${testAccuracy}, ${seconds.toFixed(1)} s of training`,
    )
  console.log(
    `accuracy ${accuracy}, ${time.imagesPerSecond.toFixed(1)} images/s by the median step`,
  )
}
const longest = (field) =>
  tasks
    .map((task) => (task[field] ?? 0) / 1000)
    .sort((a, b) => b - a)
    .slice(0, 5)
    .map((milliseconds) => milliseconds.toFixed(1))
    .join(', ')
console.log(
  `longest of ${tasks.length} main-thread tasks: ${longest('dur')} ms; of CPU time: ${longest('tdur')} ms`,
)
await browser.close()
await server.close()

/** Returns the tasks of the page's main thread. */
function mainThreadTasks({ traceEvents }) {
  const key = ({ pid, tid }) => `${pid} ${tid}`
  const mainThreads = new Set(
    traceEvents
      .filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain')
      .map(key),
  )
  return traceEvents.filter(
    (event) => event.name === 'ThreadControllerImpl::RunTask' && mainThreads.has(key(event)),
  )
}
