// The configuration of a training run, and the student's parameters that follow from it. The graphs of a step are in graphs.ts
// and micro-batches.ts, the checks in check-config.ts.
import type { Rematerialise } from '../graph/graph.js'
import type { ClassifierConfig, ViTConfig } from '../nn/vit.js'
import type { AdamWOptions } from '../optim/adamw.js'
import { groupParameters, type ParameterGroup } from '../optim/groups.js'
import type { Schedule } from '../optim/schedules.js'
import { studentParameters } from './loss.js'
import type { MethodDefinition } from './method.js'
import { methodDefinition, type Method } from './methods.js'
import type { PresetSettings } from './settings.js'
import { teacherWidths, type TeacherSource } from './teachers.js'

/** Images as the data set has them; models resize them in the graph. */
export interface ImageShape {
  readonly channels: number
  /** Pixels along one side, or along the height if `width` is given. */
  readonly size: number
  /** Pixels along the width (default: size). */
  readonly width?: number
}

/** `mixed-float16`: matrix products in float16, with float32 parameters and loss scaling (`mixedPrecision`). */
export const precisions = ['float32', 'mixed-float16'] as const
export type Precision = (typeof precisions)[number]

export interface TrainConfig {
  /** Name of a method, or a definition of your own (`defineMethod`). */
  readonly method: Method | MethodDefinition
  /** A classifier, which learns from class labels too; or an encoder, which learns from the teacher alone. */
  readonly student: ViTConfig | ClassifierConfig
  readonly batch: number
  readonly images: ImageShape
  /** Absent for methods without a teacher. Centroids are never `live`; other methods take any kind. */
  readonly teacher?: TeacherSource
  readonly settings: PresetSettings
  readonly optimizer: AdamWOptions
  readonly schedule: Schedule
  /** Images whose gradients are computed at a time, a divisor of `batch`: less memory. Default: all. */
  readonly microBatch?: number
  /** Default: float32. */
  readonly precision?: Precision
  /** Default: nothing. */
  readonly rematerialise?: Rematerialise
}

/** Returns the groups in which the optimizer takes a configuration's parameters. */
export const parameterGroups = (config: TrainConfig): ParameterGroup[] =>
  groupParameters(studentSpecs(config), ({ decay }) => config.settings.decay === 'all' || decay)

/** Returns the specifications of a configuration's student parameters, the method's own included. */
export const studentSpecs = ({ student, method, teacher, settings }: TrainConfig) =>
  studentParameters(student, methodDefinition(method), teacherWidths(teacher), settings)
