// As in every package, but without the condition `module`: Node itself sees the conditions of tests, and cannot load the bundlers'
// files to which it leads in the AWS SDK.
import { defineConfig } from 'vitest/config'

import shared from '../../vitest.shared.js'

const conditions = shared.resolve!.conditions!.filter((name) => name !== 'module')

export default defineConfig({
  ...shared,
  resolve: { conditions },
  ssr: { resolve: { conditions } },
})
