// Measuring, trials and sweeps, for the command line and for programs of your own.
export { openBackend, ownBackends, resolveBackend } from '@embed-kd/distill/node'
export { makeArchive } from './bundle/archive.js'
export { captureEnvironment, commit } from './measure/environment.js'
export { redactRecord } from './measure/redact.js'
export { ownMemory } from './measure/memory.js'
export { describeProfile, sharesOf } from './measure/operators.js'
export { unavailableReason, probeBackends, requireAvailable } from './sweep/availability.js'
export { estimateTrials } from './sweep/clock.js'
export { compareRecords } from './sweep/compare.js'
export { type TrialConfig } from './axes/config.js'
export {
  defaultWords,
  flagOf,
  parseAxisValue,
  isSwitch,
  parseAxisValues,
  valueInTrial,
} from './axes/words.js'
export { loadMethods } from './axes/methods.js'
export { optionOf, type GivenAxis } from './axes/table.js'
export {
  expandGrids,
  type Grid,
  gridAxes,
  gridFields,
  lengthAxes,
  parseGrids,
  sweepJsonSchema,
} from './sweep/grid.js'
export { makeRecord } from './sweep/make-record.js'
export { findMaxBatches, searchLargestBatch } from './sweep/max-batch.js'
export { mergeRecords } from './sweep/merge.js'
export { openData, type PlannedTrial, planTrials, widthOf } from './sweep/plan.js'
export { chooseCandidate, planSweep, SEARCH_SEED, type PlannedSweep } from './sweep/search.js'
export { shardOf } from './sweep/shards.js'
export { Preparations } from './sweep/prepare.js'
export { findProfile, profiles } from './sweep/profiles.js'
export { type SweepListener } from './sweep/listener.js'
export { formatRerun, parseRerun } from './sweep/rerun.js'
export { runSweep, type SweepResult } from './sweep/run-sweep.js'
export { readRecordFiles } from './sweep/read-files.js'
export { readRecords, recordsFile, RecordStore, type Shard } from './sweep/store.js'
export { sweep, type SweepRequest } from './sweep/sweep.js'
export { summaryTables } from './sweep/summary.js'
export { type ProbeResult } from './measure/probe.js'
export { type JobLimits, runJob } from './trial/run-job.js'
export { measureTrial } from './trial/measure-trial.js'
