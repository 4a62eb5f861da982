// A small store that speaks the S3 API on loopback, for tests: objects, ranges, listings in pages, uploads in parts. It checks the
// CRC-32 that clients send, and keeps what each request was.
import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { crc32 } from 'node:zlib'

interface Entry {
  readonly bytes: Buffer
  readonly etag: string
  readonly modified: Date
  readonly sha256: string | undefined
}

interface Upload {
  readonly key: string
  readonly sha256: string | undefined
  readonly parts: Map<number, Buffer>
}

/** Keys of a listing's page: few, so that tests see several pages. */
const PAGE = 3

export class S3Server {
  /** Objects by `bucket/key`. */
  readonly objects = new Map<string, Entry>()
  /** Uploads in parts that have begun and not ended. */
  readonly uploads = new Map<string, Upload>()
  /** Requests so far, such as `GET bucket/key` or `PUT bucket/key?partNumber`. */
  readonly requests: string[] = []
  /** Looks at a request before it is answered: a promise that never ends is a store that hangs. */
  before: (request: string) => Promise<unknown> | void = () => {}
  /** Bytes after which each answer with an object breaks off. */
  breakAfter = Infinity
  readonly #server = createServer((request, response) => {
    this.#answer(request, response).catch((error: unknown) => response.destroy(error as Error))
  })

  /** Starts the store, and points the variables of this process and its children at it. */
  async start(buckets: readonly string[]): Promise<void> {
    this.#buckets = new Set(buckets)
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    const { port } = this.#server.address() as AddressInfo
    Object.assign(process.env, {
      AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_REGION: 'us-east-1',
    })
  }

  #buckets = new Set<string>()

  stop(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  put(name: string, content: Uint8Array | string, sha256?: string): void {
    const bytes = Buffer.from(content)
    const etag = `"${createHash('md5').update(bytes).digest('hex')}"`
    this.objects.set(name, { bytes, etag, modified: new Date(), sha256 })
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams: query } = new URL(request.url!, 'http://host')
    const name = decodeURIComponent(pathname.slice(1)).replace(/\/$/, '')
    const flag = ['uploads', 'uploadId', 'list-type'].find((each) => query.has(each))
    const what = `${request.method} ${name}${query.has('partNumber') ? '?partNumber' : flag ? `?${flag}` : ''}`
    this.requests.push(what)
    const body = await bodyOf(request)
    await this.before(what)
    const fail = (status: number, code: string) =>
      send(response, status, `<Error><Code>${code}</Code><Message>${code}</Message></Error>`)
    if (!request.headers.authorization?.startsWith('AWS4-HMAC-SHA256'))
      return fail(403, 'AccessDenied')
    const crc = request.headers['x-amz-checksum-crc32']
    if (crc !== undefined && crc !== crcOf(body)) return fail(400, 'BadDigest')
    const [bucket] = name.split('/')
    if (!this.#buckets.has(bucket!)) return fail(404, 'NoSuchBucket')
    const sha256 = request.headers['x-amz-meta-sha256'] as string | undefined
    const uploadId = query.get('uploadId') ?? ''
    const upload = this.uploads.get(uploadId)
    switch (`${request.method} ${query.has('partNumber') ? 'part' : (flag ?? '')}`) {
      case 'GET list-type':
        return send(response, 200, this.#listing(bucket!, query))
      case 'GET uploads':
        return send(response, 200, this.#uploading(bucket!, query.get('prefix') ?? ''))
      case 'POST uploads': {
        const id = randomUUID()
        this.uploads.set(id, { key: name, sha256, parts: new Map() })
        return send(response, 200, tag('InitiateMultipartUploadResult', tag('UploadId', id)))
      }
      case 'PUT part':
        if (!upload) return fail(404, 'NoSuchUpload')
        upload.parts.set(Number(query.get('partNumber')), body)
        return send(response, 200, '', { etag: `"${body.length}"` })
      case 'POST uploadId': {
        if (!upload) return fail(404, 'NoSuchUpload')
        const numbers = [...body.toString().matchAll(/<PartNumber>(\d+)</g)].map(([, n]) =>
          Number(n),
        )
        this.put(name, Buffer.concat(numbers.map((n) => upload.parts.get(n)!)), upload.sha256)
        this.uploads.delete(uploadId)
        return send(response, 200, tag('CompleteMultipartUploadResult', tag('Key', name)))
      }
      case 'DELETE uploadId':
        this.uploads.delete(uploadId)
        return send(response, 204, '')
      case 'PUT ':
        this.put(name, body, sha256)
        return send(response, 200, '', { etag: this.objects.get(name)!.etag })
      default:
        return this.#get(request, response, this.objects.get(name), fail)
    }
  }

  #get(
    { method, headers }: IncomingMessage,
    response: ServerResponse,
    object: Entry | undefined,
    fail: (status: number, code: string) => void,
  ): void {
    if (!object) return fail(404, 'NoSuchKey')
    const { bytes, etag, modified, sha256 } = object
    if (headers['if-match'] !== undefined && headers['if-match'] !== etag)
      return fail(412, 'PreconditionFailed')
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') ?? []
    const begin = Number(from ?? 0)
    const end = to ? Math.min(Number(to) + 1, bytes.length) : bytes.length
    response.writeHead(from === undefined ? 200 : 206, {
      etag,
      'last-modified': modified.toUTCString(),
      'content-length': end - begin,
      ...(sha256 === undefined ? {} : { 'x-amz-meta-sha256': sha256 }),
      ...(from === undefined
        ? {}
        : { 'content-range': `bytes ${begin}-${end - 1}/${bytes.length}` }),
    })
    if (method === 'HEAD') response.end()
    else if (end - begin <= this.breakAfter) response.end(bytes.subarray(begin, end))
    else
      response.write(bytes.subarray(begin, begin + this.breakAfter), () => {
        setTimeout(() => response.destroy(), 20)
      })
  }

  #listing(bucket: string, query: URLSearchParams): string {
    const prefix = `${bucket}/${query.get('prefix') ?? ''}`
    const all = [...this.objects.keys()].filter((name) => name.startsWith(prefix)).toSorted()
    const begin = Number(query.get('continuation-token') ?? 0)
    const isTruncated = begin + PAGE < all.length
    const contents = all.slice(begin, begin + PAGE).map((name) => {
      const { bytes, etag, modified } = this.objects.get(name)!
      const fields = { Key: name.slice(bucket.length + 1), Size: bytes.length, ETag: etag }
      const time = tag('LastModified', modified.toISOString())
      return tag(
        'Contents',
        Object.entries(fields)
          .map(([each, value]) => tag(each, value))
          .join('') + time,
      )
    })
    const next = isTruncated ? tag('NextContinuationToken', begin + PAGE) : ''
    return tag('ListBucketResult', contents.join('') + tag('IsTruncated', isTruncated) + next)
  }

  #uploading(bucket: string, prefix: string): string {
    const found = [...this.uploads].filter(([, { key }]) => key.startsWith(`${bucket}/${prefix}`))
    const uploads = found.map(([id, { key }]) =>
      tag('Upload', tag('Key', key.slice(bucket.length + 1)) + tag('UploadId', id)),
    )
    return tag('ListMultipartUploadsResult', uploads.join(''))
  }
}

/** Writes an element; elements inside are given as text that begins with `<`. */
function tag(name: string, content: string | number | boolean): string {
  const text = `${content}`
  const inside = text.startsWith('<') ? text : text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return `<${name}>${inside}</${name}>`
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

function crcOf(bytes: Buffer): string {
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc32(bytes))
  return sum.toString('base64')
}

function send(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/xml', ...headers })
  response.end(text)
}
