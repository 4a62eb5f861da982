// Core's conformance suite on every device that can be used here.
import { describeConformance } from '@embed-kd/core/conformance'
import { describe, it } from 'vitest'
import { ortBackend } from '../src/index.js'
import { usableDevices } from './devices.js'

for (const device of await usableDevices())
  describeConformance({ describe, it }, await ortBackend.create(device))
