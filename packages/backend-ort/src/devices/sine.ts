// sin and cos as sums and products, for devices whose built-in functions are too inaccurate: WGSL allows an absolute
// error of 2^-11.
import type { Emitter } from '../onnx/emitter.js'
import type { ModelBuilder } from '../onnx/model.js'

/** π in three parts whose products with small integers are exact (Cody & Waite 1980): the first two have 11 bits. */
const HIGH = 201 / 64
const MIDDLE = Math.round((Math.PI - HIGH) * 2 ** 21) / 2 ** 21
const PI_PARTS = [HIGH, MIDDLE, Math.PI - HIGH - MIDDLE]

/** Coefficients of the Maclaurin series of sin x / x by powers of x²; on ±π/2 the next is less than a rounding error. */
const SERIES = [1, -1 / 6, 1 / 120, -1 / 5040, 1 / 362880, -1 / 39916800]

/** ±sin(x - (k + shift) π), for the integer k that brings its argument into ±π/2. */
const periodic =
  (shift: 0 | 0.5): Emitter =>
  (model, { inputs, outputs }) => {
    const [x] = inputs as [string]
    const number = (value: number) => model.scalar('float32', value)
    const add = (a: string, b: string) => model.add('Add', [a, b])
    const mul = (a: string, b: string) => model.add('Mul', [a, b])
    const turns = add(mul(x, number(1 / Math.PI)), number(0.5 - shift))
    const k = model.add('Floor', [turns])
    const centre = add(k, number(shift))
    const r = PI_PARTS.reduce(
      (rest, part) => model.add('Sub', [rest, mul(centre, number(part))]),
      x,
    )
    const sine = mul(r, polynomial(model, mul(r, r), SERIES))
    // (-1)^k for sin; at the zeros of cos its slope is -(-1)^k.
    const odd = model.add('Sub', [k, mul(model.add('Floor', [mul(k, number(0.5))]), number(2))])
    const sign =
      shift === 0
        ? model.add('Sub', [number(1), mul(odd, number(2))])
        : model.add('Sub', [mul(odd, number(2)), number(1)])
    // Nothing is known of numbers so large that the parts lose count: their result is 0. Infinity gives NaN.
    const counted = model.add('LessOrEqual', [model.add('Abs', [r]), number(2)])
    model.add('Where', [counted, mul(sine, sign), mul(x, number(0))], {}, outputs)
  }

/** By Horner's rule, lowest coefficient first. */
const polynomial = (model: ModelBuilder, x: string, coefficients: readonly number[]): string =>
  coefficients
    .map((value) => model.scalar('float32', value))
    .reduceRight((sum, coefficient) => model.add('Add', [model.add('Mul', [sum, x]), coefficient]))

export const sin = periodic(0)
export const cos = periodic(0.5)
