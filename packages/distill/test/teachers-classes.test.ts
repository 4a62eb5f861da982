// Classes of a teacher and of a data set, matched by name as people write them.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { classOrder, reorderColumns } from '../src/node/teachers/classes.js'
import { classNamesOf } from '../src/node/teachers/hf.js'

it('the names of a config.json are those of its scores in order, or refused', () => {
  const names = (id2label?: object) => classNamesOf({ id2label }, 'config.json')
  expect(names({ 1: 'dog', 0: 'cat' })).toEqual(['cat', 'dog'])
  expect(names({ 0: 3, 1: 7 })).toEqual(['3', '7'])
  expect(names()).toEqual([])
  for (const odd of [{ cat: 0, dog: 1 }, { 1: 'cat', 2: 'dog' }, { 0: ['cat'] }])
    expect(() => names(odd)).toThrow(
      /config\.json: id2label has the classes .*, not numbers from 0/,
    )
})

describe('classOrder', () => {
  it.each<[string, string[], string[], number[] | undefined]>([
    ['the same order', ['cat', 'dog'], ['cat', 'dog'], undefined],
    ['another order', ['dog', 'cat'], ['cat', 'dog'], [1, 0]],
    ['case, underscores and hyphens', ['T-shirt', 'ankle boot'], ['Ankle_Boot', 't_shirt'], [1, 0]],
    [
      'synonyms',
      ['great white shark, white shark', 'tench, Tinca tinca'],
      ['tench', 'white_shark'],
      [1, 0],
    ],
    ['synsets', ['n01443537 goldfish', 'n01440764 tench'], ['n01440764', 'n01443537'], [1, 0]],
    [
      'a synset that only one side has',
      ['tench', 'goldfish'],
      ['n01443537_goldfish', 'n01440764_tench'],
      [1, 0],
    ],
    ['a teacher without labels', ['LABEL_0', 'LABEL_1'], ['cat', 'dog'], undefined],
    ['data without names', ['dog', 'cat'], ['0', '1'], undefined],
  ])('%s', (_, teacher, dataset, order) => expect(classOrder('t', teacher, dataset)).toEqual(order))

  it.each<[string[], string[], string]>([
    [
      ['dog', 'cat'],
      ['cat', 'wolf'],
      'the class "wolf" of the data set is none of those that t scores ("dog", "cat")',
    ],
    [
      ['crane', 'crane'],
      ['crane', 'car'],
      'the class "crane" of the data set could be "crane", "crane" of t',
    ],
    [
      ['cat', 'dog'],
      ['Cat', 'cat'],
      'the classes "Cat" and "cat" of the data set are both "cat" of t',
    ],
  ])('refuses %j for %j', (teacher, dataset, message) =>
    expect(() => classOrder('t', teacher, dataset)).toThrow(message),
  )

  it('finds any order, and puts scores into it', () => {
    const names = fc.uniqueArray(fc.stringMatching(/^[a-z]{3,8}$/), { minLength: 2, maxLength: 9 })
    fc.assert(
      fc.property(
        names.chain((words) =>
          fc.tuple(fc.constant(words), fc.shuffledSubarray(words, { minLength: words.length })),
        ),
        ([dataset, teacher]) => {
          const order = classOrder('t', teacher, dataset) ?? dataset.map((_, i) => i)
          const scores = Float32Array.from([...teacher, ...teacher], (name) =>
            dataset.indexOf(name),
          )
          expect([...reorderColumns(scores, order)]).toEqual(
            [...dataset, ...dataset].map((_, i) => i % dataset.length),
          )
        },
      ),
    )
  })
})
