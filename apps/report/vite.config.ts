// Builds the page into one HTML file, dist/index.html: no second file, no network, and no script but its own.
import { createHash } from 'node:crypto'
import { defineConfig, type Plugin } from 'vite'
import { viteSingleFile } from 'vite-plugin-singlefile'
import { pageParts } from './page-parts.js'

/** Names the inlined script by digest in the page's Content-Security-Policy, so that no other script can run. */
const hashScript: Plugin = {
  name: 'hash-inlined-script',
  enforce: 'post',
  generateBundle: {
    order: 'post',
    handler(_options, bundle) {
      const page = bundle['index.html']
      if (page?.type !== 'asset' || typeof page.source !== 'string') {
        throw new Error('expected the bundle to hold index.html as text')
      }
      const script = /<script type="module"[^>]*>([\s\S]*?)<\/script>/.exec(page.source)?.[1]
      if (script === undefined) throw new Error('expected one inlined module script in index.html')
      const digest = createHash('sha256').update(script).digest('base64')
      page.source = page.source.replace("'sha256-of-the-script'", `'sha256-${digest}'`)
    },
  },
}

export default defineConfig({
  plugins: [viteSingleFile(), hashScript, pageParts()],
  // tsc writes into dist/ as well, so that it is not to be emptied.
  build: {
    target: 'es2023',
    emptyOutDir: false,
    modulePreload: false,
    reportCompressedSize: false,
  },
  logLevel: 'warn',
})
