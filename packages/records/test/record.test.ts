// What a record may and may not say, and that JSON lines give back what they were given, torn ends included.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type BenchRecord,
  formatRecord,
  parseRecords,
  RecordError,
  recordJsonSchema,
  packResults,
  recordSchema,
  SCHEMA_VERSION,
  unpackResults,
} from '../src/index.js'
import { anyRecord } from './arbitrary.js'

const record: BenchRecord = {
  schemaVersion: SCHEMA_VERSION,
  id: '3f9c',
  benchmarkVersion: '0.1.0',
  trial: {
    backend: 'ort:cpu',
    method: 'embed-kd',
    preset: 'corrected',
    teacher: {
      name: 'vit-base-16',
      kind: 'random',
      parameterCount: 86_567_656,
      imageSize: 224,
      patch: 16,
      embeddingWidth: 768,
    },
    student: {
      name: 'paper',
      imageSize: 32,
      patch: 4,
      width: 256,
      layers: 6,
      heads: 8,
      parameterCount: 4_790_000,
    },
    dataset: { name: 'mnist', classes: 10, trainSize: 60_000, testSize: 10_000 },
    batch: 64,
    steps: 20,
    seed: 0,
    learningRate: 1e-4,
    weightDecay: 0.1,
    kdWeight: 0.5,
    dropout: 0.1,
  },
  status: 'ok',
  costOnly: true,
  startedAt: '2026-11-23T12:00:00.000Z',
  wallSeconds: 31.4,
  environment: {
    cpuModel: 'a processor',
    cpuCores: 2,
    memoryBytes: 8 * 2 ** 30,
    os: 'Linux',
    node: 'v20.20.0',
    packages: { 'onnxruntime-node': '1.30.0' },
    commandLine: ['bench', '--profile', 'quick'],
  },
}

const complaint = (change: object) => {
  const result = recordSchema.safeParse({ ...record, ...change })
  return result.error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('\n')
}

const errorOf = (text: string): RecordError => {
  try {
    parseRecords(text)
  } catch (error) {
    if (error instanceof RecordError) return error
    throw error
  }
  throw new Error('the text was accepted')
}

describe('the schema', () => {
  test('knows a method by its name, or by its module', () => {
    const methodModule = { specifier: './my-method.js', digest: '3f9c' }
    const trial = { ...record.trial, method: 'pull-kd' }
    expect(complaint({ trial: { ...trial, methodModule } })).toBeUndefined()
    expect(complaint({ trial })).toContain('trial.method: give one of supervised, logit-kd')
    expect(complaint({ trial: { ...record.trial, methodModule } })).toContain(
      'embed-kd comes with embed-kd and has no module',
    )
  })

  test('accepts a record with nothing measured', () => {
    expect(complaint({})).toBeUndefined()
  })

  test('wants a reason for every status but ok', () => {
    expect(complaint({ status: 'oom' })).toContain('reason: a record of status oom')
    expect(complaint({ status: 'oom', reason: 'killed by SIGKILL' })).toBeUndefined()
  })

  test('shows no accuracy that means nothing', () => {
    expect(complaint({ accuracy: 0.1 })).toContain('accuracy: must be absent')
    expect(complaint({ costOnly: false })).toContain('costOnly: must be true')
  })

  test('wants epochs or steps, not both', () => {
    expect(complaint({ trial: { ...record.trial, epochs: 1 } })).toContain('trial: exactly one')
    const { steps: _, ...trial } = record.trial
    expect(complaint({ trial })).toContain('trial: exactly one')
  })

  test('refuses fields it does not know and figures that are none', () => {
    expect(complaint({ stepMilliseconds: 3 })).toContain('stepMilliseconds')
    expect(complaint({ wallSeconds: Number.NaN })).toContain('wallSeconds')
    expect(complaint({ wallSeconds: Number.POSITIVE_INFINITY })).toContain('wallSeconds')
  })

  test('is published as JSON Schema', () => {
    expect(recordJsonSchema()).toMatchObject({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      additionalProperties: false,
      properties: { trial: { properties: { batch: { type: 'integer' } } } },
    })
  })
})

describe('JSON lines', () => {
  test('give back any records that they were given', () => {
    fc.assert(
      fc.property(fc.array(anyRecord, { maxLength: 3 }), (records) => {
        const text = records.map(formatRecord).join('')
        expect(text.split('\n')).toHaveLength(records.length + 1)
        expect(parseRecords(text)).toEqual({ records })
      }),
      { numRuns: 60 },
    )
  })

  test('cut anywhere lose the torn record only', () => {
    const text = formatRecord(record).repeat(2)
    const line = text.length / 2
    fc.assert(
      fc.property(fc.integer({ min: 0, max: text.length }), (length) => {
        const { records, tornLine = '' } = parseRecords(text.slice(0, length))
        // A line without its newline is whole all the same.
        const whole = Math.floor((length + 1) / line)
        expect(records).toEqual(Array.from({ length: whole }, () => record))
        expect(tornLine).toBe(length > whole * line ? text.slice(whole * line, length) : '')
      }),
    )
  })

  test('name the line and field that are wrong', () => {
    const good = formatRecord(record)
    const bad = good.replace('"batch":64', '"batch":"64"')
    expect(errorOf(`${good}\n${bad}`)).toMatchObject({ line: 3 })
    expect(errorOf(`${good}\n${bad}`).message).toMatch(/line 3: trial\.batch: give a whole number/)
    expect(errorOf(`{"half": \n${good}`).message).toMatch(/line 1: is not JSON \(\{"half":/)
  })

  test('refuse other schema versions and say what to do', () => {
    const good = formatRecord(record)
    const version = (text: string) =>
      errorOf(good.replace(`"schemaVersion":${SCHEMA_VERSION}`, text)).message
    expect(version(`"schemaVersion":${SCHEMA_VERSION + 1}`)).toContain('update embed-kd')
    expect(version('"schemaVersion":0')).toContain('run its trial again')
    expect(version('"version":1')).toContain('no embed-kd record')
    expect(errorOf('null\n').message).toContain('no embed-kd record')
  })

  test.each([1, 2])('of version %i are read in the form of today', (version) => {
    const rerunCommand =
      'embed-kd bench --method embed-kd --batch 64 --train-images 600 --centroid-images 100'
    const line = (fields: object) =>
      `${JSON.stringify({ ...record, schemaVersion: version, ...fields })}\n`
    expect(parseRecords(line({})).records).toEqual([record])
    const { trial } = parseRecords(line({ rerunCommand })).records[0]!
    expect(trial).toEqual({ ...record.trial, trainImages: 600, centroidImages: 100 })
    const { teacher: _none, ...rest } = record.trial
    const supervised = { ...rest, method: 'supervised' }
    const [untaught] = parseRecords(line({ rerunCommand, trial: supervised })).records
    expect(untaught!.trial).toEqual({ ...supervised, trainImages: 600 })
  })

  test('are not written for a record that breaks the schema', () => {
    expect(() => formatRecord({ ...record, wallSeconds: Number.NaN })).toThrow(
      /refusing to write .*wallSeconds/,
    )
  })
})

test('results of single test images survive packing', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 100 }), (correct) => {
      const packed = { images: correct.length, correct: packResults(correct) }
      expect([...unpackResults(packed)]).toEqual(correct.map(Number))
    }),
  )
})
