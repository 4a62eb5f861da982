// Bilinear resizing with antialiasing, equal to torchvision's: two small matrices, so that graphs resize by matmul
// and the host by plain loops over the same weights.
import { checkInteger, fail } from '../check.js'
import * as op from '../graph/api.js'
import type { Tensor } from '../graph/trace.js'
import { formatType, hostTensor } from '../tensor/tensor.js'

/**
 * Weights [to, from] of resizing one axis, as torch.nn.functional.interpolate(mode='bilinear', antialias=True,
 * align_corners=False): a triangle filter, widened by the scale when shrinking.
 */
export function resizeWeights(from: number, to: number): Float32Array {
  const scale = from / to
  const support = Math.max(scale, 1)
  const weights = new Float32Array(to * from)
  for (let i = 0; i < to; i++) {
    const centre = (i + 0.5) * scale
    const first = Math.max(Math.trunc(centre - support + 0.5), 0)
    const end = Math.min(Math.trunc(centre + support + 0.5), from)
    const row = Array.from({ length: end - first }, (_, k) =>
      Math.max(1 - Math.abs((first + k - centre + 0.5) / support), 0),
    )
    const total = row.reduce((sum, w) => sum + w, 0)
    row.forEach((w, k) => (weights[i * from + first + k] = w / total))
  }
  return weights
}

/** Resizes images [B,C,H,W] to [B,C,toHeight,toWidth]. @throws UserError if the images have another rank, or a size is no size. */
export function resize(images: Tensor, toHeight: number, toWidth = toHeight): Tensor {
  if (images.rank !== 4) fail(`images must be [B,C,H,W], got ${formatType(images.type)}`)
  checkInteger('resize: toHeight', toHeight)
  checkInteger('resize: toWidth', toWidth)
  const [, , height, width] = images.shape as [number, number, number, number]
  const weights = (from: number, to: number) =>
    images.tracer.constant(hostTensor('float32', [to, from], resizeWeights(from, to)))
  const wide =
    width === toWidth ? images : op.matmul(images, weights(width, toWidth), { transposeB: true })
  return height === toHeight ? wide : op.matmul(weights(height, toHeight), wide)
}
