// The page of one trial: what it was, what became of it, every sample, its curves, where its memory went, and how to
// run it again.
import {
  type BenchRecord,
  configurationsOf,
  counted,
  formatBytes,
  formatCount,
  formatFlops,
  formatPercent,
  formatSeconds,
  machineName,
  MEASURES,
  methodName,
  precisionName,
  statusName,
  teacherName,
} from '@embed-kd/records'
import * as Plot from '@observablehq/plot'
import { button, type Child, element } from './dom.js'
import { downloadRecords } from './download.js'
import { tickLabel } from './figures/axes.js'
import { accuracySeries, binned, curvePanel } from './figures/curves.js'
import { drawPanel, INK, LOOKS, MUTED, type Panel } from './figures/figure.js'
import { memorySplit } from './figures/memory-split.js'
import type { App } from './app.js'

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
    related('Other seeds', app, siblings.seeds, (item) => `seed ${item.trial.seed}`),
    related('Other methods', app, siblings.methods, (item) => methodName(item.trial.method)),
    ...(status === 'ok' ? [] : [failure(record)]),
    ...(record.warnings ?? []).map((warning) => element('p', { class: 'notice' }, warning)),
    measured(record),
    figures(record),
    section('To run it again', ...rerun(record)),
    section('Configuration', facts(configurationFacts(record))),
    section('Environment', facts(environmentFacts(record))),
    ...graph(record),
    element(
      'p',
      { class: 'tools' },
      button('Download this record (JSON)', () => downloadRecords([record], `${record.id}.jsonl`)),
    ),
  )
}

function siblingsOf({ content }: App, record: BenchRecord) {
  const all = configurationsOf(content.records)
  const own = all.find(({ runs }) => runs.includes(record))
  const methods = all.filter((item) => item !== own && item.settingKey === own?.settingKey)
  return {
    seeds: (own?.runs ?? []).filter((item) => item !== record),
    methods: methods.map(
      ({ runs }) => runs.find(({ trial }) => trial.seed === record.trial.seed) ?? runs[0]!,
    ),
  }
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
      element('a', { href: app.link({ trial: record.id }) }, name(record)),
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

type Facts = readonly (readonly [name: string, value: string | undefined])[]

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
      'FLOPs of a step spent on computing again',
      cost?.recomputedFlops === undefined ? undefined : formatFlops(cost.recomputedFlops),
    ],
    ['Baseline of the process', memory && formatBytes(memory.baselineRssBytes)],
    ['Peak of the process, baseline included', memory && formatBytes(memory.peakRssBytes)],
    [
      'Embeddings, once',
      embeddings &&
        `${formatSeconds(embeddings.seconds)} for ${counted(embeddings.images, 'image')}, ${formatBytes(embeddings.bytes)}`,
    ],
  ]
  return items.length === 0
    ? undefined
    : section('Measured and planned', facts([...items, ...absolute]))
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

/** Figures of a single run, drawn when their box has a width. */
function figures(record: BenchRecord): HTMLElement {
  const node = element('div', { class: 'panels trial-panels' })
  const panels = [
    ...samplesPanel(record),
    ...memorySplit(record),
    ...lossPanel(record),
    ...accuracyPanel(record),
  ]
  const boxes = panels.map(([panel, caption]) => {
    const box = element('div', { class: 'panel' })
    node.append(
      element(
        'figure',
        {},
        element('h3', {}, panel.title),
        box,
        element('figcaption', {}, caption),
      ),
    )
    return box
  })
  let width = 0
  new ResizeObserver(([entry]) => {
    const found = Math.round(entry!.contentRect.width)
    if (found === 0 || found === width) return
    width = found
    for (const [at, box] of boxes.entries()) {
      const [panel, caption] = panels[at]!
      box.replaceChildren(
        drawPanel(panel, Math.max(240, box.clientWidth), `${panel.title}. ${caption}`),
      )
    }
  }).observe(node)
  return node
}

type Captioned = readonly [panel: Panel, caption: string]

function samplesPanel({ time, trial }: BenchRecord): Captioned[] {
  if (time === undefined) return []
  const { color } = LOOKS[trial.method]
  const samples = time.stepSeconds.map((seconds, at) => ({ at: at + 1, ms: seconds * 1e3 }))
  const [low, high] = time.interval95Seconds
  const panel: Panel = {
    title: 'Every sample of the step time (ms)',
    plot: () => ({
      height: 260,
      marginLeft: 50,
      marginRight: 64,
      x: { label: 'sample →', ticks: 6, tickFormat: tickLabel },
      y: { label: null, grid: true, ticks: 5, zero: true },
      marks: [
        Plot.rect([0], {
          x1: 0.5,
          x2: samples.length + 0.5,
          y1: low * 1e3,
          y2: high * 1e3,
          fill: color,
          fillOpacity: 0.15,
        }),
        Plot.ruleY([time.medianSeconds * 1e3], { stroke: color }),
        Plot.ruleY([time.p95Seconds * 1e3], { stroke: MUTED, strokeDasharray: '3 3' }),
        Plot.dot(samples, { x: 'at', y: 'ms', r: 3, fill: color }),
        Plot.text(
          [
            [time.medianSeconds * 1e3, 'median'],
            [time.p95Seconds * 1e3, 'p95'],
          ] as const,
          {
            y: ([ms]: readonly [number, string]) => ms,
            text: ([, name]: readonly [number, string]) => name,
            frameAnchor: 'right',
            textAnchor: 'start',
            dx: 6,
            fill: INK,
          },
        ),
      ],
    }),
  }
  return [
    [
      panel,
      `${counted(samples.length, 'sample')} after ${counted(time.warmupSteps, 'warm-up step')}; outliers included. Line: median, band: its 95 % interval, dashed: 95th percentile.`,
    ],
  ]
}

function lossPanel({ curves, trial }: BenchRecord): Captioned[] {
  if (curves === undefined || curves.loss.length < 2) return []
  const points = binned(curves.loss).map(([x, y]) => flat(trial.method, x, y))
  return [
    [
      curvePanel('Training loss', 'optimizer step →', points),
      `${counted(curves.loss.length, 'value')}, averaged over stretches of steps where there are many.`,
    ],
  ]
}

function accuracyPanel(record: BenchRecord): Captioned[] {
  const series = accuracySeries(record)
  if (series.length < 2) return []
  const points = series.map(([x, y]) => flat(record.trial.method, x, y))
  return [
    [
      curvePanel('Test accuracy (%)', 'epoch →', points),
      `After each of ${counted(series.length, 'epoch')}, on ${record.trial.dataset.testSize.toLocaleString('en')} test images. The axis does not start at zero.`,
    ],
  ]
}

function flat(method: BenchRecord['trial']['method'], x: number, y: number) {
  return { method, x, y, low: y, high: y, n: 1 }
}

function rerun({ rerunCommand, environment }: BenchRecord): Child[] {
  const sweep = `embed-kd ${environment.commandLine.map(shellWord).join(' ')}`
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
    ...(rerunCommand === undefined ? [] : command('This trial alone:', rerunCommand)),
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

function configurationFacts(record: BenchRecord): Facts {
  const { trial, id, benchmarkVersion, costOnly, lossScale } = record
  const { teacher, student, dataset } = trial
  const length =
    trial.epochs === undefined ? counted(trial.steps ?? 0, 'step') : counted(trial.epochs, 'epoch')
  return [
    ['Method, preset', `${methodName(trial.method)}, ${trial.preset}`],
    [
      'Teacher',
      teacher &&
        `${teacher.name}, ${teacher.kind} weights, ${formatCount(teacher.parameterCount)} parameters, ${teacher.imageSize} px, patch ${teacher.patch}, embeddings of ${teacher.embeddingWidth}`,
    ],
    [
      'Accuracy of the teacher',
      teacher?.accuracy === undefined ? undefined : formatPercent(teacher.accuracy),
    ],
    [
      'Student',
      `${student.name}, ${formatCount(student.parameterCount)} parameters, ${student.imageSize} px, patch ${student.patch}, width ${student.width}, ${student.layers} layers, ${student.heads} heads`,
    ],
    [
      'Data',
      `${dataset.name}, ${dataset.classes} classes, ${dataset.trainSize.toLocaleString('en')} training and ${dataset.testSize.toLocaleString('en')} test images`,
    ],
    [
      'Length',
      `${length}, batch ${trial.batch}${trial.microBatch === undefined ? '' : ` by ${trial.microBatch}`}`,
    ],
    ['Computed again, not kept', trial.rematerialise],
    ['Precision', precisionName(trial)],
    [
      'Loss scale at the end',
      lossScale && `${lossScale.last}; ${counted(lossScale.skippedSteps, 'step')} not taken`,
    ],
    ['Learning rate', String(trial.learningRate)],
    ['Weight decay', String(trial.weightDecay)],
    ['Weight of distillation', trial.kdWeight === undefined ? undefined : String(trial.kdWeight)],
    ['Attention dropout', String(trial.dropout)],
    ['Seed', String(trial.seed)],
    ['Cost only', costOnly ? 'yes: its accuracy would mean nothing' : 'no'],
    ['Digest of the data', dataset.digest],
    ['Digest of the teacher', teacher?.digest],
    ['Configuration', `${id}, benchmark ${benchmarkVersion}`],
  ]
}

function environmentFacts({ environment, startedAt, wallSeconds, roofline }: BenchRecord): Facts {
  const { gpu, loadAverage, packages, commit, dirty } = environment
  return [
    ['Processor', `${environment.cpuModel}, ${counted(environment.cpuCores, 'core')}`],
    ['Memory', formatBytes(environment.memoryBytes)],
    [
      'GPU',
      gpu &&
        [gpu.name, gpu.driver, gpu.memoryBytes && formatBytes(gpu.memoryBytes)]
          .filter(Boolean)
          .join(', '),
    ],
    ['System', `${environment.os}, Node ${environment.node}`],
    [
      'Packages',
      Object.entries(packages)
        .map(([name, version]) => `${name} ${version}`)
        .join(', '),
    ],
    ['Commit', commit && commit + (dirty === true ? ', with changes' : '')],
    ['Load average', loadAverage?.map((load) => load.toFixed(2)).join(', ')],
    ['Started', startedAt.replace('T', ' ').replace(/\.\d+Z$|Z$/, ' UTC')],
    ['Took', formatSeconds(wallSeconds)],
    [
      'Matrix product before and after',
      roofline &&
        [roofline.gemmFlopsPerSecondBefore, roofline.gemmFlopsPerSecondAfter]
          .flatMap((rate) => (rate === undefined ? [] : `${formatFlops(rate)}/s`))
          .join(', ') +
          (roofline.dtype === undefined ? '' : ` in ${roofline.dtype}`) +
          (roofline.noisy === true ? ' (noisy)' : ''),
    ],
  ]
}

function graph({ graph }: BenchRecord): HTMLElement[] {
  if (graph?.text === undefined) return []
  return [
    element(
      'section',
      {},
      element('h2', {}, 'Graph'),
      element(
        'details',
        { class: 'data' },
        element(
          'summary',
          {},
          `${counted(graph.text.split('\n').length, 'line')}${graph.digest === undefined ? '' : `, digest ${graph.digest}`}`,
        ),
        element('pre', { tabindex: '0', 'aria-label': 'Graph' }, graph.text),
      ),
    ),
  ]
}
