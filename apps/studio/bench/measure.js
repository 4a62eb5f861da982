// Prints what the studio weighs and how it runs here: bytes loaded before and after the button is pressed, accuracy, images per
// second, and the longest task of the page's main thread while a student trains. It asserts nothing.
//   npm run measure -w apps/studio [-- webgpu]
import { statSync } from 'node:fs'
import { join } from 'node:path'

import { chromium } from 'playwright-core'
import { preview } from 'vite'

const [device = 'wasm'] = process.argv.slice(2)
const root = join(import.meta.dirname, '..')
const executablePath = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium'
const software = [
  '--enable-unsafe-webgpu',
  '--enable-features=Vulkan',
  '--use-webgpu-adapter=swiftshader',
]
const args = ['--no-sandbox', ...(device === 'webgpu' ? software : [])]

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
const says = (text) =>
  page.waitForFunction(
    (text) => document.querySelector('#status').textContent.includes(text),
    text,
    { timeout: 0 },
  )

await page.goto(server.resolvedUrls.local[0])
await says('Ready')
await page.waitForTimeout(500)
print('loaded before the button', loaded.splice(0))

await page.evaluate(() => (document.querySelector('details').open = true))
await page.selectOption('#device', device)
await browser.startTracing(page, { categories: ['toplevel', '__metadata'] })
await page.click('#start')
await says('Done')
const { traceEvents } = JSON.parse(String(await browser.stopTracing()))
print('loaded after the button', loaded)
console.log(await page.textContent('#status'))
console.log((await page.innerText('.run dl')).replaceAll('\n', ' '))

const key = ({ pid, tid }) => `${pid} ${tid}`
const mainThreads = new Set(
  traceEvents
    .filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain')
    .map(key),
)
const tasks = traceEvents.filter(
  (event) => event.name === 'ThreadControllerImpl::RunTask' && mainThreads.has(key(event)),
)
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
