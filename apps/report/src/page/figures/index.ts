// The figures of the report, in the order they are read.
import { breakEvenFigure } from './break-even.js'
import { plannedMeasured, roofline } from './checks.js'
import { curves } from './curves.js'
import { fileSize } from './file-size.js'
import type { Figure } from './figure.js'
import { history } from './history.js'
import { paperFigure } from './paper-figure.js'
import { pareto } from './pareto.js'
import { ratios } from './ratios.js'
import { batchSize, teacherSize } from './scaling.js'
import { spending } from './spending.js'

export const FIGURES: readonly Figure[] = [
  ratios,
  paperFigure,
  teacherSize,
  batchSize,
  pareto,
  spending,
  fileSize,
  curves,
  breakEvenFigure,
  plannedMeasured,
  roofline,
  history,
]
