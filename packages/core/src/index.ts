/**
 * What people import from @embed-kd/core, by name: distillation, graphs and gradients, models, optimizers, tensors,
 * and the contract of a backend. Platform-neutral: nothing here imports from Node. The reference's parts are in
 * @embed-kd/core/reference.
 * @module @embed-kd/core
 */

// ---- distillation: methods, the graphs of training, teachers as files -----------------------------------------------
export { CentroidBuilder, classCentroids } from './distill/centroids.js'
export {
  parameterGroups,
  studentSpecs,
  type ImageShape,
  type Precision,
  type TrainConfig,
} from './distill/config.js'
export { defineMethod, type CustomMethod } from './distill/define-method.js'
export { embedGraph, evalGraph, gradientGraph, trainGraph } from './distill/graphs.js'
export type {
  EmbeddingStatistics,
  LossInputs,
  MethodDefinition,
  MethodLoss,
  MethodParameters,
  MethodShape,
  TeacherNeed,
  TeacherOutput,
} from './distill/method.js'
export {
  isMethod,
  methodDefinition,
  methodName,
  methodNames,
  methods,
  teacherInput,
  unlabelledMethods,
  type Method,
} from './distill/methods.js'
export { batchInputs, stepGraphs, type StepPart } from './distill/micro-batches.js'
export {
  presets,
  scheduleOf,
  type LossSettings,
  type Preset,
  type PresetSettings,
} from './distill/settings.js'
export type { StoredOutput, TeacherSource, WeightedTeacher } from './distill/teachers.js'

// ---- graphs: tracing, gradients, printing, checking, lowering, costs ------------------------------------------------
export { gradients } from './grad/gradients.js'
export * as op from './graph/api.js'
export { ContractError } from './graph/contracts.js'
export {
  cost,
  countOperators,
  type Cost,
  type OperatorCounts,
  type PartCost,
} from './graph/cost.js'
export {
  lastUses,
  parts,
  phases,
  scopeOf,
  type Graph,
  type GraphInput,
  type GraphOutput,
  type Node,
  type Part,
  type Phase,
  type Place,
  type Rematerialise,
  type Role,
  type ValueId,
} from './graph/graph.js'
export { planMemory, planTogether, type MemoryPlan } from './graph/memory.js'
export {
  inferTypes,
  isComposite,
  longestFloat16Sum,
  opNames,
  ops,
  type AttrsOf,
  type CompositeName,
  type OpName,
  type PrimitiveName,
} from './graph/ops.js'
export { print, printNode } from './graph/print.js'
export { isTensor, spec, trace, Tensor, Tracer, type InputSpec } from './graph/trace.js'
export { hasTrait, opsWith, type Trait } from './graph/traits.js'
export { flattenTree, mapTree, type MapLeaves, type Tree } from './graph/tree.js'
export { verify } from './graph/verify.js'
export { lower, type LowerOptions } from './lower/lower.js'
export { mixedPrecision } from './lower/mixed-precision.js'

// ---- models and optimizers ------------------------------------------------------------------------------------------
export { crossEntropy, l2Normalize, patches } from './nn/layers.js'
export {
  drawParameters,
  initialParameters,
  isParameterSpec,
  linearParameters,
  normParameters,
  parameterCount,
  parameterInputs,
  undecayed,
  weight,
  type ParameterSpec,
  type Parameters,
} from './nn/parameters.js'
export { resizePositions, type PatchGrid } from './nn/positions.js'
export { resize } from './nn/resize.js'
export {
  checkViTConfig,
  classifierParameters,
  classScores,
  embeddingWidth,
  publishedViT,
  isClassifier,
  modelParameters,
  vitEmbedding,
  vitParameters,
  vitShapes,
  type ClassifierConfig,
  type ClassifierParameters,
  type ViTConfig,
  type ViTParameters,
  tokenGrid,
  type Activation,
  type Pooling,
} from './nn/vit.js'
export { initialState, paperAdamW, type AdamWOptions, type TrainingState } from './optim/adamw.js'
export type { ParameterGroup } from './optim/groups.js'
export type { LossScale } from './optim/loss-scale.js'
export { packGraph, packTensors, unpackTensors } from './optim/pack.js'
export { learningRate, type Schedule } from './optim/schedules.js'

// ---- tensors on the host, files, random numbers ---------------------------------------------------------------------
export { fromFloat16, toFloat16 } from './tensor/float16.js'
export { Random } from './tensor/random.js'
export {
  formatSafetensors,
  formatSafetensorsHeader,
  parseSafetensors,
  parseSafetensorsHeader,
  readSafetensor,
  safetensorsHeaderBytes,
  type SafetensorsEntry,
  type SafetensorsFile,
  type SafetensorsHeader,
} from './tensor/safetensors.js'
export type { StorageType } from './tensor/safetensors-types.js'
export {
  broadcastShapes,
  bytesOf,
  bytesPerElement,
  formatType,
  hostScalar,
  hostTensor,
  inDtype,
  isFloat,
  sameShape,
  sameType,
  sizeOf,
  stridesOf,
  valuesOf,
  type DType,
  type FloatType,
  type HostArrays,
  type HostTensor,
  type Shape,
  type TensorType,
} from './tensor/tensor.js'

// ---- the contract of a backend, and the reference backend -----------------------------------------------------------
export type {
  Availability,
  Backend,
  BackendFactory,
  Capabilities,
  DeviceBuffer,
  DeviceOptions,
  Excuse,
  Executable,
  MemoryUse,
  OperatorTime,
  ProfiledExecutable,
  RunMemory,
} from './backend/backend.js'
export { checkHostTensor, checkInputs } from './backend/check.js'
export { BufferLedger, type Loan, type MemoryRules } from './backend/ledger.js'
export { evaluate } from './reference/evaluate.js'
export { referenceBackend } from './reference/reference.js'
export type { ReferenceTensor } from './reference/tensor.js'

// ---- errors ---------------------------------------------------------------------------------------------------------
export { checkInteger, checkName, checkNumber, describeValue, type Interval } from './check.js'
export { describeError, guess, isForUser, messageOf, UserError } from './errors.js'
