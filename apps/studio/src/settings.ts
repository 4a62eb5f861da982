// The settings of a run, and what they say about the chosen method.
import { methods } from '@embed-kd/core'

import { element } from './dom.js'
import { devices, studioMethods, type RunSettings, type StudioMethod } from './messages.js'

/** Students that a CPU trains in minutes, and what the page says of them. */
const studentNames = { small: 'small', 'small-32': 'small, with patches of 4 pixels' } as const

const select = (id: string) => element<HTMLSelectElement>(id)

function fill(id: string, options: Readonly<Record<string, string>>): void {
  for (const [value, text] of Object.entries(options)) select(id).add(new Option(text, value))
}

export class Settings {
  constructor() {
    const labels = Object.fromEntries(studioMethods.map((name) => [name, methods[name].label]))
    fill('method', labels)
    fill('other', { '': 'nothing', ...labels })
    fill('student', studentNames)
    fill('device', { best: 'best', ...devices })
    select('method').addEventListener('change', () => this.#describe())
    this.#describe()
  }

  /** Chooses a method that the embeddings at hand suit, if the chosen one needs others. */
  suit(embeddings: 'none' | 'centroids' | 'samples'): void {
    const { value } = select('method')
    const { teacher } = methods[value as StudioMethod]
    if (teacher === 'none' || teacher === embeddings) return
    const found = studioMethods.find((name) => methods[name].teacher === embeddings)
    select('method').value = found ?? 'supervised'
    this.#describe()
  }

  /** Returns the runs that are asked for: the method, then the one to compare with. */
  runs(): RunSettings[] {
    const number = (id: string) => element<HTMLInputElement>(id).valueAsNumber
    const chosen = [select('method').value, select('other').value].filter((name) => name !== '')
    return [...new Set(chosen)].map((method) => ({
      method: method as StudioMethod,
      student: select('student').value,
      device: select('device').value as RunSettings['device'],
      epochs: number('epochs'),
      batch: number('batch'),
      learningRate: number('rate'),
      dropout: number('dropout'),
      seed: 0,
    }))
  }

  #describe(): void {
    const { label, description } = methods[select('method').value as StudioMethod]
    element('method-text').textContent =
      `${label} ${description}. Runs that are compared have the same seed and order of images.`
  }
}
