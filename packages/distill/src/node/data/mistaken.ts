// Names the contents of a file that cannot be read as an image, by its first bytes: a failed download, or a format that is not read.

interface Content {
  /** Beginnings of such files, in lower case; white space before them does not matter. */
  readonly starts: readonly string[]
  /** Byte at which the beginning is looked for (default: 0). */
  readonly at?: number
  readonly cause: string
}

/** In the order in which they are tried. */
const contents: readonly Content[] = [
  {
    starts: ['version https://git-lfs'],
    cause: 'it is a pointer of Git LFS: git lfs pull fetches the image',
  },
  { starts: ['<!doctype html', '<html'], cause: 'it is a web page, not an image' },
  {
    starts: ['<?xml', '<error'],
    cause: 'it is XML, as of a drawing (SVG) or the error of a server, not an image',
  },
  { starts: ['{"', '[{'], cause: 'it is JSON, perhaps the error of a server, not an image' },
  { starts: ['%pdf'], cause: 'it is a PDF' },
  { starts: ['pk\x03\x04'], cause: 'it is a ZIP archive' },
  { starts: ['8bps'], cause: 'it is a Photoshop file; export it as PNG' },
  { starts: ['\0\0\x01\0'], cause: 'it is an icon (ICO); convert it to PNG' },
  {
    at: 4,
    starts: ['ftyphei', 'ftyphev', 'ftypmif1', 'ftypmsf1'],
    cause: 'it is HEIC, a photo of a phone; convert it to JPEG',
  },
  { at: 4, starts: ['ftypmp4', 'ftypiso', 'ftypqt', 'ftypm4v'], cause: 'it is a video' },
  { at: 4, starts: ['jp  '], cause: 'it is JPEG 2000; convert it to PNG' },
  { at: 4, starts: ['jxl '], cause: 'it is JPEG XL; convert it to PNG' },
]

/** Says what a file is that is no image, if its first bytes tell. */
export function mistakenFor(bytes: Uint8Array): string | undefined {
  const head = Buffer.from(bytes.subarray(0, 64))
  if (head.every((byte) => byte === 0))
    return 'it begins with zeros, as after a copy that broke off'
  const text = head.toString('latin1').toLowerCase()
  return contents.find(({ starts, at = 0 }) => {
    const begin = at === 0 ? text.trimStart() : text.slice(at)
    return starts.some((start) => begin.startsWith(start))
  })?.cause
}
