// Run by wasm.test.ts in a process of its own: a matrix product on all threads of ort:wasm. Prints their number, and true if it is right.
import { backend } from '@embed-kd/backend-ort'
import { hostTensor, op, spec, trace } from '@embed-kd/core'

const wasm = await backend.create('wasm')
const graph = trace('product', { x: spec([256, 256]) }, ({ x }) => ({ y: op.matmul(x, x) }))
const x = hostTensor('float32', [256, 256], new Float32Array(256 * 256).fill(1))
const product = await wasm.compile(graph)
const { y } = await product.run({ x: await wasm.upload(x) })
console.log(
  wasm.versions.threads,
  (await wasm.read(y)).data.every((value) => value === 256),
)
