import { describe, expect, it } from 'vitest'
import { sftCoefficients, sftLoss } from '../../lib/algorithms/sft.ts'

describe('sft', () => {
  it('is −1/N on trained tokens, whatever the micro-batch', () => {
    const mask = Float32Array.from([0, 1, 1, 0, 1, 1])
    const coef = sftCoefficients(mask, 4)
    expect(Array.from(coef)).toEqual([0, -0.25, -0.25, 0, -0.25, -0.25])
    const parts = [sftCoefficients(mask.slice(0, 3), 4), sftCoefficients(mask.slice(3), 4)]
    expect(parts.flatMap(part => Array.from(part))).toEqual(Array.from(coef))
  })

  it('loss is the mean negative log-prob of trained tokens', () => {
    const logprobs = Float32Array.from([-9, -1, -2, -9, -3, -4])
    const mask = Uint8Array.from([0, 1, 1, 0, 1, 1])
    expect(sftLoss(logprobs, mask, 4)).toBe(2.5)
    expect(sftLoss(logprobs.slice(0, 3), mask.slice(0, 3), 4)).toBe(0.75)
  })

  it('refuses an empty step, a too small count, a fractional mask', () => {
    expect(() => sftCoefficients(new Float32Array(3), 0)).toThrow(/no trained token/)
    expect(() => sftCoefficients(new Float32Array(3).fill(1), 2)).toThrow(/3 trained tokens/)
    expect(() => sftCoefficients(new Float32Array(3).fill(0.5), 2)).toThrow(/mask\[0\] is 0.5/)
    expect(() => sftLoss(new Float32Array(2), new Float32Array(3), 2)).toThrow(/logprobs has 2/)
  })
})
