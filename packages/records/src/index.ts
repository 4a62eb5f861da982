// Records of trials: their schema, their form as JSON lines, and everything computed from them.
export {
  axes,
  axisNames,
  METHODS,
  PRECISIONS,
  PRESETS,
  REMATERIALISATIONS,
  trialSchema,
  type Axis,
  type AxisName,
  type AxisRole,
  type Trial,
} from './axes.js'
export {
  recordJsonSchema,
  recordSchema,
  SCHEMA_VERSION,
  STATUSES,
  type BenchRecord,
  type Environment,
  type Method,
  type Preset,
  type Status,
} from './schema.js'
export {
  axisKey,
  axisWords,
  describeConfiguration,
  describeTrial,
  groupKey,
  varyingAxes,
} from './trial-names.js'
export { formatRecord, type ParsedRecords, parseRecords, RecordError } from './jsonl.js'
export {
  answer,
  type Answer,
  breakEven,
  type BreakEven,
  compare,
  type Finding,
  largestBreakEven,
  type Question,
} from './analysis/answers.js'
export { type Change, changesBetween, SINGLE_RUN_THRESHOLD } from './analysis/changes.js'
export {
  type Comparison,
  comparisonsOf,
  type Configuration,
  configurationsOf,
  machineName,
  precisionName,
  type Scope,
  scopeName,
  scopeNamer,
  teacherName,
} from './analysis/corpus.js'
export {
  counted,
  formatBytes,
  formatCount,
  formatFlops,
  formatPercent,
  formatRange,
  formatRatio,
  formatSeconds,
  listed,
  methodName,
  significant,
  statusName,
} from './analysis/format.js'
export {
  accuracy,
  devicePeakBytes,
  deviceResidentBytes,
  epochSeconds,
  finished,
  hostPeakBytes,
  hostResidentBytes,
  imagesPerSecond,
  intervalOf,
  type Measure,
  MEASURES,
  plannedPeakBytes,
  plannedResidentBytes,
  ratioOf,
  rooflineShare,
  stepSeconds,
  summaryOf,
} from './analysis/measures.js'
export { PAPER } from './analysis/paper.js'
export { type Content, type Payload, unpack } from './analysis/payload.js'
export {
  excludesOne,
  type Interval,
  median,
  type Ratio,
  ratioRange,
} from './analysis/statistics.js'
export { renderReport, type ReportOptions } from './render.js'
