// The table of reference kernels, which defines what every op computes.
import type { OpName } from '../graph/ops.js'
import { composites } from './composites.js'
import { elementwise } from './elementwise.js'
import type { Kernels } from './kernel.js'
import { layout } from './layout.js'
import { reductions } from './reductions.js'

/** The kernel of every op. An op without a kernel is a compile error. */
export const kernels: Kernels<OpName> = {
  ...elementwise,
  ...layout,
  ...reductions,
  ...composites,
}
