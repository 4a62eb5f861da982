// What the calculator predicts for settings that were not measured.
import { describe, expect, test } from 'vitest'
import { calculatorOf, configurationsOf } from '../src/index.js'
import { syntheticRecords } from './synthetic.js'

const records = syntheticRecords()

describe('the calculator', () => {
  test('predicts measured configurations it was not calibrated by', () => {
    const calculator = calculatorOf(configurationsOf(records))
    if (typeof calculator === 'string') throw new Error(calculator)
    // Synthetic times follow from FLOPs up to noise and a rate that depends on the teacher's share.
    expect(calculator.timeError.median).toBeLessThan(1.3)
    expect(calculator.memoryError!.median).toBeLessThan(1.2)
    const question = { batch: 64, epochs: 3, images: 1000 }
    const own = (flopsPerImage: number) =>
      calculator.predict({ ...question, teacher: { parameters: 5e6, flopsPerImage } })
    const [light, heavy] = [own(1e9), own(4e9)]
    expect(heavy.methods['teacher-kd'].stepSeconds).toBeGreaterThan(
      light.methods['teacher-kd'].stepSeconds,
    )
    expect(heavy.embeddingSeconds).toBeCloseTo(4 * light.embeddingSeconds, 9)
    const twice = calculator.predict({ ...question, teacher: 'vit-tiny-32', speed: 2 })
    const small = calculator.predict({ ...question, teacher: 'vit-tiny-32' })
    expect(small.methods['teacher-kd'].stepSeconds).toBeCloseTo(
      2 * twice.methods['teacher-kd'].stepSeconds,
      12,
    )
    const large = calculator.predict({ ...question, teacher: 'vit-base-32' })
    const live = (predicted: typeof small) => predicted.methods['teacher-kd']
    expect(live(large).stepSeconds).toBeGreaterThan(live(small).stepSeconds)
    expect(live(large).peakBytes).toBeGreaterThan(live(small).peakBytes)
    expect(large.methods['embed-kd'].stepSeconds).toBeLessThan(live(large).stepSeconds)
    const { epochSeconds, totalSeconds } = large.methods['embed-kd']
    expect(totalSeconds).toBeCloseTo(3 * epochSeconds + large.embeddingSeconds)
  })

  test('says so if too little was measured', () => {
    expect(calculatorOf(configurationsOf(records.slice(0, 3)))).toMatch(/^A prediction needs/)
  })
})
