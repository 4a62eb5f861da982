// Colours that everyone can tell apart: read from the stylesheet and seen as with each kind of colour blindness.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'

type Triple = readonly [number, number, number]
type Matrix = readonly [Triple, Triple, Triple]

// Linear RGB at full severity, after Machado, Oliveira and Fernandes (2009).
const VISIONS: Readonly<Record<string, Matrix>> = {
  'full vision': [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
}
/** Difference in OKLab; 0.02 is just noticeable side by side. */
const TOLD_APART = 0.1
const READABLE = 4.5

const css = readFileSync(new URL('../src/page/styles/base.css', import.meta.url), 'utf8')
const THEMES = ['light', 'dark'] as const
const METHODS = ['embed-kd', 'teacher-kd', 'cached-kd', 'cosine-kd', 'logit-kd', 'supervised']

function colorOf(name: string, theme: (typeof THEMES)[number]): Triple {
  const [, ...pair] = new RegExp(`--${name}: light-dark\\((#\\w{6}), (#\\w{6})\\)`).exec(css)!
  const hex = pair[THEMES.indexOf(theme)]!
  const channel = (at: number) => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
  }
  return [channel(1), channel(3), channel(5)]
}

function multiply(matrix: Matrix, [a, b, c]: Triple): Triple {
  const row = ([x, y, z]: Triple) => x * a + y * b + z * c
  return [row(matrix[0]), row(matrix[1]), row(matrix[2])]
}

/** OKLab of a linear RGB colour (Ottosson 2020). */
function oklab(color: Triple): Triple {
  const cones = multiply(
    [
      [0.4122214708, 0.5363325363, 0.0514459929],
      [0.2119034982, 0.6806995451, 0.1073969566],
      [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    color,
  )
  return multiply(
    [
      [0.2104542553, 0.793617785, -0.0040720468],
      [1.9779984951, -2.428592205, 0.4505937099],
      [0.0259040371, 0.7827717662, -0.808675766],
    ],
    [Math.cbrt(cones[0]), Math.cbrt(cones[1]), Math.cbrt(cones[2])],
  )
}

function seen(color: Triple, vision: Matrix): Triple {
  const [r, g, b] = multiply(vision, color)
  const clamp = (value: number) => Math.min(1, Math.max(0, value))
  return oklab([clamp(r), clamp(g), clamp(b)])
}

function luminance([r, g, b]: Triple): number {
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

describe.each(THEMES)('in the %s theme', (theme) => {
  test.each(Object.entries(VISIONS))('methods are told apart with %s', (_name, vision) => {
    for (const [at, one] of METHODS.entries()) {
      for (const other of METHODS.slice(at + 1)) {
        const a = seen(colorOf(one, theme), vision)
        const b = seen(colorOf(other, theme), vision)
        expect(
          Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]),
          `${one}, ${other}`,
        ).toBeGreaterThan(TOLD_APART)
      }
    }
  })

  test('names in the colour of a method can be read', () => {
    const paper = luminance(colorOf('paper', theme))
    for (const method of [...METHODS, 'muted', 'good', 'bad', 'accent']) {
      const ink = luminance(colorOf(method, theme))
      const contrast = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05)
      expect(contrast, method).toBeGreaterThan(READABLE)
    }
  })
})
