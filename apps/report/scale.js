// How large a report may be: peak memory of the command, size of the page, time to open it and to answer a filter, for
// SYNTHETIC records in the numbers given:
//   npm run scale -w apps/report -- 1000 10000 100000
// It needs the built packages and a Chromium (CHROMIUM_PATH, or /usr/bin/chromium).
import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { chromium } from 'playwright-core'
import { runnerImport } from 'vite'

const path = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url))
const counts = process.argv.slice(2).map(Number)
if (counts.length === 0 || counts.some((count) => !Number.isInteger(count) || count < 1)) {
  console.error('usage: npm run scale -w apps/report -- COUNT...')
  process.exit(1)
}

const command = path('../../packages/cli/bin/embed-kd.js')
/** Prints the peak of the process's memory when it ends. */
const measuring = `data:text/javascript,process.on('exit',()=>process.stdout.write('peak '+process.resourceUsage().maxRSS+'\\n'))`
const { module } = await runnerImport(path('../../packages/records/test/synthetic.ts'))
const directory = mkdtempSync(join(tmpdir(), 'embed-kd-scale-'))
const browser = await chromium.launch({
  executablePath: process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu'],
})

const megabytes = (/** @type {number} */ bytes) => `${(bytes / 1e6).toFixed(0)} MB`
const seconds = (/** @type {number} */ ms) => `${(ms / 1e3).toFixed(2)} s`

/** Writes so many records: most configurations of a wide sweep, then more seeds. */
function writeRecords(/** @type {string} */ file, /** @type {number} */ count) {
  const shape = {
    backends: ['ort:cpu', 'ort:webgpu', 'tfjs:wasm', 'tfjs:webgpu'],
    datasets: ['mnist', 'fashion-mnist'],
    presets: ['paper', 'corrected'],
    batches: [8, 16, 32, 64, 128],
    seeds: Math.max(1, Math.ceil(count / 1520)),
  }
  const descriptor = openSync(file, 'w')
  for (const record of module.syntheticRecords(shape).slice(0, count))
    writeSync(descriptor, `${JSON.stringify(record)}\n`)
  closeSync(descriptor)
}

/** Returns the milliseconds of each filter on a teacher, until the page is laid out anew. */
async function filterTimes(/** @type {import('playwright-core').Page} */ page) {
  const boxes = await page.locator('.menu input[name=teacher]').count()
  const times = []
  for (let at = 0; at < boxes; at++)
    times.push(
      await page.evaluate((at) => {
        const box = document.querySelectorAll('.menu input[name=teacher]')[at]
        const start = performance.now()
        box.click()
        void document.body.offsetHeight
        return performance.now() - start
      }, at),
    )
  return times.sort((a, b) => a - b)
}

for (const count of counts) {
  const records = join(directory, 'records.jsonl')
  const report = join(directory, 'report.html')
  writeRecords(records, count)
  const started = performance.now()
  const output = execFileSync(
    process.execPath,
    ['--import', measuring, command, 'report', records, '--out', report],
    { encoding: 'utf8' },
  )
  const took = performance.now() - started
  const peak = Number(/^peak (\d+)$/m.exec(output)?.[1]) * 1024
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
  await page.goto(pathToFileURL(report).href, { timeout: 300_000 })
  const opened = await page.evaluate(
    () =>
      new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(performance.now())))),
  )
  console.log(
    `${count.toLocaleString('en')} records of ${megabytes(statSync(records).size)}: report in ${seconds(took)}, peak memory ${megabytes(peak)}, page of ${megabytes(statSync(report).size)}, open after ${seconds(opened)}`,
  )
  for (const [place, name] of [
    ['#answers', 'the first screen'],
    ['#figures', 'the figures'],
    ['#trials', 'the table'],
  ]) {
    await page.locator(place).evaluate((node) => node.scrollIntoView())
    await page.waitForTimeout(500)
    const times = await filterTimes(page)
    console.log(
      `  a filter beside ${name}: ${times[times.length >> 1].toFixed(0)} ms in the median, ${times.at(-1).toFixed(0)} ms at most`,
    )
  }
  await page.close()
}
await browser.close()
rmSync(directory, { recursive: true })
