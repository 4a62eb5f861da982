// Takes out of a record what must not be published with it: home directories and secrets.
import { homedir } from 'node:os'

import type { BenchRecord, Trial } from '@embed-kd/records'

const REDACTED = '[redacted]'

/** Secrets by their form. The first group, if there is one, stays. */
const SECRETS: readonly RegExp[] = [
  /\bhf_[A-Za-z0-9]{8,}/g,
  /\b(?:ghp|gho|ghs|ghu|github_pat|npm|glpat|xox[abp])[_-][A-Za-z0-9_-]{16,}/g,
  /\bsk-[A-Za-z0-9_-]{16,}/g,
  /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g,
  /\beyJ[\w-]+\.[\w-]+\.[\w-]+/g,
  /(\bauthorization["']?\s*[:=]\s*["']?(?:(?:bearer|basic|token)\s+)?)[^\s"',;]+/gi,
  /(\bbearer\s+)[\w.~+/=-]{8,}/gi,
  /(\b[\w-]*(?:api[_-]?key|access[_-]?key|secret|token|passw(?:or)?d)[\w-]*["']?\s*[:=]\s*["']?)[^\s"',;&]+/gi,
  // The password of a URL.
  /(\b[a-z][\w+.-]*:\/\/[^\s/:@]+:)[^\s/@]+(?=@)/gi,
]

/** Names of environment variables whose values are secrets. */
const SECRET_NAMES = /TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|ACCESS_?KEY|CREDENTIAL/i
/** Shorter values are words that may stand anywhere. */
const SHORTEST_SECRET = 8

const secretValues = (): string[] =>
  Object.entries(process.env).flatMap(([name, value = '']) =>
    SECRET_NAMES.test(name) && value.length >= SHORTEST_SECRET ? [value] : [],
  )

/** Home directories of anybody: a record may be made in one account and quote a path of another. */
const HOMES = /(?:\/home|\/Users|[A-Za-z]:\\Users)[/\\][^/\\\s"':,]+/g

/** Returns the text without secrets, and with home directories as `home`. */
export function redact(text: string, home = '~'): string {
  let clean = text
  for (const value of secretValues()) clean = clean.replaceAll(value, REDACTED)
  for (const secret of SECRETS)
    clean = clean.replaceAll(secret, (_, kept: unknown) =>
      typeof kept === 'string' ? kept + REDACTED : REDACTED,
    )
  const own = homedir()
  // A name that only begins like the home directory is another directory.
  const shortened = own.length > 1 ? clean.split(own) : [clean]
  return shortened
    .reduce((left, right) => `${left}${/^[\w.-]/.test(right) ? own : home}${right}`)
    .replaceAll(HOMES, home)
}

const withoutPaths = <Named extends { readonly name: string }>(named: Named): Named => ({
  ...named,
  name: redact(named.name),
})

/** Returns the trial with every name in it redacted that can be a path. */
function redactTrial(trial: Trial): Trial {
  const { teacher, dataset, methodModule, backendModule } = trial
  const withoutPath = <Module extends { readonly specifier: string }>(module: Module): Module => ({
    ...module,
    specifier: redact(module.specifier),
  })
  return {
    ...trial,
    dataset: { ...dataset, name: redact(dataset.name) },
    ...(teacher && {
      teacher: {
        ...withoutPaths(teacher),
        ...(teacher.members && { members: teacher.members.map(withoutPaths) }),
      },
    }),
    ...(methodModule && { methodModule: withoutPath(methodModule) }),
    ...(backendModule && { backendModule: withoutPath(backendModule) }),
  }
}

/** Returns the record with every text in it redacted that can quote a path, a command line or an error. */
export function redactRecord(record: BenchRecord): BenchRecord {
  const { trial, reason, lastWords, warnings, rerunCommand, environment } = record
  return {
    ...record,
    trial: redactTrial(trial),
    environment: {
      ...environment,
      commandLine: environment.commandLine.map((word) => redact(word)),
    },
    ...(reason === undefined ? {} : { reason: redact(reason) }),
    ...(lastWords === undefined ? {} : { lastWords: redact(lastWords) }),
    ...(warnings === undefined ? {} : { warnings: warnings.map((text) => redact(text)) }),
    // A shell expands this where it does not expand ~.
    ...(rerunCommand === undefined ? {} : { rerunCommand: redact(rerunCommand, '$HOME') }),
  }
}
