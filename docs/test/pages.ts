// The code blocks of the guides and READMEs: where they stand, their language, their text.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

export const root = join(import.meta.dirname, '../..')

export interface Block {
  /** `docs/quick-start.md:14`, the line of the opening fence. */
  readonly place: string
  readonly language: string
  readonly text: string
}

const markdownOf = (folder: string): string[] =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(root, folder, name))

const readmesOf = (folder: string): string[] =>
  readdirSync(join(root, folder))
    .map((name) => join(root, folder, name, 'README.md'))
    .filter((file) => existsSync(file))

/** Returns every fenced code block of the documentation. */
export function codeBlocks(): Block[] {
  return [
    ...markdownOf('.'),
    ...markdownOf('docs'),
    ...readmesOf('packages'),
    ...readmesOf('apps'),
  ].flatMap((file) => {
    const text = readFileSync(file, 'utf8')
    return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map((match) => ({
      place: `${relative(root, file)}:${text.slice(0, match.index).split('\n').length}`,
      language: match[1]!,
      text: match[2]!,
    }))
  })
}
