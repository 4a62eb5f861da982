// What every package's vitest.config.ts has in common: packages see each other's sources, built files are not older than the
// sources, and slow machines get time.
import { fileURLToPath } from 'node:url'

import { defineConfig } from 'vitest/config'

const conditions = ['@embed-kd/source', 'module', 'node', 'import', 'default']

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    globalSetup: fileURLToPath(new URL('vitest.build.ts', import.meta.url)),
    include: ['test/**/*.test.ts'],
    // On a busy machine a training step on a GPU in software takes more than a minute.
    testTimeout: 180_000,
    hookTimeout: 60_000,
  },
})
