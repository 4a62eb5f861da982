// Records put in order. Runs that agree in every axis but the seed, on one machine and of one version, are one
// configuration; configurations that differ in the method alone share a setting. The order of records plays no part.
import type { Trial } from '../axes.js'
import type { BenchRecord, Method } from '../schema.js'
import { groupKey } from '../trial-names.js'
import { counted } from './format.js'
import { PAPER_METHODS } from './paper.js'
import { machineName, sourcesOf, versionName } from './source.js'
import { isControl } from './variants.js'

export interface Configuration {
  /** Everything but the seed: axes, machine and version. */
  readonly key: string
  /** `key` without the method: what configurations must share to be compared. */
  readonly settingKey: string
  /** `key` without machine and version: what records of other machines and versions share. */
  readonly trialKey: string
  /** Machine, code and runtime: records of different sources are never compared. */
  readonly source: string
  readonly scope: Scope
  readonly method: Method
  readonly trial: Trial
  /** By seed, then by time. */
  readonly runs: readonly BenchRecord[]
}

/** Inside one scope, figures share their axes. */
export interface Scope {
  readonly key: string
  readonly backend: string
  readonly precision: string
  readonly machine: string
  readonly version: string
  readonly dataset: string
  readonly preset: string
  readonly student: string
}

/** One setting, run both with a live teacher and with its embeddings. */
export interface Comparison {
  readonly teacherKd: Configuration
  readonly embedKd: Configuration
}

interface Group extends Omit<Configuration, 'runs'> {
  readonly runs: BenchRecord[]
}

export function configurationsOf(records: readonly BenchRecord[]): Configuration[] {
  const groups = new Map<string, Group>()
  const scopes = new Map<string, Scope>()
  const sourceOf = sourcesOf(records)
  for (const record of records) {
    const { method } = record.trial
    const source = sourceOf(record)
    const shared = groupKey(record.trial, 'scope', 'setting')
    const trialKey = `${shared}\n${groupKey(record.trial, 'variant')}`
    const settingKey = `${source}\n${shared}`
    const key = `${source}\n${trialKey}`
    const group = groups.get(key)
    if (group !== undefined) group.runs.push(record)
    else {
      const scope = scopeOf(record, source, scopes)
      const { trial } = record
      groups.set(key, { key, settingKey, trialKey, source, scope, method, trial, runs: [record] })
    }
  }
  const configurations = [...groups.values()].map((group): Configuration => {
    const runs = group.runs.toSorted(inOrder)
    return { ...group, trial: runs[0]!.trial, runs }
  })
  return configurations.sort((a, b) => compareText(a.key, b.key))
}

function inOrder(a: BenchRecord, b: BenchRecord): number {
  return (
    a.trial.seed - b.trial.seed ||
    compareText(a.startedAt, b.startedAt) ||
    compareText(a.id, b.id) ||
    compareText(JSON.stringify(a), JSON.stringify(b))
  )
}

/** Compares as bytes: quicker than a collator, and the same everywhere. */
export function compareText(a: string, b: string): number {
  return Number(a > b) - Number(a < b)
}

function scopeOf(record: BenchRecord, source: string, scopes: Map<string, Scope>): Scope {
  const { trial } = record
  const parts = {
    backend: trial.backend,
    precision: precisionName(trial),
    machine: machineName(record),
    version: versionName(record),
    dataset: trial.dataset.name,
    preset: trial.preset,
    student: studentName(trial),
  }
  const key = [source, ...Object.values(parts)].join('\n')
  let scope = scopes.get(key)
  if (scope === undefined) scopes.set(key, (scope = { key, ...parts }))
  return scope
}

export function teacherName({ teacher }: Trial): string {
  return teacher?.name ?? 'no teacher'
}

export function studentName({ student }: Trial): string {
  return `${student.name} ${student.imageSize} px`
}

export function precisionName({ precision }: Trial): string {
  return precision ?? 'float32'
}

/** Names how long a trial trains: `5 epochs`, `100,000 images seen` or `20 steps`. */
export function lengthName({ epochs, imagesSeen, steps }: Trial): string {
  if (epochs !== undefined) return counted(epochs, 'epoch')
  if (imagesSeen !== undefined) return `${imagesSeen.toLocaleString('en')} images seen`
  return counted(steps ?? 0, 'step')
}

/** Returns the settings that were run both with a live teacher and with its embeddings; controls do not have its embeddings. */
export function comparisonsOf(configurations: readonly Configuration[]): Comparison[] {
  const live = new Map<string, Configuration>()
  for (const configuration of configurations) {
    if (configuration.method === PAPER_METHODS.replaced)
      live.set(configuration.settingKey, configuration)
  }
  const comparisons: Comparison[] = []
  for (const embedKd of configurations) {
    if (embedKd.method !== PAPER_METHODS.proposed || isControl(embedKd.trial)) continue
    const teacherKd = live.get(embedKd.settingKey)
    if (teacherKd !== undefined) {
      comparisons.push({ teacherKd, embedKd })
    }
  }
  return comparisons
}

/** Describes a scope in words. */
export function scopeName(scope: Scope): string {
  const { backend, precision, dataset, preset, student } = scope
  const how = precision === 'float32' ? backend : `${backend} in ${precision}`
  return [how, dataset, `preset ${preset}`, `student ${student}`].join(' · ')
}

const SCOPE_FIELDS = [
  'backend',
  'precision',
  'dataset',
  'preset',
  'student',
  'machine',
  'version',
] as const

/** Names each of these scopes by what tells it from the others; a single scope has an empty name. */
export function scopeNamer(scopes: Iterable<Scope>): (scope: Scope) => string {
  const all = [...new Set(scopes)]
  const fields = SCOPE_FIELDS.filter((field) => new Set(all.map((scope) => scope[field])).size > 1)
  return (scope) => fields.map((field) => scope[field]).join(' · ')
}
