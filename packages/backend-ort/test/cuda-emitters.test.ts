// The models of `cuda` on the CPU provider: emitters that only a GPU would run are checked on every machine.
import { describeConformance } from '@embed-kd/conformance'
import { describe, it } from 'vitest'
import { cpu } from '../src/devices/cpu.js'
import { cuda } from '../src/devices/cuda.js'
import { ortFactory } from '../src/factory.js'

const { probe, open, sessionOptions } = cpu
const device = { ...cuda, name: 'cuda-models', probe, open, sessionOptions }
describeConformance({ describe, it }, await ortFactory([device]).create(device.name))
