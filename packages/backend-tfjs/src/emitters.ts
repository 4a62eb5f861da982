// The emitters of ops as calls of tf's kernels, for every device that has no better way. Exceptions of a device are in its file
// under devices/; the order of calls is in translate.ts and schedule.ts.
import {
  hostScalar,
  hostTensor,
  Random,
  sameShape,
  sizeOf,
  type AttrsOf,
  type CompositeName,
  type DType,
  type HostTensor,
  type OpName,
  type PrimitiveName,
  type Shape,
  type TensorType,
} from '@embed-kd/core'
import type { HostValues, TfTensor, Workspace } from './workspace.js'

/** One node while its graph is translated. */
export interface Application<K extends OpName> {
  readonly attrs: AttrsOf<K>
  readonly inputs: readonly TensorType[]
  readonly outputs: readonly TensorType[]
  /** Puts a tensor on the device for as long as the executable lives. */
  constant(value: HostTensor): TfTensor
  /** Announces that each run makes a tensor of the type beside the outputs, for the plan of memory. */
  temporary(type: TensorType): void
  /** Announces that the output shares the data of an operand. */
  share(operand: number): void
}

/** Makes a node's outputs. The workspace makes every returned tensor in this call. */
export type Run = (inputs: readonly TfTensor[]) => TfTensor | readonly TfTensor[]

/** Prepares a node once and returns a function that runs at every step. */
export type Emitter<K extends OpName> = (application: Application<K>, workspace: Workspace) => Run

/** An emitter for every primitive, and for each composite that the device runs itself. */
export type Emitters = { readonly [K in PrimitiveName]: Emitter<K> } & {
  readonly [K in CompositeName]?: Emitter<K>
}

const unary =
  (kernel: string): Emitter<OpName> =>
  (_, tf) =>
  ([x]) =>
    tf.run(kernel, { x: x! })

const binary =
  (kernel: string): Emitter<OpName> =>
  (_, tf) =>
  ([a, b]) =>
    tf.run(kernel, { a: a!, b: b! })

/** One emitter for floats, another for integers, which some of tf's kernels round. */
export const exactIntegers =
  <K extends OpName>(floats: Emitter<K>, integers: Emitter<K>): Emitter<K> =>
  (application, tf) =>
    (application.inputs[0]!.dtype === 'int32' ? integers : floats)(application, tf)

/** Moves one axis to the end, runs `body`, and moves the axis back. */
export function withAxisLast(
  { inputs: [type], temporary }: Application<OpName>,
  axis: number,
  tf: Workspace,
  body: (x: TfTensor) => TfTensor,
): Run {
  const { shape } = type!
  const last = shape.length - 1
  if (axis === last) return ([x]) => body(x!)
  for (let made = 0; made < 2; made++) temporary(type!)
  const perm = shape.map((_, i) => (i === axis ? last : i === last ? axis : i))
  return ([x]) =>
    tf.run('Transpose', { x: body(tf.run('Transpose', { x: x! }, { perm })) }, { perm })
}

/** `x` repeated to `shape`. */
export type Broadcast = (x: TfTensor, shape: Shape, tf: Workspace) => TfTensor

const tile: Broadcast = (x, shape, tf) => {
  const aligned = [...shape.slice(x.shape.length).map(() => 1), ...x.shape]
  const reps = shape.map((n, axis) => n / aligned[axis]!)
  return tf.run('Tile', { x: tf.view(x, aligned) }, { reps })
}

/** Operands of one shape, for kernels that do not broadcast. */
export const spread = (
  inputs: readonly TfTensor[],
  shape: Shape,
  tf: Workspace,
  broadcast: Broadcast,
): TfTensor[] => inputs.map((x) => (sameShape(x.shape, shape) ? x : broadcast(x, shape, tf)))

/** Announces the tensors that `spread` makes. */
export const announceSpread = (
  inputs: readonly TensorType[],
  shape: Shape,
  temporary: Application<OpName>['temporary'],
): void => {
  for (const type of inputs) if (!sameShape(type.shape, shape)) temporary({ ...type, shape })
}

/** Whether tf's kernels transpose an operand before they reduce it: the axes are not its last ones. */
const needsTransposing = ({ shape }: TensorType, axes: readonly number[]): boolean =>
  axes.some((axis) => axis < shape.length - axes.length)

/** A product whose operands have batch axes of one shape, or none. */
export type Product = (
  a: TfTensor,
  b: TfTensor,
  attrs: AttrsOf<'matmul'>,
  tf: Workspace,
) => TfTensor

const batchMatMul: Product = (a, b, attrs, tf) => tf.run('BatchMatMul', { a, b }, attrs)

/** Whether a product's right operand is one matrix, so that the left one's batch axes are rows. */
export const multipliesRows = ({ attrs, inputs: [, b] }: Application<'matmul'>): boolean =>
  sizeOf(b!.shape.slice(0, -2)) === 1 && !attrs.transposeA

/**
 * tf's kernels take one batch axis. Batch axes that both operands have become it; those only `a` has become rows where
 * `b` has none; any others are broadcast first.
 */
export const matmulWith =
  (product: Product, broadcast: Broadcast): Emitter<'matmul'> =>
  (application, tf) => {
    const {
      attrs,
      inputs: [aType, bType],
      outputs: [y],
      temporary,
    } = application
    const batch = y!.shape.slice(0, -2)
    const matrices = (type: TensorType): Run => {
      const matrix = type.shape.slice(-2)
      if (batch.length === 0) return ([x]) => x!
      const full = [...batch, ...matrix]
      const flat = [sizeOf(batch), ...matrix]
      announceSpread([type], full, temporary)
      return sameShape(type.shape, full)
        ? ([x]) => tf.view(x!, flat)
        : ([x]) => tf.view(broadcast(x!, full, tf), flat)
    }
    if (multipliesRows(application)) {
      const k = aType!.shape.at(-1)!
      const rows = sizeOf(aType!.shape) / k
      return ([a, b]) =>
        tf.view(
          product(tf.view(a!, [rows, k]), tf.view(b!, bType!.shape.slice(-2)), attrs, tf),
          y!.shape,
        )
    }
    const [left, right] = [matrices(aType!), matrices(bType!)]
    return ([a, b]) =>
      tf.view(product(left([a!]) as TfTensor, right([b!]) as TfTensor, attrs, tf), y!.shape)
  }

/** Reduces along axes; along none, the result is the operand. */
const reduced =
  <K extends 'sum' | 'max'>(
    reduce: (x: TfTensor, attrs: AttrsOf<K>, tf: Workspace) => TfTensor,
  ): Emitter<K> =>
  ({ attrs, inputs: [type], temporary, share }, tf) => {
    if (attrs.axes.length === 0) {
      share(0)
      return ([x]) => tf.view(x!)
    }
    if (needsTransposing(type!, attrs.axes)) temporary(type!)
    return ([x]) => reduce(x!, attrs, tf)
  }

/**
 * The uniforms of one draw, made on the host: a function of key and stream alone, equal on every device that uses it.
 */
export function uniforms(key: ArrayLike<number>, stream: number, size: number): Float32Array {
  const random = new Random(key[0]! >>> 0, key[1]! >>> 0, stream)
  const values = new Float32Array(size)
  for (let i = 0; i < size; i++) values[i] = random.uniform()
  return values
}

export const emitters = {
  constant: ({ attrs: { value }, constant }, tf) => {
    const resident = constant(value)
    return () => tf.view(resident)
  },
  iota: ({ attrs: { size }, constant }, tf) => {
    const resident = constant(
      hostTensor(
        'int32',
        [size],
        Int32Array.from({ length: size }, (_, i) => i),
      ),
    )
    return () => tf.view(resident)
  },
  // Reading the key is free where tensors live in host memory; webgpu makes its uniforms on the device.
  randomUniform:
    ({ attrs: { shape, stream } }, tf) =>
    ([key]) =>
      tf.make(
        'float32',
        shape,
        uniforms(tf.tf.readSync(key!.dataId) as HostValues, stream, sizeOf(shape)),
      ),
  bernoulli:
    ({ attrs: { shape, stream, probability } }, tf) =>
    ([key]) => {
      const draws = uniforms(tf.tf.readSync(key!.dataId) as HostValues, stream, sizeOf(shape))
      for (let i = 0; i < draws.length; i++) draws[i] = Number(draws[i]! < probability)
      return tf.make('float32', shape, draws)
    },

  neg: unary('Neg'),
  exp: unary('Exp'),
  log: unary('Log'),
  sqrt: unary('Sqrt'),
  rsqrt: unary('Rsqrt'),
  tanh: unary('Tanh'),
  sigmoid: unary('Sigmoid'),
  erf: unary('Erf'),
  sin: unary('Sin'),
  cos: unary('Cos'),
  add: binary('Add'),
  sub: binary('Sub'),
  mul: binary('Multiply'),
  div: binary('RealDiv'),
  maximum: binary('Maximum'),
  minimum: binary('Minimum'),
  equal: binary('Equal'),
  less: binary('Less'),
  lessEqual: binary('LessEqual'),
  and: binary('LogicalAnd'),
  or: binary('LogicalOr'),
  not: unary('LogicalNot'),
  select: ({ inputs: types, outputs: [y], temporary }, tf) => {
    announceSpread(types, y!.shape, temporary)
    return (inputs) => {
      const [condition, t, e] = spread(inputs, y!.shape, tf, tile)
      return tf.run('Select', { condition: condition!, t: t!, e: e! })
    }
  },
  cast: ({ attrs: { dtype }, inputs: [type], constant }, tf) => {
    if (dtype !== 'bool' || type!.dtype === 'bool')
      return ([x]) => tf.run('Cast', { x: x! }, { dtype })
    const zero = constant(hostScalar(0, type!.dtype))
    return ([x]) => tf.run('NotEqual', { a: x!, b: zero })
  },

  reshape: ({ attrs: { shape }, share }, tf) => {
    share(0)
    return ([x]) => tf.view(x!, shape)
  },
  transpose:
    ({ attrs: { permutation } }, tf) =>
    ([x]) =>
      tf.run('Transpose', { x: x! }, { perm: permutation }),
  broadcastTo:
    ({ attrs: { shape } }, tf) =>
    ([x]) =>
      tile(x!, shape, tf),
  slice:
    ({ attrs: { starts, sizes } }, tf) =>
    ([x]) =>
      tf.run('Slice', { x: x! }, { begin: starts, size: sizes }),
  pad: ({ attrs: { low, high } }, tf) => {
    const paddings = low.map((before, axis) => [before, high[axis]!])
    return ([x]) => tf.run('PadV2', { x: x! }, { paddings, constantValue: 0 })
  },
  concat: ({ attrs: { axis }, inputs: types, share }, tf) => {
    const parts = types.flatMap(({ shape }, i) => (sizeOf(shape) > 0 ? [i] : []))
    if (parts.length > 1)
      return (inputs) =>
        tf.run(
          'Concat',
          parts.map((i) => inputs[i]!),
          { axis },
        )
    share(parts[0]!)
    return (inputs) => tf.view(inputs[parts[0]!]!)
  },

  sum: reduced((x, { axes, keepDims }, tf) => tf.run('Sum', { x }, { axis: axes, keepDims })),
  max: reduced((x, { axes, keepDims }, tf) =>
    tf.run('Max', { x }, { reductionIndices: axes, keepDims }),
  ),
  argmax: ({ attrs: { axis }, inputs: [type], outputs: [y], temporary }, tf) => {
    if (needsTransposing(type!, [axis])) temporary(type!)
    return ([x]) => tf.view(tf.run('ArgMax', { x: x! }, { axis }), y!.shape)
  },
  matmul: matmulWith(batchMatMul, tile),

  softmax: (application, tf) =>
    withAxisLast(application, application.attrs.axis, tf, (logits) =>
      tf.run('Softmax', { logits }, { dim: logits.shape.length - 1 }),
    ),

  // In one piece, so that training keeps x alone for its gradient, and not what lies between.
  quickGelu: ({ constant, inputs: [type], temporary }, tf) => {
    for (let made = 0; made < 2; made++) temporary(type!)
    const slope = constant(hostScalar(1.702))
    return ([x]) => {
      const scaled = tf.run('Multiply', { a: x!, b: slope })
      return tf.run('Multiply', { a: x!, b: tf.run('Sigmoid', { x: scaled }) })
    }
  },
} satisfies Emitters

/** Whether a shape holds no element. */
export const isEmpty = ({ shape }: TensorType): boolean => sizeOf(shape) === 0

export const dtypes: readonly DType[] = ['float32', 'int32', 'bool']
