// `embed-kd cache`: lists what the cache holds, and clears it.
import {
  clearCache,
  defaultCacheDirectory,
  listCache,
  type CacheEntry,
} from '@embed-kd/distill/node'
import { formatBytes } from '@embed-kd/records/terminal'
import { Command } from 'commander'

interface Options {
  readonly json?: boolean
}

export const cacheCommand = (): Command =>
  new Command('cache')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
The cache is the directory embed-kd in $XDG_CACHE_HOME (default: ~/.cache). It keeps decoded images, of which those used
least recently give way to new ones, and downloads. Nothing in it is needed: whatever is cleared is made again.

Examples:
  embed-kd cache
  embed-kd cache clear
  embed-kd cache clear --downloads
`,
    )
    .action(({ json }: Options) => print(listCache(defaultCacheDirectory()), json))
    .addCommand(clearCommand())

const clearCommand = (): Command =>
  new Command('clear')
    .description('remove decoded images and what killed processes left')
    .option('--downloads', 'remove downloads too')
    .option('--json', 'print the result as JSON')
    .action(({ downloads }: { readonly downloads?: boolean }, command: Command) => {
      const { json } = command.optsWithGlobals<Options>()
      const entries = listCache(defaultCacheDirectory())
      const cleared = clearCache(
        entries.filter(({ kind }) => downloads === true || kind !== 'download'),
      )
      if (!json) process.stdout.write(`cleared ${describeCount(cleared)}\n`)
      print(json ? cleared : entries.filter((entry) => !cleared.includes(entry)), json)
    })

const describeCount = (entries: readonly CacheEntry[]): string =>
  `${entries.length === 1 ? '1 entry' : `${entries.length} entries`}, ` +
  formatBytes(entries.reduce((sum, { bytes }) => sum + bytes, 0))

function print(entries: readonly CacheEntry[], json: boolean | undefined): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(entries)}\n`)
    return
  }
  const rows = entries.map(({ kind, dataset, path, bytes, lastUse }) =>
    [
      formatBytes(bytes).padStart(9),
      lastUse.toISOString().slice(0, 16).replace('T', ' '),
      kind.padEnd(14),
      dataset ?? path,
    ].join('  '),
  )
  process.stdout.write(
    [...rows, `${defaultCacheDirectory()}: ${describeCount(entries)}`, ''].join('\n'),
  )
}
