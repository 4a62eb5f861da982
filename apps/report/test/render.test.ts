// What Node does: put records into the built page, as data that cannot become markup.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { renderReport } from '../src/index.js'
import type { Payload } from '../src/model/payload.js'
import { syntheticRecords } from './synthetic.js'

const records = syntheticRecords({ teachers: ['vit-mini'], batches: [16], seeds: 1 })

function payloadOf(html: string): Payload {
  const [, json] = /<script type="application\/json" id="payload">(.*?)<\/script>/s.exec(html)!
  return JSON.parse(json!) as Payload
}

describe('renderReport', () => {
  test('gives the page exactly the records it was given', () => {
    const payload = payloadOf(renderReport(records, { title: 'A sweep', before: records }))
    expect(payload).toEqual({ title: 'A sweep', records, before: records })
  })

  test('lets no text of a record end its script element or stand for a replacement pattern', () => {
    const hostile = "</script><script>alert(1)</script><!-- $& $' $` \u2028"
    const [record] = records
    const html = renderReport([{ ...record!, id: hostile, reason: hostile }], { title: hostile })
    expect(html.match(/<script/g)).toHaveLength(2)
    expect(html).not.toContain('<!--')
    expect(payloadOf(html)).toMatchObject({ title: hostile, records: [{ id: hostile }] })
  })

  test('needs no other file: the page loads nothing and runs one script, named by its digest', () => {
    const page = readFileSync(new URL('../dist/index.html', import.meta.url), 'utf8')
    expect(page).toMatch(
      /Content-Security-Policy"\s+content="default-src 'none'; script-src 'sha256-/,
    )
    expect(page).not.toMatch(/<(?:script|link|img)[^>]+(?:src|href)="(?!data:)/)
  })
})
