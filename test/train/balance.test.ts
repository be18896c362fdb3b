import { describe, expect, it } from 'vitest'
import { randomStream } from '../../lib/data/random.ts'
import { parseModelConfig } from '../../lib/model/config.ts'
import { geometryOf } from '../../lib/plan/geometry.ts'
import {
  equalBins,
  heaviestFirst,
  microBatchWork,
  sequenceWork,
  sizesOf,
} from '../../lib/train/balance.ts'
import { tinyConfig } from '../tiny-config.ts'

const geometry = geometryOf(
  parseModelConfig(
    tinyConfig({
      vocab_size: 151_936,
      hidden_size: 1024,
      intermediate_size: 3072,
      num_hidden_layers: 28,
    }),
  ),
)

/** What a step lasts: turns of `ranks` micro-batches, each as long as its slowest. */
function duration(work: readonly number[], ranks: number): number {
  let sum = 0
  for (let at = 0; at < work.length; at += ranks) sum += Math.max(...work.slice(at, at + ranks))
  return sum
}

/** Every order of the numbers. */
function* orders(items: readonly number[]): Generator<number[]> {
  if (items.length === 0) yield []
  for (const [i, item] of items.entries()) {
    for (const rest of orders([...items.slice(0, i), ...items.slice(i + 1)])) yield [item, ...rest]
  }
}

/** Lengths as completions have them: many short ones, few up to the limit. */
function lengths(count: number, key: string): number[] {
  const next = randomStream(key)
  const uniform = (): number => (next() + 0.5) / 2 ** 32
  return Array.from({ length: count }, () =>
    Math.min(2048, Math.ceil(-400 * Math.log(uniform())) + 40),
  )
}

describe('micro-batches that take ranks equally long', () => {
  it('count products for rows and attention for pairs, a shared prompt once', () => {
    const whole = sequenceWork(geometry, 100)
    expect(sequenceWork(geometry, 200)).toBeGreaterThan(2 * whole)
    expect(sequenceWork(geometry, 100, 30) + sequenceWork(geometry, 30)).toBeCloseTo(whole, 3)
    const two = { cuSeqlens: Int32Array.of(0, 100, 200), prefixes: Int32Array.of(0, 30) }
    expect(microBatchWork(geometry, two)).toBeCloseTo(2 * whole - sequenceWork(geometry, 30), 3)
  })

  it('are in the best of all orders, for every number of ranks at once', () => {
    const work = [3, 9, 4, 1, 7, 7, 2]
    const sorted = heaviestFirst(work, x => x)
    expect(sorted).toEqual([9, 7, 7, 4, 3, 2, 1])
    for (const ranks of [1, 2, 3, 4, 5]) {
      const best = Math.min(...[...orders(work)].map(order => duration(order, ranks)))
      expect(duration(sorted, ranks)).toBe(best)
    }
  })

  it('have equally much to do: 4 ranks wait for less than 3 % where they waited for 20 %', () => {
    let [before, after, ideal] = [0, 0, 0]
    for (let round = 0; round < 20; round++) {
      const work = lengths(64, `round ${round}`).map(n => sequenceWork(geometry, n))
      const sum = (members: readonly number[]): number =>
        members.reduce((total, i) => total + work[i]!, 0)
      const sizes = sizesOf(64, 4)
      const bins = equalBins(work, sizes)
      expect(bins.map(bin => bin.length)).toEqual(sizes)
      expect(bins.flat().sort((a, b) => a - b)).toEqual([...work.keys()])
      const inOrder = sizes.map((n, b) => sum(Array.from({ length: n }, (_, i) => 4 * b + i)))
      before += duration(inOrder, 4)
      after += duration(
        heaviestFirst(bins.map(sum), x => x),
        4,
      )
      ideal += sum([...work.keys()]) / 4
    }
    expect(before / ideal).toBeGreaterThan(1.2)
    expect(after / ideal).toBeLessThan(1.03)
  })

  it('hold what they should: a remainder is the last, too many items are an error', () => {
    expect(sizesOf(10, 4)).toEqual([4, 4, 2])
    expect(equalBins([1, 1, 1], [2, 1])).toEqual([[0, 2], [1]])
    expect(() => equalBins([1, 1, 1], [2])).toThrow(RangeError)
  })
})
