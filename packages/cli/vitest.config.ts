// Tests of commands mostly wait for the processes that they start, so that two files run at a time, on two cores too.
import { mergeConfig } from 'vitest/config'
import shared from '../../vitest.shared.js'

export default mergeConfig(shared, { test: { maxWorkers: 2 } })
