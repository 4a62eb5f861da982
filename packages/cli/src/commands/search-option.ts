// The option --search of `embed-kd bench`: values of hyperparameters among which a sweep chooses.
import { flagOf, parseAxisValues } from '@embed-kd/bench'
import { guess, UserError } from '@embed-kd/core'
import { SEARCHED_AXES, type SearchSpace } from '@embed-kd/records'

import { usage } from './axis-options.js'

/** Hyperparameters as the option names them. */
export const searchedNames = SEARCHED_AXES.map((name) => flagOf(name).slice(2))

/** Reads `learning-rate=1e-4,1e-3`, and adds it to the values of other hyperparameters. */
export const parseSearch = (words: string, others: SearchSpace = {}): SearchSpace =>
  usage((text) => {
    const [word = '', values = ''] = text.split(/=(.*)/s)
    const name = SEARCHED_AXES[searchedNames.indexOf(word)]
    if (name === undefined)
      throw new UserError(
        `--search cannot be ${JSON.stringify(text)}`,
        `${guess(word, searchedNames)}give one of ${searchedNames.join(', ')} with its values, such as learning-rate=1e-4,1e-3`,
      )
    const numbers = parseAxisValues(name, values, `--search ${word}`) as number[]
    return { ...others, [name]: numbers }
  })(words)
