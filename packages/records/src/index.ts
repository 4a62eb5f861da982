/**
 * Records of trials: their schema, their form as JSON lines, and everything that is computed from them.
 * @module @embed-kd/records
 */
export {
  axes,
  axisNames,
  ANCHOR_CONTROLS,
  METHODS,
  PRECISIONS,
  PRESETS,
  REMATERIALISATIONS,
  trialSchema,
  type AxisName,
  type Trial,
} from './axes.js'
export {
  SEARCHED_AXES,
  type Axis,
  type AxisRole,
  type SearchedAxis,
  type SearchSpace,
} from './axis.js'
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
  distinguishingAxes,
  varyingAxes,
} from './trial-names.js'
export { packResults, unpackResults } from './image-results.js'
export { formatRecord, type ParsedRecords, parseRecords, RecordError } from './jsonl.js'
export { answersOf, compare } from './analysis/answers.js'
export type {
  Answer,
  Answers,
  Compared,
  Finding,
  Question,
  Support,
  Verdict,
} from './analysis/finding.js'
export {
  CALCULATED,
  type Calculator,
  calculatorOf,
  type CheckedTrial,
  type OwnTeacher,
  type Predicted,
  TEACHER_SHAPES,
  type WhatIf,
} from './analysis/calculator.js'
export { breakEven, type BreakEven, breakEvens } from './analysis/break-even.js'
export {
  type Change,
  type Changes,
  changesBetween,
  type Side,
  SINGLE_RUN_THRESHOLD,
} from './analysis/changes.js'
export {
  accuracyDifference,
  epochMeasure,
  finished,
  intervalOf,
  ratioOf,
  summaryOf,
} from './analysis/compare.js'
export {
  type Comparison,
  comparisonsOf,
  compareText,
  type Configuration,
  configurationsOf,
  lengthName,
  precisionName,
  type Scope,
  scopeName,
  scopeNamer,
  studentName,
  teacherName,
} from './analysis/corpus.js'
export {
  configurationTable,
  latexTable,
  markdownTable,
  type TextTable,
  tidyCsv,
  wideCsv,
} from './analysis/export.js'
export {
  abridged,
  counted,
  formatBytes,
  formatCount,
  formatFlops,
  formatPercent,
  formatPoints,
  formatPointsRange,
  formatRange,
  formatRatio,
  formatSeconds,
  listed,
  methodName,
  significant,
  statusName,
} from './analysis/format.js'
export { unexplainedBytes, unexplainedSentence } from './unexplained.js'
export {
  accuracy,
  devicePeakBytes,
  deviceResidentBytes,
  epochSeconds,
  extrapolatedEpochSeconds,
  hostPeakBytes,
  hostResidentBytes,
  imagesPerSecond,
  joulesPerStep,
  type Measure,
  MEASURES,
  plannedPeakBytes,
  knnAccuracy,
  linearProbeAccuracy,
  plannedResidentBytes,
  rooflineShare,
  stepSeconds,
  stepsPerEpoch,
} from './analysis/measures.js'
export {
  absenceOf,
  exhaustionOf,
  exhaustionSentence,
  type Failure,
  failuresOf,
} from './analysis/outcomes.js'
export { firstStart, historiesOf, type History } from './analysis/history.js'
export { methodSentences } from './analysis/method-words.js'
export { PAPER, PAPER_METHODS } from './analysis/paper.js'
export { type Content, type Payload, unpack } from './analysis/payload.js'
export {
  BASELINES,
  type Baseline,
  type Cell,
  type MethodRow,
  type MethodTable,
  methodTablesOf,
  type Test,
  settingKey,
} from './analysis/method-table.js'
export {
  formatP,
  LEVEL,
  METHOD_TABLE_NOTE,
  methodsCsv,
  methodTableText,
  methodTableTitle,
  sayAccuracy,
  sayDifference,
  sayP,
  saySeeds,
} from './analysis/method-table-text.js'
export { type Recommendation, recommendationsOf } from './analysis/recommendations.js'
export {
  type ControlGroup,
  controlsOf,
  type ControlTest,
  controlTable,
} from './analysis/controls.js'
export { type Search, searchesOf, searchTable } from './analysis/searches.js'
export { embeddingBytes, storeErrorWords } from './analysis/file-size.js'
export {
  type FewerTeachers,
  type TeacherSetGroup,
  teacherSetsOf,
  teacherSetTable,
} from './analysis/teacher-sets.js'
export {
  accuracyBySeconds,
  accuracyWithin,
  embeddingSeconds,
  spentSeconds,
  trainingSeconds,
} from './analysis/spending.js'
export { isControl, isSearch } from './analysis/variants.js'
export { costSetting, MATCHED_RULE, matchedSetting, timedSteps } from './analysis/setting.js'
export { machineName, runtimeName, versionName } from './analysis/source.js'
export {
  coversRuns,
  type Difference,
  excludesOne,
  excludesZero,
  type Interval,
  median,
  type Over,
  type Ratio,
  ratioRange,
} from './analysis/statistics.js'
export { MARGIN } from './analysis/support.js'
export { verdictOf } from './analysis/verdict.js'
export { distinctRecords, MOST_TEXT, RecordReader, type SkippedLine } from './reader.js'
export { renderReport, reportPieces, type ReportOptions } from './render.js'
export { summarizeTimes, type StepTimes } from './step-times.js'
export { isSummary, stepCount, summarize, SUMMARY_NOTICE } from './summary.js'
