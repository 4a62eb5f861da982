// What every package's vitest.config.ts has in common: packages see each other's sources, and slow machines get time.
import { defineConfig } from 'vitest/config'

const conditions = ['@embed-kd/source', 'module', 'node', 'import', 'default']

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
