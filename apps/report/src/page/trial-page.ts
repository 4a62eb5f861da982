// The page of one trial: its configuration, outcome, samples, curves and memory, and the commands to run it again.
import {
  type BenchRecord,
  counted,
  formatBytes,
  formatFlops,
  formatPercent,
  formatSeconds,
  isSummary,
  machineName,
  MEASURES,
  methodName,
  precisionName,
  statusName,
  storeErrorWords,
  SUMMARY_NOTICE,
  teacherName,
  unexplainedSentence,
} from '@embed-kd/records'
import { button, type Child, element } from './dom.js'
import { downloadRecords } from './download.js'
import type { App } from './app.js'
import { configurationFacts, environmentFacts, type Facts } from './trial-facts.js'
import { trialFigures } from './trial-figures.js'

export function trialPage(app: App, record: BenchRecord): HTMLElement {
  const { trial, status } = record
  const siblings = siblingsOf(app, record)
  return element(
    'main',
    { class: 'sheet trial' },
    element(
      'p',
      { class: 'back' },
      element('a', { href: app.link({ trial: undefined }) }, '← All trials'),
    ),
    element(
      'h1',
      { tabindex: '-1' },
      `${methodName(trial.method)}, ${teacherName(trial)}, batch ${trial.batch}`,
    ),
    element(
      'p',
      { class: 'lede' },
      `${trial.backend} · ${precisionName(trial)} · ${trial.dataset.name} · ${trial.preset} · student ${trial.student.name} ${trial.student.imageSize} px · seed ${trial.seed} · ${machineName(record)}`,
    ),
    related('Other runs', app, siblings.seeds, seedName(siblings.seeds)),
    related('Other methods', app, siblings.methods, (item) => methodName(item.trial.method)),
    ...(status === 'ok' ? [] : [failure(record)]),
    ...[
      ...(isSummary(record) ? [SUMMARY_NOTICE] : []),
      ...(record.warnings ?? []),
      unexplainedSentence(record) ?? [],
    ]
      .flat()
      .map((warning) => element('p', { class: 'notice' }, warning)),
    measured(record),
    trialFigures(record),
    section('To run it again', ...rerun(record)),
    section('Configuration', facts(configurationFacts(record))),
    section('Environment', facts(environmentFacts(record))),
    element(
      'p',
      { class: 'tools' },
      button('Download this record (JSON)', () => downloadRecords([record], `${record.id}.jsonl`)),
    ),
  )
}

function siblingsOf({ configurations }: App, record: BenchRecord) {
  const own = configurations.find(({ runs }) => runs.includes(record))
  const methods = configurations.filter(
    (item) => item !== own && item.settingKey === own?.settingKey,
  )
  return {
    seeds: (own?.runs ?? []).filter((item) => item !== record),
    methods: methods.map(
      ({ runs }) => runs.find(({ trial }) => trial.seed === record.trial.seed) ?? runs[0]!,
    ),
  }
}

/** Names runs by their seed, and by their time too if a seed was run several times. */
function seedName(records: readonly BenchRecord[]): (record: BenchRecord) => string {
  const repeated = new Set(records.map(({ trial }) => trial.seed)).size < records.length
  return ({ trial, startedAt }) =>
    `seed ${trial.seed}${repeated ? `, ${startedAt.slice(0, 16).replace('T', ' ')}` : ''}`
}

function related(
  label: string,
  app: App,
  records: readonly BenchRecord[],
  name: (record: BenchRecord) => string,
): HTMLElement | undefined {
  if (records.length === 0) return undefined
  return element(
    'nav',
    { class: 'related', 'aria-label': label },
    element('span', {}, `${label}: `),
    ...records.map((record) =>
      element('a', { href: app.link({ trial: app.names.of(record) }) }, name(record)),
    ),
  )
}

function failure({ status, reason, lastWords }: BenchRecord): HTMLElement {
  return element(
    'div',
    { class: 'notice bad' },
    element('p', {}, element('b', {}, `Did not finish: ${statusName(status)}. `), reason),
    lastWords === undefined || lastWords === ''
      ? undefined
      : element('pre', { tabindex: '0', 'aria-label': 'Last words' }, lastWords),
  )
}

function section(title: string, ...children: readonly Child[]): HTMLElement {
  return element('section', {}, element('h2', {}, title), ...children)
}

function facts(items: Facts): HTMLElement {
  return element(
    'dl',
    { class: 'facts' },
    ...items.flatMap(([name, value]) =>
      value === undefined
        ? []
        : [element('div', {}, element('dt', {}, name), element('dd', {}, value))],
    ),
  )
}

function measured(record: BenchRecord): HTMLElement | undefined {
  const items = MEASURES.flatMap((measure) => {
    const value = measure.of(record)
    if (value === undefined) return []
    const interval = measure.within?.(record)
    const within =
      interval === undefined
        ? ''
        : ` (${measure.format(interval[0])} to ${measure.format(interval[1])})`
    return [[capital(measure.label), measure.format(value) + within] as const]
  })
  const { cost, memory, embeddings, time } = record
  const absolute: Facts = [
    ['95th percentile of a step', time && formatSeconds(time.p95Seconds)],
    [
      'Share of time waiting for data',
      time?.dataWaitShare === undefined ? undefined : formatPercent(time.dataWaitShare),
    ],
    [
      'FLOPs of a step spent on recomputing',
      cost?.recomputedFlops === undefined ? undefined : formatFlops(cost.recomputedFlops),
    ],
    [
      'Planned peak memory, for this runtime',
      cost?.planned?.runtimePeakBytes === undefined
        ? undefined
        : formatBytes(cost.planned.runtimePeakBytes),
    ],
    [
      'Peak of all tensors, counted',
      memory?.tensorPeakBytes === undefined ? undefined : formatBytes(memory.tensorPeakBytes),
    ],
    ['Baseline of the process', memory && formatBytes(memory.baselineRssBytes)],
    ['Peak of the process, baseline included', memory && formatBytes(memory.peakRssBytes)],
    [
      'Embeddings, once',
      embeddings &&
        `${formatSeconds(embeddings.seconds)} for ${counted(embeddings.images, 'image')}, ${formatBytes(embeddings.bytes)}`,
    ],
    ['Error of a stored embedding', storeErrorWords(record)],
  ]
  return items.length === 0
    ? undefined
    : section('Measured and planned', facts([...items, ...absolute]))
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

function rerun({ id, rerunCommand, environment }: BenchRecord): Child[] {
  const sweep = `npx embed-kd ${environment.commandLine.map(shellWord).join(' ')}`
  const command = (label: string, text: string) => [
    element('p', {}, label),
    element(
      'div',
      { class: 'command' },
      element('pre', { tabindex: '0', 'aria-label': label }, text),
      copyButton(text),
    ),
  ]
  return [
    ...(rerunCommand === undefined
      ? []
      : [
          ...command('This trial alone:', `npx ${rerunCommand}`),
          ...command(
            'The same, and whether it gives the same numbers (in the folder of the records):',
            `npx embed-kd verify . --id ${shellWord(id)}`,
          ),
        ]),
    ...command('The sweep it was part of:', sweep),
  ]
}

function shellWord(word: string): string {
  return /^[\w./:=,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
}

function copyButton(text: string): HTMLElement {
  const node = button('Copy', () => {
    void navigator.clipboard.writeText(text).then(
      () => (node.textContent = 'Copied'),
      () => (node.textContent = 'Select and copy it by hand'),
    )
  })
  return node
}
