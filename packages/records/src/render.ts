// Records in, the text of one self-contained HTML file out. It only puts records into a built page; the page computes.
import { detailTexts, payloadText } from './analysis/payload.js'
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
 * Text inside the records is data to the page and is never run or parsed as HTML. Arguments are those of `reportPieces`.
 * @throws if the page has no slot for records.
 */
export const renderReport = (...args: Parameters<typeof reportPieces>): string =>
  [...reportPieces(...args)].join('')

/**
 * Yields the text of `renderReport` in pieces, to be written one after another: many records need not fit in one string.
 * @param page text of the page that `apps/report` builds, with a slot for the records.
 */
export function* reportPieces(
  page: string,
  records: readonly BenchRecord[],
  { title = DEFAULT_TITLE, before = [] }: ReportOptions = {},
): Generator<string> {
  const slot = SLOT.exec(page)
  if (slot === null) throw new Error('the report page has no slot for records: build it again')
  const content = { title, records, before }
  yield page.slice(0, slot.index)
  for (const text of payloadText(content)) yield embedded(text)
  for (const text of detailTexts(content))
    yield `</script><script type="application/json" class="details">${embedded(text)}`
  yield page.slice(slot.index + slot[0].length)
}

/** Returns JSON that can neither end the script element around it nor open a comment there. */
const embedded = (json: string): string => json.replaceAll('<', String.raw`\u003c`)
