// tfjs:cpu: tf's plain JavaScript kernels. Slow, always available; tensors are typed arrays on the host.
import { hostTensor, type DType } from '@embed-kd/core'
import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu'
import { exactIntegers, rules } from '../kernels.js'
import type { HostValues, TfTensor } from '../workspace.js'
import { onThisThread, type Device } from './device.js'
import { elementwiseOnHost, hostMemoryRules } from './host-memory.js'

export const probe = async (): Promise<undefined> => undefined

export function open(): Promise<Device> {
  const tf = new MathBackendCPU()
  // tf would greet Node users on first use, on stderr, and send them to tfjs-node.
  Object.assign(tf, { firstUse: false })
  // A tensor made without values has no memory until something is to be written there.
  const view = ({ dataId, dtype, shape }: TfTensor): HostValues => {
    const stored = tf.data.get(dataId)
    stored.values ??= hostTensor(dtype as DType, shape).data
    return stored.values as HostValues
  }
  return Promise.resolve({
    ...onThisThread(tf),
    tf,
    registry: 'cpu',
    rules: {
      ...rules,
      ...hostMemoryRules(view),
      // tf multiplies integers as float64, which has no room for their product.
      mul: exactIntegers(rules.mul, elementwiseOnHost(view, Math.imul)),
    },
    traits: {
      // Each result is rounded to float32 when it is stored; tf's erf is an approximation.
      precision: { arithmetic: 2 ** -23, transcendental: 5e-7 },
      deterministic: true,
      reusesDonated: true,
      denormals: true,
      excuses: [],
    },
    versions: {},
    dispose: () => undefined,
  })
}
