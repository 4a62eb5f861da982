// The package's door: one factory, under the name that command lines look for (`backend`) and under its own.
import type { BackendFactory } from '@embed-kd/core'

import { tfjsBackend as implementation } from './backend.js'

/** TensorFlow.js in this package's declarations would bring its own, which do not compile without `skipLibCheck`. */
export const tfjsBackend: BackendFactory = implementation
export { tfjsBackend as backend }
