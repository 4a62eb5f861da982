// Writes TensorBoard's event files: TFRecords of Event messages with scalars (tensorflow/core/util/event.proto,
// tensorflow/core/framework/summary.proto, lib/io/record_writer.h).
import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Message } from '@embed-kd/backend-ort/protobuf'
import { makeDirectory } from '../files/make-directory.js'

/** Writes scalars to an event file of its own. A resumed run has several files, which TensorBoard shows as one curve. */
export class EventWriter {
  readonly #file: number

  /** Creates the file. @param now milliseconds since 1970, part of the file's name. */
  constructor(directory: string, now: number) {
    makeDirectory(directory)
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
  const message = new Message().double(1, now / 1000)
  if (step !== undefined) message.int(2, step)
  if (version !== undefined) message.string(3, version)
  if (values) {
    const summary = new Message()
    for (const [tag, value] of Object.entries(values))
      if (value !== undefined) summary.message(1, new Message().string(1, tag).float(2, value))
    message.message(5, summary)
  }
  // SessionLog { status: START }
  if (start) message.message(7, new Message().int(1, 1))
  return message.finish()
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
