// Records put in order: runs that differ in nothing but their seed are one configuration, and configurations that
// differ in nothing but their method share a setting. It knows no measures and draws nothing.
import type { BenchRecord, Method, Trial } from '@embed-kd/records'

export interface Configuration {
  /** Tells it from every other; made of everything but the seed. */
  readonly key: string
  /** What it has in common with the other methods it can be compared with. */
  readonly settingKey: string
  /** Backend, precision, machine, data, preset and student: inside one scope, figures share their axes. */
  readonly scope: Scope
  readonly method: Method
  readonly trial: Trial
  /** By seed. */
  readonly runs: readonly BenchRecord[]
}

export interface Scope {
  readonly key: string
  readonly backend: string
  readonly precision: string
  readonly machine: string
  readonly dataset: string
  readonly preset: string
  readonly student: string
}

/** The same setting run by two methods. */
export interface Comparison {
  readonly teacherKd: Configuration
  readonly embedKd: Configuration
}

export function configurationsOf(records: readonly BenchRecord[]): Configuration[] {
  const groups = new Map<string, { settingKey: string; scope: Scope; runs: BenchRecord[] }>()
  const scopes = new Map<string, Scope>()
  for (const record of records) {
    const { scope, settingKey } = placeOf(record, scopes)
    const key = `${settingKey}\n${record.trial.method}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, { settingKey, scope, runs: [record] })
    else group.runs.push(record)
  }
  return Array.from(groups, ([key, { settingKey, scope, runs }]) => {
    runs.sort((a, b) => a.trial.seed - b.trial.seed)
    const { trial } = runs[0]!
    return { key, settingKey, scope, method: trial.method, trial, runs }
  })
}

function placeOf(record: BenchRecord, scopes: Map<string, Scope>) {
  const { trial } = record
  const { teacher, student, dataset } = trial
  const machine = machineName(record)
  const studentName = `${student.name} ${student.imageSize} px`
  const precision = precisionName(trial)
  const key = [trial.backend, precision, machine, dataset.name, trial.preset, studentName].join(
    '\n',
  )
  let scope = scopes.get(key)
  if (scope === undefined) {
    const { backend, preset } = trial
    const where = { backend, precision, machine, dataset: dataset.name }
    scope = { key, ...where, preset, student: studentName }
    scopes.set(key, scope)
  }
  const settingKey = [
    key,
    teacher === undefined ? '' : `${teacher.name} ${teacher.kind} ${teacher.imageSize}`,
    student.parameterCount,
    dataset.trainSize,
    trial.batch,
    trial.microBatch,
    trial.rematerialise,
    trial.kdWeight,
    trial.epochs ?? 'steps',
    trial.learningRate,
    trial.weightDecay,
    trial.dropout,
  ].join('\n')
  return { scope, settingKey }
}

export function machineName({ environment }: BenchRecord): string {
  const { cpuModel, cpuCores, gpu } = environment
  const cpu = `${cpuModel}, ${cpuCores} ${cpuCores === 1 ? 'core' : 'cores'}`
  return gpu === undefined ? cpu : `${gpu.name} (${cpu})`
}

export function teacherName({ teacher }: Trial): string {
  return teacher?.name ?? 'no teacher'
}

export function precisionName({ precision }: Trial): string {
  return precision ?? 'float32'
}

/** Settings that were run both with a live teacher and with its embeddings. */
export function comparisonsOf(configurations: readonly Configuration[]): Comparison[] {
  const live = new Map<string, Configuration>()
  for (const configuration of configurations) {
    if (configuration.method === 'teacher-kd') live.set(configuration.settingKey, configuration)
  }
  const comparisons: Comparison[] = []
  for (const embedKd of configurations) {
    const teacherKd = live.get(embedKd.settingKey)
    if (embedKd.method === 'embed-kd' && teacherKd !== undefined) {
      comparisons.push({ teacherKd, embedKd })
    }
  }
  return comparisons
}

/** A scope in words. */
export function scopeName(scope: Scope): string {
  const { backend, precision, dataset, preset, student } = scope
  const how = precision === 'float32' ? backend : `${backend} in ${precision}`
  return [how, dataset, preset, `student ${student}`].join(' · ')
}

/** Names each of these scopes by what tells it from the others; by nothing where there is but one. */
export function scopeNamer(scopes: Iterable<Scope>): (scope: Scope) => string {
  const all = [...new Set(scopes)]
  const fields = (
    ['backend', 'precision', 'dataset', 'preset', 'student', 'machine'] as const
  ).filter((field) => new Set(all.map((scope) => scope[field])).size > 1)
  return (scope) => fields.map((field) => scope[field]).join(' · ')
}
