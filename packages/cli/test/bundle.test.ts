// The bundle, unpacked somewhere else and run as on a host that has nothing: no PATH, no environment, no network.
import { execFile, execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { beforeAll, describe, expect, it } from 'vitest'

import { commit } from '@embed-kd/bench'
import { runCli, temporaryDirectory } from './cli.js'
import { tinyGrid, writeConfig, writeTinyDataset } from '../../distill/test/tiny.js'

const run = promisify(execFile)

/** A network namespace of its own has no way out; making one needs rights that not every machine gives. */
const withoutNetwork = (() => {
  try {
    execFileSync('unshare', ['--net', 'true'], { stdio: 'ignore' })
    return ['unshare', '--net']
  } catch {
    console.log('the network stays reachable in this test: unshare --net is not allowed here')
    return []
  }
})()

describe.runIf(process.platform === 'linux')('a bundle', { timeout: 180_000 }, () => {
  const directory = temporaryDirectory()
  const command = join(directory, 'embed-kd/embed-kd')

  const alone = async (...args: string[]): Promise<string> => {
    const [program = '', ...rest] = [...withoutNetwork, '/usr/bin/env', '-i', 'PATH=', command]
    const { stdout } = await run(program, [...rest, ...args], { cwd: directory })
    return stdout
  }

  beforeAll(async () => {
    const archive = join(directory, 'bundle.tar')
    expect(await runCli('bundle', '--out', archive)).toMatchObject({ code: 0 })
    execFileSync('tar', ['xf', archive, '-C', directory])
  }, 180_000)

  it('tells what works', async () => {
    const found = JSON.parse(await alone('doctor', '--json')) as {
      backend: string
      result: { available: boolean; reason?: string }
    }[]
    const of = (name: string) => found.find(({ backend }) => backend === name)!.result
    expect(of('ort:cpu').available).toBe(true)
    expect(of('tfjs')).toMatchObject({ available: false, reason: expect.stringContaining('tfjs') })
  })

  it('conforms', async () => {
    expect(await alone('conform', '--backend', 'ort:cpu', '--case', 'matmul/')).toMatch(
      /^all +\d+ +\d+ +0 +0 /m,
    )
  })

  it('measures a step', async () => {
    const step = ['step', '--student', 'small', '--teacher', 'vit-tiny-32', '--samples', '2']
    const record = JSON.parse(await alone(...step, '--json')) as {
      status: string
      environment: { commit?: string }
    }
    expect(record.status).toBe('ok')
    // The commit it was made from goes with it.
    expect(record.environment.commit).toBe(commit().commit)
  })

  it('runs a sweep to its report', async () => {
    const dataset = writeTinyDataset(join(directory, 'data'))
    const config = writeConfig(directory, tinyGrid(dataset, { epochs: 2 }))
    const out = await alone('bench', '--config', config, '--out', join(directory, 'out'))
    expect(out).toMatch(/^1 of 1 trials have a record: 1 ok$/m)
    expect(out).toMatch(/^report: .*report\.html$/m)
  })
})
