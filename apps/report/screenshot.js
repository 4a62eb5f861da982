// Pictures of a report's first screen, light and dark, for the README:
//   npm run screenshot -w apps/report -- REPORT.html PICTURE.png
// writes PICTURE-light.png and PICTURE-dark.png. It needs a Chromium (CHROMIUM_PATH, or /usr/bin/chromium).
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { chromium } from 'playwright-core'

const [report, picture] = process.argv.slice(2)
if (report === undefined || picture === undefined || !picture.endsWith('.png')) {
  console.error('usage: npm run screenshot -w apps/report -- REPORT.html PICTURE.png')
  process.exit(1)
}
// npm runs this in the package; paths are those of whoever called npm.
const from = process.env['INIT_CWD'] ?? process.cwd()
const file = resolve(from, report)
const executablePath = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium'
for (const path of [file, executablePath]) {
  if (!existsSync(path)) {
    console.error(`${path} does not exist`)
    process.exit(1)
  }
}

const browser = await chromium.launch({
  executablePath,
  args: ['--headless', '--no-sandbox', '--disable-gpu'],
})
for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
  const page = await browser.newPage({
    viewport: { width: 1280, height: 860 },
    deviceScaleFactor: 2,
    colorScheme,
  })
  await page.goto(pathToFileURL(file).href)
  const path = resolve(from, picture.replace(/\.png$/, `-${colorScheme}.png`))
  await page.screenshot({ path })
  console.log(path)
}
await browser.close()
