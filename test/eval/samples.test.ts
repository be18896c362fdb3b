import { describe, expect, test } from 'vitest'
import { bootstrapMean } from '../../lib/eval/bootstrap.ts'
import { best, macroF1, majority, passAtK } from '../../lib/eval/samples.ts'

/** pass@k by counting all subsets of k samples. */
function counted(n: number, c: number, k: number): number {
  let [all, some] = [0, 0]
  for (let set = 0; set < 1 << n; set++) {
    let size = 0
    for (let bit = set; bit > 0; bit >>= 1) size += bit & 1
    if (size !== k) continue
    all++
    if ((set & ((1 << c) - 1)) !== 0) some++
  }
  return some / all
}

test('pass@k is the share of subsets with a right sample', () => {
  for (let n = 1; n <= 9; n++)
    for (let c = 0; c <= n; c++)
      for (let k = 1; k <= n; k++) expect(passAtK(n, c, k)).toBeCloseTo(counted(n, c, k), 12)
  expect(passAtK(200, 1, 100)).toBeCloseTo(0.5, 12)
  expect(passAtK(5, 0, 5)).toBe(0)
  expect(() => passAtK(4, 2, 8)).toThrow('draw at least 8 samples')
})

test('majority and best', () => {
  const same = (a: string, b: string): boolean => a === b
  expect(majority(['3', '4', '4', '3', '5'], same)).toBe(0)
  expect(majority(['3', '4', null, '4'], same)).toBe(1)
  expect(majority([null, null], same)).toBeNull()
  expect(majority(['a', 'b', 'A'], (a, b) => a.toLowerCase() === b.toLowerCase())).toBe(0)
  expect(best([-3, null, -1, -1])).toBe(2)
  expect(best([null])).toBeNull()
})

test('macro-F1 as scikit-learn has it', () => {
  // sklearn.metrics.f1_score([0,0,1,1,1,2], [0,1,1,1,0,1], average="macro")
  expect(macroF1([0, 0, 1, 1, 1, 2], [0, 1, 1, 1, 0, 1])).toBeCloseTo((0.5 + 4 / 7) / 3, 12)
  expect(macroF1([0, 1], [0, 1])).toBe(1)
  expect(macroF1([0, 1], [0, null])).toBeCloseTo(1 / 3, 12)
})

describe('the bootstrap', () => {
  const values = Array.from({ length: 400 }, (_, i) => (i % 4 === 0 ? 1 : 0))

  test('has the spread of the mean and follows from its seed', () => {
    const { low, high } = bootstrapMean(values)
    const half = 1.96 * Math.sqrt((0.25 * 0.75) / 400)
    expect(Math.abs(low - (0.25 - half))).toBeLessThan(0.004)
    expect(Math.abs(high - (0.25 + half))).toBeLessThan(0.004)
    expect(bootstrapMean(values)).toEqual({ low, high })
    const fewer = { resamples: 50 }
    expect(bootstrapMean(values, { ...fewer, seed: 1 })).not.toEqual(bootstrapMean(values, fewer))
  })

  test('covers the truth about 95 times of 100', () => {
    let covered = 0
    for (let trial = 0; trial < 300; trial++) {
      // A stratified set of uniform draws would have no noise: an irrational walk with a jump has.
      const draws = Array.from({ length: 60 }, (_, i) => {
        const x = Math.sin(trial * 997.1 + i * 78.233) * 43758.5453
        return x - Math.floor(x) < 0.3 ? 1 : 0
      })
      const { low, high } = bootstrapMean(draws, { resamples: 400, seed: trial })
      if (low <= 0.3 && 0.3 <= high) covered++
    }
    expect(covered).toBeGreaterThan(270)
    expect(covered).toBeLessThan(300)
  })

  test('of nothing', () => expect(() => bootstrapMean([])).toThrow('empty'))
})
