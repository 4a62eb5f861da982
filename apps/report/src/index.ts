// Records in, one self-contained HTML file out. It only puts the records into the built page; the page computes. What it
// computes with is exported too, so that others say the same.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { BenchRecord } from '@embed-kd/record'
import { pack } from './model/payload.js'

export { configurationsOf, type Configuration } from './model/corpus.js'
export {
  accuracy,
  devicePeakBytes,
  finished,
  hostPeakBytes,
  type Measure,
  plannedPeakBytes,
  ratioOf,
  stepSeconds,
  summaryOf,
} from './model/measures.js'

export interface ReportOptions {
  /** Heading of the report. */
  readonly title?: string
  /** Earlier records: the report then opens with what became better and worse since. */
  readonly before?: readonly BenchRecord[]
}

// Both src/ and dist/ are siblings of the built page.
const TEMPLATE = new URL('../dist/index.html', import.meta.url)
const SLOT = /(?<=<script type="application\/json" id="payload">)\s*null\s*(?=<\/script>)/
const DEFAULT_TITLE = 'Can a student learn from a file of teacher embeddings?'

/**
 * The report on `records` as the text of an HTML file that needs no other file and no network.
 * Text inside the records is data to the page and is never run or parsed as HTML.
 * @throws Error if the page was not built.
 */
export function renderReport(
  records: readonly BenchRecord[],
  { title = DEFAULT_TITLE, before }: ReportOptions = {},
): string {
  const payload = pack({ title, records, ...(before && { before }) })
  const template = readTemplate()
  if (!SLOT.test(template)) {
    throw new Error(`the page ${fileURLToPath(TEMPLATE)} has no place for records: build it again`)
  }
  return template.replace(SLOT, () => embeddedJson(payload))
}

/** JSON that cannot end the script element it stands in, nor open a comment there. */
function embeddedJson(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', String.raw`\u003c`)
}

function readTemplate(): string {
  try {
    return readFileSync(TEMPLATE, 'utf8')
  } catch (cause) {
    throw new Error(
      `the report's page ${fileURLToPath(TEMPLATE)} cannot be read; build it with: npx turbo run build --filter=@embed-kd/report`,
      { cause },
    )
  }
}
