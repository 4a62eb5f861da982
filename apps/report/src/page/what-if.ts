// A calculator: what another teacher, batch or data set would cost on the machine of the records. Core's cost model
// counts FLOPs and memory, the records turn them into seconds and bytes, and the error of that stands beside the answer.
import {
  CALCULATED,
  type Calculator,
  calculatorOf,
  counted,
  formatBytes,
  formatSeconds,
  methodName,
  scopeName,
  significant,
  teacherName,
  TEACHER_SHAPES,
  type WhatIf,
} from '@embed-kd/records'
import type { View } from '../model/view.js'
import type { Part } from './app.js'
import { button, element, fill, textTable } from './dom.js'

const FIRST_CHOICE = 'vit-base-16'
const OWN = 'another teacher'

export function createWhatIf(): Part {
  const teacher = element(
    'select',
    { name: 'teacher' },
    ...TEACHER_SHAPES.map((name) =>
      element('option', { value: name, selected: name === FIRST_CHOICE }, name),
    ),
    element('option', { value: OWN }, OWN),
  )
  const field = (name: string, value: number, step = '1') =>
    element('input', {
      type: 'number',
      name,
      min: step === 'any' ? '0.001' : '1',
      step,
      required: true,
      value: String(value),
    })
  const batch = field('batch', 64)
  const images = field('images', 50_000)
  const epochs = field('epochs', 10)
  const speed = field('speed', 1, 'any')
  const parameters = field('parameters', 86, 'any')
  const flops = field('flops', 35, 'any')
  const answer = element('div', { class: 'prediction', role: 'status' })
  const errors = element('div')
  const where = element('p', { class: 'lede' })
  const label = (text: string, input: HTMLElement) => element('label', {}, text, input)
  const own = element(
    'span',
    { class: 'own', hidden: true },
    label('Parameters (million) ', parameters),
    label('GFLOPs an image ', flops),
  )
  teacher.addEventListener('change', () => (own.hidden = teacher.value !== OWN))
  const form = element(
    'form',
    { class: 'what-if' },
    label('Teacher ', teacher),
    own,
    label('Batch ', batch),
    label('Training images ', images),
    label('Epochs ', epochs),
    label('Speed of your device, in multiples of this machine ', speed),
    button('Predict', () => form.requestSubmit(), { class: 'submit' }),
  )
  const node = element(
    'section',
    { id: 'what-if', tabindex: '-1', 'aria-labelledby': 'what-if-title' },
    element('h2', { id: 'what-if-title' }, 'What if: your teacher, your data, your device'),
    where,
    form,
    answer,
    errors,
  )
  let view: View | undefined
  let calculator: Calculator | string = ''
  let current = false
  const calibrate = () => {
    if (current || view === undefined) return
    current = true
    calculator = calculatorOf(view.inScope)
    const known = typeof calculator !== 'string'
    form.hidden = !known
    fill(answer)
    fill(where, known ? basisText(view, calculator as Calculator) : (calculator as string))
    fill(errors, known ? errorTable(calculator as Calculator) : undefined)
  }
  // Calibrating takes a while, so that it waits until the reader comes here.
  let inSight = false
  new IntersectionObserver(
    ([entry]) => {
      inSight = entry!.isIntersecting
      if (inSight) calibrate()
    },
    { rootMargin: '200px' },
  ).observe(node)
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    calibrate()
    if (typeof calculator === 'string') return
    const known = calculator
    const question: WhatIf = {
      teacher:
        teacher.value === OWN
          ? {
              parameters: parameters.valueAsNumber * 1e6,
              flopsPerImage: flops.valueAsNumber * 1e9,
            }
          : teacher.value,
      speed: speed.valueAsNumber,
      batch: batch.valueAsNumber,
      images: images.valueAsNumber,
      epochs: epochs.valueAsNumber,
    }
    fill(answer, 'Counting the graphs of the training steps …')
    // Large graphs take seconds: the words above are painted first.
    setTimeout(() => fill(answer, ...prediction(known, question)), 30)
  })
  return {
    node,
    update: (fresh) => {
      view = fresh
      current = false
      if (inSight) calibrate()
    },
  }
}

function basisText({ scope }: View, calculator: Calculator): string {
  return (
    `For ${scopeName(scope!)} on ${scope!.machine}. FLOPs and planned memory come from the graph of the training step; ` +
    `measured configurations turn them into seconds and bytes. ${errorText(calculator)}`
  )
}

function errorText({ checked, timeError, memoryError }: Calculator): string {
  const say = ({ median, largest }: { median: number; largest: number }) =>
    `a factor of ${significant(median)} in the median and ${significant(largest)} at most`
  return (
    `Of ${counted(checked.length, 'configuration')}, each left out of its own calibration, step times are missed by ${say(timeError)}` +
    `${memoryError === undefined ? '' : `, peaks by ${say(memoryError)}`}.`
  )
}

function prediction(calculator: Calculator, question: WhatIf): HTMLElement[] {
  const predicted = calculator.predict(question)
  const rows = CALCULATED.map((method) => {
    const { stepSeconds, epochSeconds, totalSeconds, peakBytes } = predicted.methods[method]
    return [
      methodName(method),
      formatSeconds(stepSeconds),
      formatSeconds(epochSeconds),
      formatSeconds(totalSeconds),
      formatBytes(peakBytes),
    ]
  })
  const { breakEvenEpochs, embeddingSeconds, embeddingImages } = predicted
  return [
    element(
      'div',
      { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Prediction' },
      textTable(['Method', 'Step', 'Epoch', 'Training, embeddings included', 'Peak memory'], rows),
    ),
    element(
      'p',
      { class: 'common' },
      `Embeddings of ${counted(embeddingImages, 'image')} take ${formatSeconds(embeddingSeconds)} once` +
        (breakEvenEpochs === undefined
          ? ' and do not pay. '
          : ` and pay after ${significant(breakEvenEpochs, 2)} epochs. `) +
        (typeof question.teacher === 'string'
          ? ''
          : 'The activations of a teacher without a known shape are not counted in its peak memory. ') +
        `Predicted, not measured. ${errorText(calculator)}`,
    ),
  ]
}

const MOST_ROWS = 100

function errorTable({ checked }: Calculator): HTMLElement {
  const rows = checked.slice(0, MOST_ROWS).map((item) => {
    const { configuration, measuredSeconds, predictedSeconds, measuredBytes, predictedBytes } = item
    const { method, trial } = configuration
    return [
      `${methodName(method)}, ${teacherName(trial)}, batch ${trial.batch}`,
      formatSeconds(measuredSeconds),
      formatSeconds(predictedSeconds),
      measuredBytes === undefined ? '–' : formatBytes(measuredBytes),
      predictedBytes === undefined ? '–' : formatBytes(predictedBytes),
    ]
  })
  const columns = [
    'Configuration',
    'Step, measured',
    'Step, predicted',
    'Peak, measured',
    'Peak, predicted',
  ]
  return element(
    'details',
    { class: 'data' },
    element('summary', {}, 'Predictions for trials that were measured'),
    element(
      'div',
      { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Errors of the prediction' },
      textTable(columns, rows),
    ),
  )
}
