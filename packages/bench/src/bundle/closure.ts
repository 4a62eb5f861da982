// The packages a program needs at run time, found as Node finds them: in the node_modules of a package's directory or above.
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'

export interface InstalledPackage {
  readonly name: string
  readonly version: string
  /** Where its files are, without links. */
  readonly directory: string
  /** Where Node finds it: `directory`, or a link to it. */
  readonly foundAt: string
}

/** C library that this process runs on, as npm calls it. */
const libc = (process.report.getReport() as { header: { glibcVersionRuntime?: string } }).header
  .glibcVersionRuntime
  ? 'glibc'
  : 'musl'

interface Manifest {
  readonly name: string
  readonly version: string
  /** C libraries that a package with a native library is made for; absent for all others. */
  readonly libc?: readonly string[]
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>
}

/**
 * Returns a package and all it depends on, optional dependencies and optional peers as far as they are installed.
 * @param leaveOut dependencies that are not followed.
 * @throws if a dependency is not installed.
 */
export function packageClosure(root: string, leaveOut: ReadonlySet<string>): InstalledPackage[] {
  const found = new Map<string, InstalledPackage>()
  const visit = (foundAt: string) => {
    if (found.has(foundAt)) return
    const directory = realpathSync(foundAt)
    const manifest = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as Manifest
    const { name, version, optionalDependencies = {}, peerDependenciesMeta = {} } = manifest
    if (manifest.libc && !manifest.libc.includes(libc)) return
    found.set(foundAt, { name, version, directory, foundAt })
    const all = {
      ...manifest.dependencies,
      ...manifest.peerDependencies,
      ...optionalDependencies,
    }
    for (const dependency of Object.keys(all)) {
      if (leaveOut.has(dependency)) continue
      const place = findPackage(directory, dependency)
      if (place !== undefined) visit(place)
      else if (!(dependency in optionalDependencies || peerDependenciesMeta[dependency]?.optional))
        throw new Error(`${name} needs ${dependency}, which is not installed`)
    }
  }
  visit(realpathSync(root))
  return [...found.values()]
}

function findPackage(from: string, name: string): string | undefined {
  for (let directory = from; ; directory = dirname(directory)) {
    const place = join(directory, 'node_modules', name)
    if (existsSync(join(place, 'package.json'))) return place
    if (dirname(directory) === directory) return undefined
  }
}
