// The facts beside the button: teacher, images, student and device.
import { classifierParameters, parameterCount } from '@embed-kd/core'
import { findStudent, studentModel } from '@embed-kd/distill'

import { element } from './dom.js'
import { contents, devices, type Dataset, type DeviceName, type EmbeddingKind } from './messages.js'

const number = new Intl.NumberFormat('en')

const bytes = (count: number): string =>
  count < 1e6 ? `${(count / 1e3).toFixed(1)} kB` : `${(count / 1e6).toFixed(1)} MB`

export class Facts {
  readonly #student = element<HTMLSelectElement>('student')
  /** Channels and classes of the data set, on which the student's number of parameters depends. */
  #sizes = { channels: 1, classes: 10 }

  constructor() {
    this.#student.addEventListener('change', () => this.#describeStudent())
    this.#describeStudent()
  }

  data(
    { name, classNames, channels, train, test }: Dataset,
    file: Blob | undefined,
    kind: EmbeddingKind,
  ): void {
    const classes = classNames.length
    element('fact-teacher').textContent =
      kind === 'none' || !file
        ? 'no file of embeddings is chosen'
        : `a file of ${bytes(file.size)}: ${contents[kind]}`
    element('fact-images').textContent =
      `${name === 'mnist' ? 'MNIST' : name}: ${number.format(train.labels.length)} to learn from, ${number.format(test.labels.length)} to test`
    this.#sizes = { channels, classes }
    this.#describeStudent()
  }

  device(name: DeviceName, detail: string): void {
    element('fact-device').textContent = `${devices[name]}${detail ? `, ${detail}` : ''}`
  }

  #describeStudent(): void {
    const model = studentModel(findStudent(this.#student.value), this.#sizes, 0)
    const count = parameterCount(classifierParameters(model))
    element('fact-student').textContent =
      `a vision transformer of ${model.layers} layers, ${number.format(count)} parameters`
  }
}
