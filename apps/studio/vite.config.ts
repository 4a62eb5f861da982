// Builds the studio into static files. Isolation from other origins, which a server must send headers for, gives wasm its threads.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { defineConfig, type Plugin } from 'vite'

const headers = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
}
const outDir = join(import.meta.dirname, 'dist')

/** Writes the service worker once all files that it keeps are written. */
const offline: Plugin = {
  name: 'offline',
  apply: 'build',
  closeBundle() {
    const files = readdirSync(outDir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name !== 'service-worker.js')
      .map(({ parentPath, name }) => join(parentPath, name).slice(outDir.length + 1))
      .map((path) => path.replaceAll('\\', '/'))
      .sort()
    const digest = createHash('sha256')
    for (const file of files) digest.update(file).update(readFileSync(join(outDir, file)))
    const list = files.map((file) => (file === 'index.html' ? './' : file))
    const script = readFileSync(join(import.meta.dirname, 'service-worker.js'), 'utf8')
    writeFileSync(
      join(outDir, 'service-worker.js'),
      `const FILES = ${JSON.stringify(list)}\nconst VERSION = '${digest.digest('hex').slice(0, 16)}'\n${script}`,
    )
  },
}

/** MNIST keeps its names, so that `embed-kd studio` can serve the files of packages/distill instead of a second copy. */
const assetPath = (name: string) =>
  name.endsWith('-ubyte.gz') ? `mnist-small/${name}` : 'assets/[name]-[hash][extname]'

export default defineConfig({
  base: './',
  resolve: { conditions: ['@embed-kd/source', 'browser', 'module', 'import', 'default'] },
  plugins: [offline],
  // tsc writes its declarations elsewhere, so this folder is Vite's alone.
  build: {
    outDir,
    target: 'esnext',
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    rolldownOptions: {
      checks: { pluginTimings: false },
      output: { assetFileNames: ({ names }) => assetPath(names[0]!) },
    },
  },
  worker: { format: 'es' },
  server: { headers },
  preview: { headers },
  logLevel: 'warn',
})
