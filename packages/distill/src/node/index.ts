/**
 * Data sets, encoders, embedding files and training runs: what distillation needs of Node.
 * @module @embed-kd/distill/node
 */
export { type Augmentation, noAugmentation } from '../images/augment.js'
export { BackgroundBatches } from './data/background.js'
export { type Batch, evaluationBatches, trainingBatches } from './data/batches.js'
export { type Dataset, DatasetError } from './data/dataset.js'
export {
  datasetBatches,
  type DatasetBatches,
  type DatasetBatchOptions,
} from './data/dataset-batches.js'
export { Feed, mapBatches, squareImages } from './data/feed.js'
export {
  clearCache,
  defaultCacheDirectory,
  listCache,
  type CacheEntry,
} from './data/cache-directory.js'
export { type DataProgress } from './data/cache.js'
export { describeContents, explainChange, type DatasetContents } from './data/contents.js'
export { UndecodableError } from './data/decode.js'
export { createInputWriter, type ModelInput } from './data/input.js'
export { isLabelled, requireLabels } from './data/labels.js'
export {
  type DatasetOptions,
  datasetSpecs,
  loadDataset,
  mnistSmallDirectory,
} from './data/registry.js'
export {
  firstImages,
  firstOfEachClass,
  holdOut,
  shareOfEachClass,
  type Subset,
  wholeSplit,
} from './data/subsets.js'
export { loadCentroids } from './embeddings/load-centroids.js'
export { type Made, makeCentroids, makeSamples } from './embeddings/make.js'
export { RowWriter } from './embeddings/row-writer.js'
export { sampleColumns } from './embeddings/sample-files.js'
export { SampleStore } from './embeddings/samples.js'
export {
  type CorruptionName,
  corruptionNames,
  findCorruption,
  severities,
  type Severity,
} from './evaluation/corruptions.js'
export {
  type Accuracies,
  evaluate,
  type EvaluateOptions,
  type Evaluation,
} from './evaluation/evaluate.js'
export {
  type EmbeddingJudge,
  MOST_TRAINING_IMAGES,
  StudentJudge,
} from './evaluation/student-judge.js'
export { noteShard, shardFile } from './embeddings/shards.js'
export { encodeRows } from '../embeddings/store.js'
export { FileLock, type LockOptions } from './files/lock.js'
export { makeDirectory } from './files/make-directory.js'
export { writeFailure, writeJson, writeOutputFile } from './files/output-file.js'
export { isRunning, type ProcessName } from './files/process-name.js'
export { SafetensorsReader } from './files/safetensors-file.js'
export { cachedFile, digestOf, hashOf, writeTensors } from './files/tensors.js'
export { isObjectAddress } from './objects/address.js'
export { mirrorRecords } from './objects/mirror.js'
export { openOutput, type Output } from './objects/output.js'
export { StoredDirectory } from './objects/stored-directory.js'
export { exportOnnxModel, exportSafetensors, runOnnx, type TrainedModel } from './run/export.js'
export {
  InterruptedError,
  type RunConfig,
  type RunObserver,
  type RunResult,
  runTraining,
} from './run/run.js'
export {
  openSignal,
  randomSignal,
  type Signal,
  type SignalOptions,
  type TeacherFile,
} from './run/signal.js'
export { GraphEncoder } from './teachers/graph-encoder.js'
export { saveHfTeacher } from './teachers/hf-save.js'
export { digestFiles } from './teachers/checkpoint.js'
export { describeHfTeacher, loadHfTeacher } from './teachers/hf.js'
export {
  findTeacher,
  findTrainedTeacher,
  isNamed,
  type NamedTeacher,
  type SingleTeacher,
  teacherNames,
  teacherSpecs,
  type TeacherTraining,
  teacherWords,
} from './teachers/named.js'
export { probabilitiesIn, scoreEncoder } from './teachers/scores.js'
export { type Encoder } from './teachers/encoder.js'
export {
  checkTeacher,
  describeTeacher,
  type TeacherFacts,
  type TeacherMember,
} from './teachers/facts.js'
export { openEncoder } from './teachers/open.js'
export {
  resolveLocalTeacher,
  resolveTeacher,
  shortTeacherName,
  encoderKinds,
  teacherKinds,
  type ResolvedTeacher,
} from './teachers/resolve.js'
export { renormalised, teacherWeights } from './teachers/weights.js'
export {
  backendSpec,
  complaintOf,
  openBackend,
  ownBackends,
  resolveBackend,
  type Complaint,
  type ResolvedBackend,
} from './backends.js'
export { type ModuleReference } from './files/user-module.js'
export { studentSchema } from './student-schema.js'
export { distill, type Distilled, type DistillOptions, type DistillSummary } from './run/distill.js'
export type { OnnxCheck } from './run/onnx-check.js'
export {
  embed,
  type Embedded,
  embeddingKinds,
  type EmbeddingKind,
  type EmbedOptions,
} from './run/embed.js'
export { isMethodWord, loadMethod, type LoadedMethod, methodWords } from './run/method.js'
export type { DataOptions, Observer, RunOptions } from './run/options.js'
export { type TeacherSummary, trainTeacher, type TrainTeacherOptions } from './run/train-teacher.js'
export {
  describePretrained,
  fetchPretrained,
  initialWeights,
  pretrainedModel,
  type PretrainedStudent,
} from './run/initial-weights.js'
