// Benchmarks reports of many SYNTHETIC records: peak memory of the command, size of the page, and the times to open it and to answer
// a filter. The aim for 10,000 records: open within 2 s, a filter answered within 100 ms. It asserts nothing.
//   npm run bench:scale -w apps/report -- [COUNT...: numbers of records (default: 10000)]
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
if (counts.length === 0) counts.push(10_000)
if (counts.some((count) => !Number.isInteger(count) || count < 1)) {
  console.error('usage: npm run bench:scale -w apps/report -- [COUNT...]')
  process.exit(1)
}

const command = path('../../../packages/cli/bin/embed-kd.js')
/** Prints the peak of the process's memory when it ends. */
const measuring = `data:text/javascript,process.on('exit',()=>process.stdout.write('peak '+process.resourceUsage().maxRSS+'\\n'))`
const { module } = await runnerImport(path('../../../packages/records/test/synthetic.ts'))
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

/** Waits until the page is painted; returns the milliseconds since it began to load. */
const painted = (/** @type {import('playwright-core').Page} */ page) =>
  page.evaluate(
    () =>
      new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(performance.now())))),
  )

/** Returns a function that reads how long the main thread has computed, in ms: time in which other processes ran is left out. */
async function computingClock(/** @type {import('playwright-core').Page} */ page) {
  const session = await page.context().newCDPSession(page)
  await session.send('Performance.enable', { timeDomain: 'threadTicks' })
  return async () => {
    const { metrics } = await session.send('Performance.getMetrics')
    return metrics.find(({ name }) => name === 'TaskDuration').value * 1e3
  }
}

/** Filters by each teacher in turn. Returns milliseconds by the clock until the page is laid out, and of computing until it is painted. */
async function filterTimes(
  /** @type {import('playwright-core').Page} */ page,
  /** @type {() => Promise<number>} */ computed,
) {
  const boxes = await page.locator('.menu input[name=teacher]').count()
  const clock = []
  const computing = []
  for (let at = 0; at < boxes; at++) {
    const before = await computed()
    clock.push(
      await page.evaluate((at) => {
        const box = document.querySelectorAll('.menu input[name=teacher]')[at]
        const start = performance.now()
        box.click()
        // Reading a size makes the browser lay the new page out before the clock stops.
        void document.body.offsetHeight
        return performance.now() - start
      }, at),
    )
    await painted(page)
    computing.push((await computed()) - before)
  }
  return { clock, computing }
}

/** @type {(times: number[]) => string} */
const summary = (times) => {
  const sorted = times.toSorted((a, b) => a - b)
  return `${sorted[sorted.length >> 1].toFixed(0)} ms in the median, ${sorted.at(-1).toFixed(0)} ms at most`
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
  const computed = await computingClock(page)
  const before = await computed()
  await page.reload({ timeout: 300_000 })
  const opened = await painted(page)
  const opening = (await computed()) - before
  console.log(
    `${count.toLocaleString('en')} records of ${megabytes(statSync(records).size)}: report in ${seconds(took)}, peak memory ${megabytes(peak)}, page of ${megabytes(statSync(report).size)}, open after ${seconds(opened)} (${seconds(opening)} of computing)`,
  )
  for (const [place, name] of [
    ['#answers', 'the first screen'],
    ['#figures', 'the figures'],
    ['#trials', 'the table'],
  ]) {
    await page.locator(place).evaluate((node) => node.scrollIntoView())
    await page.waitForTimeout(500)
    const { clock, computing } = await filterTimes(page, computed)
    console.log(`  a filter beside ${name}: ${summary(clock)}; computing ${summary(computing)}`)
  }
  await page.close()
}
await browser.close()
rmSync(directory, { recursive: true })
