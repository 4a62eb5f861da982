// What a device is to the rest of this package: its session options, its emitters, what it promises, and how its
// tensors come and go. One file per device beside this one.
import type { Availability, Capabilities, HostTensor } from '@embed-kd/core'
import type * as OrtModule from 'onnxruntime-node'
import type { InferenceSession, Tensor } from 'onnxruntime-node'
import type { Emitters } from '../emitters.js'

export type Ort = typeof OrtModule

export interface Device {
  readonly name: string
  readonly capabilities: Capabilities
  readonly emitters: Emitters
  readonly sessionOptions: InferenceSession.SessionOptions
  /** Never throws. */
  probe(ort: Ort): Promise<Availability>
  /** A tensor whose memory is not the caller's. */
  upload(ort: Ort, tensor: HostTensor): Promise<Tensor>
  /** A copy on the host. */
  download(ort: Ort, tensor: Tensor): Promise<HostTensor['data']>
}
