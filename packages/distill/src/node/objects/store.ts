// An object store that speaks the S3 API: lists, reads and writes objects. An object appears whole or not at all.
import { createWriteStream, rmSync, statSync } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'

import { UserError } from '@embed-kd/core'

import { Gate } from '../data/gate.js'
import { digestFiles } from '../teachers/checkpoint.js'
import { formatAddress, type Address } from './address.js'
import { loadSdk, openClient, requestFailure, statusOf, type Sdk } from './client.js'

export interface StoredObject extends Address {
  readonly bytes: number
  /** Identifies the content of the object, as the store computes it. */
  readonly etag: string
  readonly modified: Date
}

/** Bytes of a part of a large object. The API wants at least 5 MiB, and at most 10 000 parts. */
const PART_BYTES = 16 * 2 ** 20
const MOST_PARTS = 10_000
/** Parts that are in memory and on their way at a time. */
const PARTS_AT_A_TIME = 4
/** Times that a download which broke off is continued. */
const DOWNLOAD_TRIES = 5
/** Name of the SHA-256 of an object in the metadata that this class writes. */
const DIGEST = 'sha256'

export class ObjectStore {
  readonly #sdk: typeof Sdk
  readonly #client: Sdk.S3Client

  /** @throws UserError if the client is not installed. */
  constructor() {
    this.#sdk = loadSdk()
    this.#client = openClient(this.#sdk)
  }

  /** Lists the objects whose keys begin with a key. */
  list({ bucket, key }: Address): Promise<StoredObject[]> {
    return this.#ask({ bucket, key }, async () => {
      const objects: StoredObject[] = []
      let next: string | undefined
      do {
        const page: Sdk.ListObjectsV2CommandOutput = await this.#client.send(
          new this.#sdk.ListObjectsV2Command({
            Bucket: bucket,
            Prefix: key,
            ...(next === undefined ? {} : { ContinuationToken: next }),
          }),
        )
        for (const { Key, Size, ETag, LastModified } of page.Contents ?? [])
          objects.push({
            bucket,
            key: Key!,
            bytes: Size!,
            etag: ETag!,
            modified: LastModified!,
          })
        next = page.IsTruncated ? page.NextContinuationToken : undefined
      } while (next !== undefined)
      return objects
    })
  }

  /** Describes an object; undefined if there is none. */
  find({ bucket, key }: Address): Promise<StoredObject | undefined> {
    return this.#ask({ bucket, key }, async () => {
      try {
        const { ContentLength, ETag, LastModified } = await this.#client.send(
          new this.#sdk.HeadObjectCommand({ Bucket: bucket, Key: key }),
        )
        return { bucket, key, bytes: ContentLength!, etag: ETag!, modified: LastModified! }
      } catch (error) {
        if (statusOf(error) === 404) return undefined
        throw error
      }
    })
  }

  /** Reads the first bytes of an object. */
  readStart({ bucket, key, etag }: StoredObject, bytes: number): Promise<Uint8Array> {
    return this.#ask({ bucket, key }, async () => {
      const { Body } = await this.#client.send(
        new this.#sdk.GetObjectCommand({
          Bucket: bucket,
          Key: key,
          Range: `bytes=0-${bytes - 1}`,
          IfMatch: etag,
        }),
      )
      return Body!.transformToByteArray()
    })
  }

  /**
   * Downloads an object to a file; what breaks off is continued.
   * @throws UserError if the object changes meanwhile, or its digest is not the one it was written with.
   */
  download(object: StoredObject, file: string, signal?: AbortSignal): Promise<void> {
    return this.#ask(object, async () => {
      rmSync(file, { force: true })
      const seen: { digest?: string | undefined } = {}
      for (let attempt = 1; ; attempt++) {
        try {
          await this.#append(object, file, seen, signal)
          if (sizeOf(file) !== object.bytes)
            throw new Error(`it ended after ${sizeOf(file)} of ${object.bytes} bytes`)
          break
        } catch (error) {
          const isRefused = (statusOf(error) ?? 0) >= 400
          if (isRefused || signal?.aborted || attempt === DOWNLOAD_TRIES) throw error
          await sleep(100 * 2 ** attempt)
        }
      }
      const { digest } = seen
      if (digest !== undefined && digest !== (await digestFiles([file])))
        throw new UserError(
          `${formatAddress(object)} is damaged: its SHA-256 is not ${digest}`,
          'write it again',
        )
    })
  }

  /** Appends what a file lacks of an object, and notes the digest that the object was written with. */
  async #append(
    { bucket, key, bytes, etag }: StoredObject,
    file: string,
    seen: { digest?: string | undefined },
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const have = sizeOf(file)
    if (have >= bytes && have > 0) return
    const request = new this.#sdk.GetObjectCommand({
      Bucket: bucket,
      Key: key,
      IfMatch: etag,
      ...(have > 0 ? { Range: `bytes=${have}-` } : {}),
    })
    const options = signal ? { abortSignal: signal } : {}
    const { Body, Metadata } = await this.#client.send(request, options)
    seen.digest = Metadata?.[DIGEST]
    const target = createWriteStream(file, { flags: have > 0 ? 'a' : 'w' })
    await pipeline(Body as Readable, target, signal ? { signal } : {})
  }

  /**
   * Writes a file as an object, which appears when its last byte has been written, with the file's SHA-256 in its metadata. What an
   * ended process has left of the same object is removed first.
   */
  upload(file: string, address: Address): Promise<void> {
    return this.#ask(address, async () => {
      const target = { Bucket: address.bucket, Key: address.key }
      const content = { ...target, Metadata: { [DIGEST]: await digestFiles([file]) } }
      const bytes = sizeOf(file)
      await this.#removeUnfinished(address)
      if (bytes <= PART_BYTES) {
        const Body = await readFile(file)
        await this.#client.send(new this.#sdk.PutObjectCommand({ ...content, Body }))
        return
      }
      const { UploadId } = await this.#client.send(
        new this.#sdk.CreateMultipartUploadCommand(content),
      )
      const upload = { ...target, UploadId }
      try {
        const Parts = await this.#sendParts(file, bytes, upload)
        await this.#client.send(
          new this.#sdk.CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }),
        )
      } catch (error) {
        await this.#client.send(new this.#sdk.AbortMultipartUploadCommand(upload)).catch(() => {})
        throw error
      }
    })
  }

  async #sendParts(
    file: string,
    bytes: number,
    upload: {
      readonly Bucket: string
      readonly Key: string
      readonly UploadId: string | undefined
    },
  ): Promise<Sdk.CompletedPart[]> {
    const partBytes = Math.max(PART_BYTES, Math.ceil(bytes / MOST_PARTS))
    const gate = new Gate(PARTS_AT_A_TIME)
    const source = await open(file)
    let failed = false
    const send = async (i: number): Promise<Sdk.CompletedPart> => {
      if (failed) throw new Error('another part failed')
      const begin = i * partBytes
      const Body = Buffer.alloc(Math.min(partBytes, bytes - begin))
      await source.read(Body, 0, Body.length, begin)
      const PartNumber = i + 1
      const { ETag } = await this.#client.send(
        new this.#sdk.UploadPartCommand({ ...upload, PartNumber, Body }),
      )
      return { PartNumber, ETag }
    }
    try {
      const parts = Array.from({ length: Math.ceil(bytes / partBytes) }, (_, i) =>
        gate.run(1, () =>
          send(i).catch((error: unknown) => {
            failed = true
            throw error
          }),
        ),
      )
      const results = await Promise.allSettled(parts)
      const failure = results.find((result) => result.status === 'rejected')
      if (failure) throw failure.reason
      return results.map((result) => (result as PromiseFulfilledResult<Sdk.CompletedPart>).value)
    } finally {
      await source.close()
    }
  }

  /** Ends uploads of an object that never completed: they are invisible, but take space. */
  async #removeUnfinished({ bucket, key }: Address): Promise<void> {
    try {
      const { Uploads = [] } = await this.#client.send(
        new this.#sdk.ListMultipartUploadsCommand({ Bucket: bucket, Prefix: key }),
      )
      for (const { Key, UploadId } of Uploads)
        if (Key === key)
          await this.#client.send(
            new this.#sdk.AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId }),
          )
    } catch (error) {
      // Not every store lists them, and not every user may.
      if (![400, 403, 404, 405, 501].includes(statusOf(error) ?? 0)) throw error
    }
  }

  async #ask<T>(address: Address, request: () => Promise<T>): Promise<T> {
    try {
      return await request()
    } catch (error) {
      throw requestFailure(address, error)
    }
  }
}

const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0
