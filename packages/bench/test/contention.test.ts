// What a record says of a machine that others kept busy. Only the busy case is measured: a test machine is seldom idle.
import { spawn } from 'node:child_process'
import os from 'node:os'

import { describe, expect, it } from 'vitest'

import { contentionWarning } from '../src/measure/contention.js'
import { Watch } from '../src/trial/watch.js'

const idle = { now: 0, busy: 0, stolen: 0, own: 0 }

describe('a warning of busy cores', () => {
  it.each([
    ['the trial alone', { now: 10, busy: 38, stolen: 0, own: 37.5 }, undefined],
    ['a span too short to tell', { now: 0.1, busy: 0.4, stolen: 0, own: 0 }, undefined],
    [
      'another process on one core',
      { now: 10, busy: 38, stolen: 0, own: 28 },
      /^other processes used 1\.00 of 4 cores .*; the trial used 2\.80 \(load/,
    ],
    ['a host that takes cores', { now: 10, busy: 30, stolen: 9, own: 30 }, /the host took 0\.90/],
  ])('for %s', (_, after, message) => {
    const warning = contentionWarning(idle, after, 4)
    if (message) expect(warning).toMatch(message)
    else expect(warning).toBeUndefined()
  })

  it.runIf(process.platform === 'linux')('comes of what a watch sees', async () => {
    const burners = os
      .cpus()
      .map(() => spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }))
    const sleeper = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)'])
    const watch = new Watch(sleeper.pid!, {
      watchDevice: false,
      onRss: () => {},
      phase: () => 'timing 1/2',
    })
    await new Promise((resolve) => setTimeout(resolve, 1500))
    const { busyCores } = watch.stop()
    for (const child of [...burners, sleeper]) child.kill('SIGKILL')
    expect(busyCores).toMatch(/^other processes used/)
  })
})
