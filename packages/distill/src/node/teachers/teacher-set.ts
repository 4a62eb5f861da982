// Several teachers as a user gives them: words with a separator between them, each with a weight after an @ if it is not 1, such as
// `clip.safetensors,dino.safetensors@0.5`; and the names by which a student's parameters call them.
import { existsSync } from 'node:fs'
import { basename } from 'node:path'

import { UserError } from '@embed-kd/core'

import type { TeacherPart } from '../../training/teacher.js'

/** One of several teachers as a user gives it. */
export interface TeacherWord extends TeacherPart {
  /** Word that names the teacher, without its weight. */
  readonly word: string
  readonly weight: number
}

/**
 * Reads several teachers; an empty list if the text names one only. A path that has the separator in it is one teacher.
 * @throws UserError if a word is empty, or a weight is not a number above 0.
 */
export function parseTeacherSet(text: string, separator: ',' | '+'): TeacherWord[] {
  if (!text.includes(separator) || existsSync(text)) return []
  const words = text.split(separator).map(parseWord)
  if (words.some(({ word }) => word === ''))
    throw new UserError(
      `there is a teacher without a name in "${text}"`,
      `give a name on both sides of "${separator}"`,
    )
  const names = uniqueNames(words.map(({ word }) => word))
  return words.map((each, i) => ({ ...each, name: names[i]! }))
}

/** Splits `dino.onnx@0.5`. What follows an @ and is no number is part of the word, such as a revision on the hub. */
function parseWord(text: string): Pick<TeacherWord, 'word' | 'weight'> {
  const [, word, number] = /^(.*)@(-?[\d.]+(?:e-?\d+)?)$/.exec(text.trim()) ?? []
  if (word === undefined || existsSync(text.trim())) return { word: text.trim(), weight: 1 }
  const weight = Number(number)
  if (weight > 0 && Number.isFinite(weight)) return { word, weight }
  throw new UserError(
    `the weight of ${word} is ${number}`,
    `give a number above 0, such as ${word}@0.5`,
  )
}

/** Returns names of letters, digits, dashes and underscores for teachers; a number tells those apart whose files are called alike. */
function uniqueNames(words: readonly string[]): string[] {
  const names: string[] = []
  for (const word of words) {
    const stem = basename(word).replace(/\.(safetensors|onnx)$/, '')
    const name = stem.replaceAll(/[^\w-]+/g, '-') || 'teacher'
    let unique = name
    for (let n = 2; names.includes(unique); n++) unique = `${name}-${n}`
    names.push(unique)
  }
  return names
}
