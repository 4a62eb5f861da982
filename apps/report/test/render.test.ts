// What Node does: put records into the built page, as data that cannot become markup.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type Content, type Payload, renderReport, unpack } from '@embed-kd/records'
import { syntheticRecords } from '../../../packages/records/test/synthetic.js'

const records = syntheticRecords({ teachers: ['vit-mini'], batches: [16], seeds: 1 })

function contentOf(html: string): Content {
  const [, json] = /<script type="application\/json" id="payload">(.*?)<\/script>/s.exec(html)!
  const chunks = [
    ...html.matchAll(/<script type="application\/json" class="details">(.*?)<\/script>/gs),
  ]
  return unpack(JSON.parse(json!) as Payload, (index) => chunks[index]![1]!)
}

const page = readFileSync(new URL('../dist/index.html', import.meta.url), 'utf8')

describe('renderReport', () => {
  test('gives the page exactly the records it was given', () => {
    const content = contentOf(renderReport(page, records, { title: 'A sweep', before: records }))
    expect(content).toEqual({ title: 'A sweep', records, before: records })
  })

  test('lets no text of a record end its script element or stand for a replacement pattern', () => {
    const hostile = "</script><script>alert(1)</script><!-- $& $' $` \u2028"
    const [record] = records
    const html = renderReport(page, [{ ...record!, id: hostile, reason: hostile }], {
      title: hostile,
    })
    // The page's own, the records and one chunk of details.
    expect(html.match(/<script/g)).toHaveLength(3)
    expect(html).not.toContain('<!--')
    expect(contentOf(html)).toMatchObject({ title: hostile, records: [{ id: hostile }] })
  })

  test('needs no other file: the page loads nothing and runs one script, named by its digest', () => {
    const page = readFileSync(new URL('../dist/index.html', import.meta.url), 'utf8')
    expect(page).toMatch(
      /Content-Security-Policy"\s+content="default-src 'none'; script-src 'sha256-/,
    )
    expect(page).not.toMatch(/<(?:script|link|img)[^>]+(?:src|href)="(?!data:)/)
  })
})
