// Training a student from a teacher or from its embeddings, on any backend. Platform-neutral: no Node import.
export {
  findStudent,
  type Student,
  STUDENT_EXAMPLE,
  studentModel,
  students,
} from './models/students.js'
export { formatConfusion } from './training/classification.js'
export { trainEpochs } from './training/epochs.js'
export { Evaluation } from './training/evaluation.js'
export { type LossScale, type StepMetrics, Training } from './training/training.js'
export { microBatchOf } from './training/micro-batch.js'
export { type Progress, type Report } from './training/progress.js'
