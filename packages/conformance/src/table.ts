// Formats results as text: one line for each family of cases, then the excuses, then every failure in full.
import type { CaseResult } from './case.js'

const columns = ['cases', 'passed', 'excused', 'failed', 'error/allowed', 'seconds'] as const

/** Returns `matmul` for `matmul/batch [2] [2]`. */
const familyOf = ({ name }: CaseResult): string => name.slice(0, name.indexOf('/'))

const count = (results: readonly CaseResult[], status: CaseResult['status']) =>
  String(results.filter((result) => result.status === status).length)

function row(label: string, results: readonly CaseResult[]): string[] {
  const shares = results.flatMap(({ worstShare }) => (worstShare === undefined ? [] : [worstShare]))
  const milliseconds = results.reduce((sum, result) => sum + result.milliseconds, 0)
  return [
    label,
    String(results.length),
    count(results, 'passed'),
    count(results, 'excused'),
    count(results, 'failed'),
    // The maximum error, as a share of the tolerance.
    shares.length === 0 ? '' : `${Math.round(100 * Math.max(...shares))} %`,
    (milliseconds / 1000).toFixed(1),
  ]
}

const groupBy = (results: readonly CaseResult[], key: (result: CaseResult) => string) => {
  const groups = new Map<string, CaseResult[]>()
  for (const result of results)
    groups.set(key(result), [...(groups.get(key(result)) ?? []), result])
  return groups
}

/** Formats results as a table for people; `title` says what was tested. */
export function formatResults(title: string, results: readonly CaseResult[]): string {
  const families = groupBy(results, familyOf)
  const table = [
    [title, ...columns],
    ...[...families].map(([family, members]) => row(family, members)),
    row('all', results),
  ]
  const widths = table[0]!.map((_, i) => Math.max(...table.map((line) => line[i]!.length)))
  const lines = table.map((line) =>
    line
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd(),
  )
  for (const [reason, members] of groupBy(
    results.filter((result) => result.status === 'excused'),
    (result) => (result.status === 'excused' ? result.reason : ''),
  ))
    lines.push('', `excused: ${reason}`, ...members.map(({ name }) => `  ${name}`))
  for (const result of results)
    if (result.status === 'failed')
      lines.push('', `failed: ${result.name} (${result.contract})`, indent(result.failure))
  return lines.join('\n')
}

const indent = (text: string): string =>
  text
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n')
