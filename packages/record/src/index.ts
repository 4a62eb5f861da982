// The record of one trial: its schema, its types, and its form as a JSON line. Statistics belong to the benchmark.
export {
  METHODS,
  PRECISIONS,
  PRESETS,
  REMATERIALISATIONS,
  recordJsonSchema,
  recordSchema,
  SCHEMA_VERSION,
  STATUSES,
  type BenchRecord,
  type Environment,
  type Method,
  type Preset,
  type Status,
  type Trial,
} from './schema.js'
export { formatRecord, type ParsedRecords, parseRecords, RecordError } from './jsonl.js'
