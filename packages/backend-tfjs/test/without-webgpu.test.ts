// A process that cannot find the optional package webgpu, as after an installation without it: a child of built code.
import { execFileSync } from 'node:child_process'
import { resolve } from 'node:path'
import { expect, it } from 'vitest'

const hooks = `export async function resolve(specifier, context, next) {
  if (specifier !== 'webgpu') return next(specifier, context)
  throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' })
}`
const program = `
import { register } from 'node:module'
register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(hooks)}))
const { tfjsBackend } = await import('@embed-kd/backend-tfjs')
console.log(JSON.stringify(await tfjsBackend.probe('webgpu')))
`

it('says that webgpu is to be installed, and how', () => {
  const args = ['--input-type=module', '--eval', program]
  const cwd = resolve(import.meta.dirname, '..')
  const found = JSON.parse(execFileSync(process.execPath, args, { cwd, encoding: 'utf8' }))
  expect(found).toEqual({
    available: false,
    reason: 'the npm package webgpu is not installed',
    remedy: expect.stringMatching(/^install it: npm install webgpu@\d+\.\d+\.\d+$/),
  })
})
