// TensorBoard's event files: TFRecords of Event messages with scalars. Only what curves need is written; reading is TensorBoard's
// business (tensorflow/core/util/event.proto, tensorflow/core/framework/summary.proto, lib/io/record_writer.h).
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'

/** Writes scalars to an event file of its own. A resumed run has several files, which TensorBoard shows as one curve. */
export class EventWriter {
  readonly #file: number

  /** Creates the file. @param now milliseconds since 1970, part of the file's name. */
  constructor(directory: string, now: number) {
    mkdirSync(directory, { recursive: true })
    const name = `events.out.tfevents.${Math.floor(now / 1000)}.embed-kd.${process.pid}`
    this.#file = openSync(join(directory, name), 'a')
    this.#write(event(now, undefined, { version: 'brain.Event:2' }))
  }

  /** Marks a resumed run: TensorBoard then drops what earlier files have of later steps. */
  start(step: number, now = Date.now()): void {
    this.#write(event(now, step, { start: true }))
  }

  /** Writes the values of one step under their tags; tags without a value are left out. */
  scalars(
    step: number,
    values: Readonly<Record<string, number | undefined>>,
    now = Date.now(),
  ): void {
    this.#write(event(now, step, { values }))
  }

  close(): void {
    closeSync(this.#file)
  }

  #write(data: Uint8Array): void {
    writeSync(this.#file, tfRecord(data))
  }
}

/** Length, its checksum, data, its checksum. */
function tfRecord(data: Uint8Array): Uint8Array {
  const record = new Uint8Array(data.length + 16)
  const view = new DataView(record.buffer)
  view.setBigUint64(0, BigInt(data.length), true)
  view.setUint32(8, maskedCrc32c(record.subarray(0, 8)), true)
  record.set(data, 12)
  view.setUint32(12 + data.length, maskedCrc32c(data), true)
  return record
}

interface EventContent {
  readonly version?: string
  readonly values?: Readonly<Record<string, number | undefined>>
  /** Whether the event is the session log's mark of a start. */
  readonly start?: boolean
}

function event(
  now: number,
  step: number | undefined,
  { version, values, start }: EventContent,
): Uint8Array {
  const summary = Object.entries(values ?? {}).flatMap(([tag, value]) =>
    value === undefined
      ? []
      : [bytesField(1, concat([bytesField(1, utf8(tag)), fixedField(2, 4, value)]))],
  )
  return concat([
    fixedField(1, 8, now / 1000),
    ...(step === undefined ? [] : [concat([varint(2 << 3), varint(step)])]),
    ...(version === undefined ? [] : [bytesField(3, utf8(version))]),
    ...(summary.length === 0 ? [] : [bytesField(5, concat(summary))]),
    // SessionLog { status: START }
    ...(start ? [bytesField(7, concat([varint(1 << 3), varint(1)]))] : []),
  ])
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

function varint(value: number): Uint8Array {
  const bytes: number[] = []
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) | 128)
  return Uint8Array.of(...bytes, value)
}

const bytesField = (field: number, bytes: Uint8Array): Uint8Array =>
  concat([varint((field << 3) | 2), varint(bytes.length), bytes])

/** A float or double. */
function fixedField(field: number, bytes: 4 | 8, value: number): Uint8Array {
  const data = new Uint8Array(bytes)
  const view = new DataView(data.buffer)
  if (bytes === 4) view.setFloat32(0, value, true)
  else view.setFloat64(0, value, true)
  return concat([varint((field << 3) | (bytes === 4 ? 5 : 1)), data])
}

/** The Castagnoli polynomial 0x1EDC6F41, bits reversed. */
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc
})

export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = table[(crc ^ byte) & 255]! ^ (crc >>> 8)
  return (crc ^ 0xffffffff) >>> 0
}

/** TFRecord's way, so that checksums of data with checksums in it stay strong. */
const maskedCrc32c = (bytes: Uint8Array): number => {
  const crc = crc32c(bytes)
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}
