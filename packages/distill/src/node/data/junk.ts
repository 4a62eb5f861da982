// Names that operating systems, archivers and editors leave behind in folders of data. They are skipped at every depth, without a
// word: nobody put them there on purpose.

const junkNames = new Set([
  '__macosx',
  '@eadir',
  '__pycache__',
  'thumbs.db',
  'ehthumbs.db',
  'desktop.ini',
  'icon\r',
  '$recycle.bin',
  'system volume information',
  'lost+found',
  '#recycle',
  '@recycle',
])

/** Whether a file or folder of this name is never data: hidden ones and those of `junkNames`. */
export const isJunk = (name: string): boolean =>
  name.startsWith('.') || junkNames.has(name.toLowerCase())
