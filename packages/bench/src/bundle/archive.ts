// Makes the relocatable archive: Node itself, the packages with their layout kept so that Node resolves them as here, and a
// start script that needs nothing but a shell. What runs on the other side is the same code as here.
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'

import { UserError, messageOf } from '@embed-kd/core'
import { PROVENANCE } from '../measure/environment.js'
import { packageClosure, type InstalledPackage } from './closure.js'

export interface Archive {
  readonly bytes: number
  /** Version by name. */
  readonly packages: Readonly<Record<string, string>>
}

const NAME = 'embed-kd'

/** xz's filter for the machine code of native libraries; xz knows others, but not every version of it. */
const MACHINE_CODE = process.arch === 'x64' ? '--x86' : ''

/** Parts of packages that nothing reads at run time; licence notices travel with what they are of. */
const UNUSED_FILES = /\.(map|ts|mts|cts|tsbuildinfo|md)$/i
const NOTICES = /^(licen[cs]e|notice|copying|third.?party)/i
const UNUSED_DIRECTORIES = new Set(['node_modules', 'test', 'tests', '.tsbuild', '.turbo'])
/** Our own packages are built from these, and others may run from theirs. */
const OUR_SOURCES = 'src'

/** Endings from which tar knows how to compress. */
const ENDINGS = ['.tar.xz', '.tar.gz', '.tgz', '.tar']

/**
 * @param program directory of the package that has the command, @param entry its file.
 * @throws UserError if the archive's name has another ending, or it cannot be written.
 */
export function makeArchive(
  program: string,
  entry: string,
  leaveOut: ReadonlySet<string>,
  provenance: object,
  out: string,
): Archive {
  if (!ENDINGS.some((ending) => out.endsWith(ending)))
    throw new UserError(
      `${out} is no name of an archive`,
      `give one that ends in ${ENDINGS.join(', ')}`,
    )
  const packages = packageClosure(program, leaveOut)
  const root = commonDirectory(packages.map(({ directory }) => directory))
  const staging = mkdtempSync(join(tmpdir(), 'embed-kd-bundle-'))
  try {
    const home = join(staging, NAME)
    mkdirSync(join(home, 'bin'), { recursive: true })
    cpSync(process.execPath, join(home, 'bin/node'))
    const place = (path: string) => join(home, 'app', relative(root, path))
    for (const item of packages) copyPackage(item, place)
    const start = `"$here/bin/node" "$here/app/${relative(root, join(program, entry))}"`
    writeFileSync(join(home, NAME), `#!/bin/sh\nhere=\${0%/*}\nexec ${start} "$@"\n`)
    chmodSync(join(home, NAME), 0o755)
    writeFileSync(place(PROVENANCE), JSON.stringify(provenance))
    compress(staging, out)
  } finally {
    rmSync(staging, { recursive: true })
  }
  const versions = packages.map(({ name, version }) => [name, version])
  return { bytes: statSync(out).size, packages: Object.fromEntries(versions) }
}

function copyPackage(
  { name, directory, foundAt }: InstalledPackage,
  place: (path: string) => string,
) {
  const own = name.startsWith('@embed-kd/')
  cpSync(directory, place(directory), {
    recursive: true,
    filter: (path) => {
      const inside = relative(directory, path)
      const file = basename(path)
      return !(
        (UNUSED_DIRECTORIES.has(file) && inside !== '') ||
        (own && inside === OUR_SOURCES) ||
        (UNUSED_FILES.test(file) && !NOTICES.test(file)) ||
        isForAnotherSystem(inside)
      )
    },
  })
  if (directory === foundAt) return
  const link = place(foundAt)
  mkdirSync(dirname(link), { recursive: true })
  symlinkSync(relative(dirname(link), place(directory)), link)
}

/** onnxruntime-node and webgpu carry the libraries of all systems: bin/napi-v6/linux/x64, dist/linux-x64. */
function isForAnotherSystem(path: string): boolean {
  const [, system, machine] =
    /^bin\/napi-v\d+\/([^/]+)(?:\/([^/]+))?/.exec(path) ??
    /^dist\/(darwin|linux|win32)-([^/]+)/.exec(path) ??
    []
  return (
    (system !== undefined && system !== process.platform) ||
    (machine !== undefined && machine !== process.arch && machine !== 'universal')
  )
}

function commonDirectory(directories: readonly string[]): string {
  const [first = [], ...others] = directories.map((directory) => directory.split('/'))
  const differs = first.findIndex((part, i) => others.some((other) => other[i] !== part))
  return (differs < 0 ? first : first.slice(0, differs)).join('/')
}

/** The ending of `out` says how: .tar, .tar.gz, .tar.xz. */
function compress(staging: string, out: string): void {
  try {
    execFileSync('tar', ['--auto-compress', '-cf', out, '-C', staging, NAME], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, XZ_OPT: `-T0 ${MACHINE_CODE} --lzma2=preset=6` },
    })
  } catch (error) {
    throw new UserError(
      `${out} cannot be written (${firstLine((error as { stderr?: Buffer }).stderr) ?? messageOf(error)})`,
      'choose another --out; .tar.xz needs tar and xz, .tar.gz needs tar and gzip',
    )
  }
}

const firstLine = (text: Buffer | undefined): string | undefined =>
  text?.toString().trim().split('\n')[0] || undefined
