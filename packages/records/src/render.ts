// Records in, the text of one self-contained HTML file out. It only puts records into a built page; the page computes.
import { pack } from './analysis/payload.js'
import type { BenchRecord } from './schema.js'

export interface ReportOptions {
  /** Heading of the report. */
  readonly title?: string
  /** Earlier records. With them the report opens with what became better and worse since. */
  readonly before?: readonly BenchRecord[]
}

const SLOT = /(?<=<script type="application\/json" id="payload">)\s*null\s*(?=<\/script>)/
const DEFAULT_TITLE = 'Can a student learn from a file of teacher embeddings?'

/**
 * Returns the report on `records` as the text of an HTML file that needs no other file and no network.
 * Text inside the records is data to the page and is never run or parsed as HTML.
 * @param page text of the page that `apps/report` builds, with a slot for the records.
 * @throws if `page` has no slot for records.
 */
export function renderReport(
  page: string,
  records: readonly BenchRecord[],
  { title = DEFAULT_TITLE, before }: ReportOptions = {},
): string {
  const slot = SLOT.exec(page)
  if (slot === null) throw new Error('the report page has no slot for records: build it again')
  const { payload, chunks } = pack({ title, records, ...(before && { before }) })
  // Joined once: replacing inside the page would copy all of it for each part.
  return [
    page.slice(0, slot.index),
    embeddedJson(payload),
    ...chunks.map(
      (chunk) => `</script><script type="application/json" class="details">${embeddedJson(chunk)}`,
    ),
    page.slice(slot.index + slot[0].length),
  ].join('')
}

/** Writes JSON that can neither end the script element around it nor open a comment there. */
function embeddedJson(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', String.raw`\u003c`)
}
