// Packs every package and checks what users would install: contents, publint, attw, types in a project outside, sizes.
//   npm run check:packages
// Needs the npm registry, as a user's `npm install` does.
import { execFileSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const work = mkdtempSync(join(tmpdir(), 'embed-kd-packages-'))
const bin = (name) => join(root, 'node_modules/.bin', name)

const run = (command, args, cwd = root) => {
  try {
    return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  } catch (error) {
    console.error(`${command} ${args.join(' ')} failed in ${cwd}:\n${error.stdout}${error.stderr}`)
    process.exit(1)
  }
}

const directories = readdirSync(join(root, 'packages')).map((name) => join(root, 'packages', name))
const mebibytes = (bytes) => `${(bytes / 2 ** 20).toFixed(2)} MiB`

/** Bytes of a directory, as its files count them. */
const sizeOf = (path) =>
  statSync(path).isDirectory()
    ? readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0)
    : statSync(path).size

/** Packs a package and checks what is in it. */
function pack(directory) {
  const manifest = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'))
  const [{ filename, files, size, unpackedSize }] = JSON.parse(
    run('npm', ['pack', '--json', '--pack-destination', work], directory),
  )
  const has = (prefix) => files.some(({ path }) => path.startsWith(prefix))
  const missing = ['dist/', 'src/', 'README.md', 'LICENSE'].filter((path) => !has(path))
  if (missing.length > 0) {
    console.error(`${manifest.name} lacks ${missing.join(', ')}; build first: npx turbo run build`)
    process.exit(1)
  }
  const tarball = join(work, filename)
  run(bin('publint'), ['run', '--strict', tarball])
  // A package that is only a command has no types.
  const entries = Object.keys(manifest.exports).filter((entry) => entry !== './package.json')
  if (entries.length > 0) run(bin('attw'), [tarball, '--profile', 'esm-only'])
  console.log(`${manifest.name}: ${mebibytes(size)} packed, ${mebibytes(unpackedSize)} unpacked`)
  return { name: manifest.name, tarball, entries }
}

/** Installs tarballs in an empty project, as somebody else's would. */
function install(name, dependencies) {
  const project = join(work, name)
  mkdirSync(project)
  // None of the packages is on the registry yet, so every one of them comes from its tarball.
  const tarballs = Object.fromEntries(packages.map((item) => [item.name, `file:${item.tarball}`]))
  const wanted = Object.fromEntries(dependencies.map((item) => [item, tarballs[item] ?? '*']))
  const overrides = Object.fromEntries(
    Object.entries(tarballs).filter(([item]) => !(item in wanted)),
  )
  writeFileSync(
    join(project, 'package.json'),
    JSON.stringify({ private: true, type: 'module', dependencies: wanted, overrides }),
  )
  run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund'], project)
  return project
}

function checkTypes(project, entries) {
  const imports = entries.map((entry, i) => `export * as m${i} from '${entry}'\n`)
  writeFileSync(join(project, 'index.ts'), imports.join(''))
  for (const [module, moduleResolution, customConditions] of [
    ['NodeNext', 'NodeNext', []],
    ['ESNext', 'Bundler', []],
    ['ESNext', 'Bundler', ['browser']],
  ]) {
    const options = { module, moduleResolution, customConditions, target: 'ES2023' }
    const compilerOptions = { ...options, strict: true, noEmit: true, skipLibCheck: false }
    const types = { types: ['node'], typeRoots: [join(root, 'node_modules/@types')] }
    writeFileSync(
      join(project, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: { ...compilerOptions, ...types }, files: ['index.ts'] }),
    )
    run(bin('tsc'), ['-p', project])
    const resolution = [moduleResolution, ...customConditions].join(' for ')
    console.log(`types compile with module resolution ${resolution}, skipLibCheck off`)
  }
}

const packages = directories.map(pack)

const command = install('command', ['embed-kd'])
const cli = join(command, 'node_modules/embed-kd/bin/embed-kd.js')
console.log(`embed-kd ${run('node', [cli, '--version'], command).trim()} runs`)
console.log(run('node', [cli, 'doctor', '--backend', 'ort:cpu,reference:cpu'], command).trim())
// A sweep on data that come with the packages: nothing is downloaded.
const sweep =
  'bench --dataset mnist-small --student small --teacher vit-tiny-32 --method embed-kd --steps 2'
console.log(run('node', [cli, ...sweep.split(' ')], command).trim())
const installed = sizeOf(join(command, 'node_modules'))
const core = sizeOf(join(command, 'node_modules/@embed-kd/core'))
console.log(`the command with ONNX Runtime: ${mebibytes(installed)}; core: ${mebibytes(core)}`)

const libraries = packages.filter(({ entries }) => entries.length > 0)
const library = install(
  'library',
  libraries.map(({ name }) => name),
)
checkTypes(
  library,
  libraries.flatMap(({ name, entries }) => entries.map((entry) => name + entry.slice(1))),
)
rmSync(work, { recursive: true })
