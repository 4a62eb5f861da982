// The fields of the settings. The methods to choose from come from core's table, and depend on the embeddings at hand.
import { methods } from '@embed-kd/core'

import { element } from './dom.js'
import {
  devices,
  methodsFor,
  type EmbeddingKind,
  type RunSettings,
  type StudioMethod,
} from './messages.js'

/** Students that a CPU trains in minutes, with their names in the page. */
const studentNames = { small: 'small', 'small-32': 'small, with patches of 4 pixels' } as const

const select = (id: string) => element<HTMLSelectElement>(id)

/** Replaces the choices of a field. */
function fill(id: string, options: Readonly<Record<string, string>>): void {
  select(id).replaceChildren(
    ...Object.entries(options).map(([value, text]) => new Option(text, value)),
  )
}

export class Settings {
  #embeddings: EmbeddingKind = 'none'

  constructor() {
    fill('student', studentNames)
    fill('device', { best: 'best', ...devices })
    // The page comes with centroids.
    this.suit('centroids')
    select('method').addEventListener('change', () => this.#describe())
  }

  /** Offers the methods that the embeddings at hand are enough for, and chooses the first one that learns from them. */
  suit(embeddings: EmbeddingKind): void {
    if (embeddings === this.#embeddings) return
    this.#embeddings = embeddings
    const names = methodsFor(embeddings)
    const labels = Object.fromEntries(names.map((name) => [name, methods[name].label]))
    fill('method', labels)
    fill('other', { '': 'nothing', ...labels })
    select('method').value = names.find((name) => methods[name].teacher === embeddings)!
    this.#describe()
  }

  /** Returns the chosen runs: the method, then the one to compare with. */
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
