// The page of a report, as the build copied it from apps/report next to this package's compiled files.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const PAGE = new URL('../dist/report.html', import.meta.url)

/** Returns the text of the report's page. @throws if the package was not built. */
export function reportPage(): string {
  try {
    return readFileSync(PAGE, 'utf8')
  } catch (cause) {
    throw new Error(
      `the report's page ${fileURLToPath(PAGE)} cannot be read; build it with: npx turbo run build`,
      { cause },
    )
  }
}
