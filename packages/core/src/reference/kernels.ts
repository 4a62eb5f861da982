// The reference's table: what every op means.
import type { OpName } from '../graph/ops.js'
import { composites } from './composites.js'
import { elementwise } from './elementwise.js'
import type { Kernels } from './kernel.js'
import { layout } from './layout.js'
import { reductions } from './reductions.js'

/** One definition for each op; an op without one does not compile. */
export const kernels: Kernels<OpName> = {
  ...elementwise,
  ...layout,
  ...reductions,
  ...composites,
}
