// Checks that package-lock.json is the same for every npm and on every platform; with --fix, makes it so.
//   node .ci/lock.js [--fix]
// npm 11 writes which C library a package is for and npm 10 deletes it, so that `npm install` would change the file in turn.
// Hosts of registries do not belong there, and each optional binding must be there whatever platform wrote the file.
import { readFileSync, writeFileSync } from 'node:fs'

const file = new URL('../package-lock.json', import.meta.url)
const lock = JSON.parse(readFileSync(file, 'utf8'))
const fix = process.argv.includes('--fix')

/** The path that Node would find `name` at from the package at `path`; undefined if the lock has none. */
function findPackage(path, name) {
  const here = `${path === '' ? '' : `${path}/`}node_modules/${name}`
  if (here in lock.packages) return here
  if (path === '') return undefined
  const above = path.lastIndexOf('/node_modules/')
  return findPackage(above < 0 ? '' : path.slice(0, above), name)
}

const complaints = []
for (const [path, entry] of Object.entries(lock.packages)) {
  for (const name of Object.keys(entry.optionalDependencies ?? {}))
    if (!findPackage(path, name)) complaints.push(`${path} lacks its optional ${name}`)
  const unwanted = ['libc', ...(entry.resolved?.includes('://') ? ['resolved'] : [])]
  for (const field of unwanted.filter((name) => name in entry))
    if (fix) delete entry[field]
    else complaints.push(`${path} has a field "${field}"; node .ci/lock.js --fix removes it`)
}
if (fix) writeFileSync(file, `${JSON.stringify(lock, undefined, 2)}\n`)
for (const complaint of complaints) console.error(`package-lock.json: ${complaint}`)
process.exitCode = complaints.length === 0 ? 0 : 1
