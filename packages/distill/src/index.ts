/**
 * Training a student from a teacher or from its embeddings, on any backend. Platform-neutral: no Node import.
 * @module @embed-kd/distill
 */
export { type AnchorControl, anchorControls, controlAnchors } from './embeddings/anchors.js'
export {
  centroidsOf,
  type CentroidOptions,
  type EmbeddingRows,
  sampleEmbeddings,
} from './embeddings/centroids.js'
export type { Centroids, SampleEmbeddings } from './embeddings/embeddings.js'
export {
  type FileBytes,
  readCentroids,
  readEmbeddings,
  writeEmbeddings,
} from './embeddings/file.js'
export { parseStore, rowBytes, type Store, storePattern, storeWords } from './embeddings/store.js'
export { teacherSize, type TeacherSize } from './embeddings/teacher-size.js'
export type { StoreError } from './embeddings/store-error.js'
export { linearCka, meanCosine } from './evaluation/alignment.js'
export {
  classifyRows,
  fitLinearProbe,
  fitLogisticRegression,
  type LinearClassifier,
  type LinearProbe,
  linearProbeAccuracy,
  type LogisticOptions,
  PROBE_GRID,
  type ProbeOptions,
} from './evaluation/linear-probe.js'
export {
  knnAccuracy,
  meanAveragePrecision,
  nearestRows,
  type Neighbours,
  recallAt,
  voteClasses,
} from './evaluation/neighbours.js'
export { calibrationError, highestColumns, nearestAnchors } from './evaluation/probabilities.js'
export { type LabelledRows, type Rows, shareRight } from './evaluation/rows.js'
export { type SearchOptions, visitSimilarities } from './evaluation/similarities.js'
export { arrayBatches, type ArrayBatchOptions, type ImageArrays } from './training/array-batches.js'
export {
  type Augmentation,
  formatAugmentation,
  noAugmentation,
  parseAugmentation,
} from './images/augment.js'
export {
  findStudent,
  STUDENT_EXAMPLE,
  type Student,
  type StudentConfig,
  studentModel,
  students,
} from './models/students.js'
export type {
  Batches,
  BatchSource,
  ImageBatch,
  ImageFormat,
  TeacherRows,
} from './training/batch.js'
export { type Classification, formatConfusion } from './training/classification.js'
export {
  microBatchOf,
  stepDefaults,
  type StepOptions,
  type StepSubject,
  trainingConfig,
} from './training/config.js'
export type { EpochPosition, EpochSummary, StepReport } from './training/epochs.js'
export { EVALUATION_BATCH, type Prediction } from './training/evaluation.js'
export type { ExportFormat, ExportOptions } from './training/export.js'
export type { Progress, Report } from './training/progress.js'
export type {
  BatchEmbeddings,
  CentroidTeacher,
  EncoderTeacher,
  GraphTeacher,
  MethodChoice,
  NamedTensors,
  SampleTeacher,
  Teacher,
  TeacherPart,
} from './training/teacher.js'
export type { ImageSource } from './training/step-inputs.js'
export { Trainer, type EmbeddingTrainer } from './training/trainer.js'
export type {
  Classes,
  CommonOptions,
  Epoch,
  FitOptions,
  TrainerOptions,
} from './training/trainer-options.js'
export {
  type LossScale,
  NonFiniteGradientsError,
  NonFiniteLossError,
  type StepMetrics,
} from './training/training.js'
