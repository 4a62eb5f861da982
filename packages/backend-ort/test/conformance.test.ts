// Core's conformance suite on every device that can be used here.
import { describeConformance } from '@embed-kd/conformance'
import { describe, it } from 'vitest'
import { ortBackend } from '../src/index.js'
import { usableDevices } from './devices.js'

for (const device of await usableDevices())
  describeConformance({ describe, it }, await ortBackend.create(device))
