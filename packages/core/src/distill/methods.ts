// The methods that come with the library, one entry each. Everything that depends on a method reads this table: the graphs,
// the command line, records and reports. Adding a method is one entry here.
import { UserError } from '../errors.js'
import { contrastCentroids, contrastiveParameters, contrastSamples } from './contrastive.js'
import { clusterStatistics, contrastClusters } from './clusters.js'
import { cosineDistance, cosineParameters } from './cosine.js'
import { phiStatistics, standardisedError } from './phi-s.js'
import { matchProbabilities } from './probabilities.js'
import { contrastQueue, queueParameters } from './queue.js'
import { preserveSimilarities, relateDistancesAndAngles } from './relational.js'
import type { MethodDefinition } from './method.js'

export const methods = {
  supervised: {
    label: 'Supervised',
    description: 'learns from class labels alone',
    teacher: 'none',
    takes: 'none',
    needsLabels: true,
    wholeBatch: false,
  },
  'logit-kd': {
    label: 'Logit-KD',
    description: "matches a live teacher's class probabilities (Hinton 2015)",
    teacher: 'live',
    takes: 'probabilities',
    needsLabels: true,
    wholeBatch: false,
    loss: matchProbabilities,
  },
  'teacher-kd': {
    label: 'Teacher-KD',
    description: "contrasts images with a live teacher's embeddings of the batch (CLIP-Teacher-KD)",
    teacher: 'live',
    takes: 'embeddings',
    needsLabels: false,
    wholeBatch: true,
    parameters: contrastiveParameters,
    loss: contrastSamples,
  },
  'embed-kd': {
    label: 'Embed-KD',
    description: 'contrasts images with pre-computed class centroids (CLIP-Embed-KD)',
    teacher: 'centroids',
    takes: 'embeddings',
    needsLabels: true,
    wholeBatch: false,
    parameters: contrastiveParameters,
    loss: contrastCentroids,
  },
  'cached-kd': {
    label: 'Cached-KD',
    description: "contrasts images with the teacher's pre-computed embeddings of the batch",
    teacher: 'samples',
    takes: 'embeddings',
    needsLabels: false,
    wholeBatch: true,
    parameters: contrastiveParameters,
    loss: contrastSamples,
  },
  'cached-logit-kd': {
    label: 'Cached-Logit-KD',
    description: "matches the teacher's pre-computed class scores of the image (Wu 2022)",
    teacher: 'samples',
    takes: 'probabilities',
    needsLabels: true,
    wholeBatch: false,
    loss: matchProbabilities,
  },
  'cosine-kd': {
    label: 'Cosine-KD',
    description: "turns each embedding towards the teacher's pre-computed embedding of the image",
    teacher: 'samples',
    takes: 'embeddings',
    needsLabels: false,
    wholeBatch: false,
    parameters: cosineParameters,
    loss: cosineDistance,
  },
  rkd: {
    label: 'RKD',
    description: "keeps the distances and angles between the teacher's embeddings (Park 2019)",
    teacher: 'samples',
    takes: 'embeddings',
    needsLabels: false,
    wholeBatch: true,
    relational: true,
    loss: relateDistancesAndAngles,
  },
  sp: {
    label: 'SP',
    description: "keeps the similarities of the teacher's embeddings (Tung & Mori 2019)",
    teacher: 'samples',
    takes: 'embeddings',
    needsLabels: false,
    wholeBatch: true,
    relational: true,
    loss: preserveSimilarities,
  },
  'phi-s': {
    label: 'PHI-S',
    description: 'matches embeddings standardised to equal variances (Ranzinger 2024)',
    teacher: 'samples',
    takes: 'embeddings',
    needsLabels: false,
    wholeBatch: false,
    statistics: phiStatistics,
    parameters: cosineParameters,
    loss: standardisedError,
  },
  'queue-kd': {
    label: 'Queue-KD',
    description: "contrasts images with the teacher's embeddings of the batch and of a queue",
    teacher: 'samples',
    takes: 'embeddings',
    needsLabels: false,
    wholeBatch: true,
    queue: 4096,
    parameters: queueParameters,
    loss: contrastQueue,
  },
  'cluster-kd': {
    label: 'Cluster-KD',
    description: "contrasts images with centres of clusters of the teacher's embeddings",
    teacher: 'samples',
    takes: 'embeddings',
    needsLabels: false,
    wholeBatch: false,
    statistics: clusterStatistics,
    parameters: contrastiveParameters,
    loss: contrastClusters,
  },
} as const satisfies Record<string, MethodDefinition>

/** Name of a method that comes with the library. */
export type Method = keyof typeof methods

/** The names of all methods, in the order in which commands list them. */
export const methodNames = Object.keys(methods) as [Method, ...Method[]]

/** The names of the methods that need no class labels. */
export const unlabelledMethods: readonly Method[] = methodNames.filter(
  (name) => !methods[name].needsLabels,
)

/** Whether a name is that of a method that comes with the library. */
export const isMethod = (name: string): name is Method => Object.hasOwn(methods, name)

/** Returns the definition of a method given by name or as a definition. @throws UserError if there is no method of that name. */
export function methodDefinition(method: string | MethodDefinition): MethodDefinition {
  if (typeof method !== 'string') return method
  if (isMethod(method)) return methods[method]
  throw new UserError(`there is no method "${method}"`, `choose one of ${methodNames.join(', ')}`)
}

/** Returns a method's name in graphs and files: `embed-kd` for the label `Embed-KD`. */
export const methodName = (method: string | MethodDefinition): string =>
  typeof method === 'string' ? method : method.label.toLowerCase().replaceAll(' ', '-')

/** Returns the graph input for a teacher's output that is computed outside the graph; undefined if the method has no teacher. */
export function teacherInput(
  method: string | MethodDefinition,
):
  | 'teacher.centroids'
  | 'batch.teacher_embeddings'
  | 'batch.teacher_probabilities'
  | 'batch.teacher_scores'
  | undefined {
  const { teacher, takes } = methodDefinition(method)
  if (teacher === 'none') return undefined
  if (teacher === 'centroids') return 'teacher.centroids'
  if (takes === 'embeddings') return 'batch.teacher_embeddings'
  return teacher === 'samples' ? 'batch.teacher_scores' : 'batch.teacher_probabilities'
}
