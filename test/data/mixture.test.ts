import { describe, expect, it } from 'vitest'
import { Mixture, type MixtureSource } from '../../lib/data/mixture.ts'
import { permutation, randomStream } from '../../lib/data/random.ts'

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i)
const sources: MixtureSource<number>[] = [
  { name: 'a', items: range(10), weight: 3 },
  { name: 'b', items: range(7), weight: 1 },
  { name: 'c', items: range(100), weight: 0.5 },
]
const draws = (mixture: Mixture<number>, count: number): string[] =>
  mixture.take(count).map(({ source, index, epoch }) => `${source}${epoch}/${index}`)

describe('permutation', () => {
  it('is a permutation fixed by its key', () => {
    const order = permutation(1000, 'k')
    expect([...order].sort((a, b) => a - b)).toEqual(range(1000))
    expect(permutation(1000, 'k')).toEqual(order)
    expect(permutation(1000, 'l')).not.toEqual(order)
    expect([...permutation(8, 'pinned')]).toMatchInlineSnapshot(`
      [
        5,
        0,
        4,
        2,
        6,
        1,
        3,
        7,
      ]
    `)
    expect(permutation(0, 'k')).toHaveLength(0)
  })

  it('is unbiased: every item lands everywhere equally often', () => {
    const n = 5
    const counts = range(n).map(() => range(n).map(() => 0))
    const runs = 5000
    for (let run = 0; run < runs; run++) {
      for (const [at, item] of permutation(n, `run ${run}`).entries()) counts[item]![at]!++
    }
    // Binomial(5000, 1/5): standard deviation 28.3; 5 of them.
    for (const row of counts) for (const c of row) expect(Math.abs(c - runs / n)).toBeLessThan(142)
  })

  it('streams have the mean and the bits of uniform integers', () => {
    const next = randomStream('s')
    let sum = 0
    let ones = 0
    for (let i = 0; i < 20_000; i++) {
      const x = next()
      sum += x / 2 ** 32
      ones += x & 1
    }
    expect(Math.abs(sum / 20_000 - 0.5)).toBeLessThan(0.011)
    expect(Math.abs(ones / 20_000 - 0.5)).toBeLessThan(0.018)
  })
})

describe('Mixture', () => {
  it('keeps the proportions in every prefix to within one sample', () => {
    const mixture = new Mixture(sources, { seed: 1 })
    const drawn: Record<string, number> = { a: 0, b: 0, c: 0 }
    for (let p = 1; p <= 900; p++) {
      drawn[mixture.next().source]!++
      for (const { name, weight } of sources) {
        expect(Math.abs(drawn[name]! - (p * weight) / 4.5)).toBeLessThanOrEqual(1.0001)
      }
    }
    expect(drawn).toEqual({ a: 600, b: 200, c: 100 })
  })

  it('goes through every item once an epoch, in a new order each time', () => {
    const mixture = new Mixture([sources[0]!], { seed: 4 })
    const first = mixture.take(10)
    const second = mixture.take(10)
    expect(first.map(d => d.item).sort((a, b) => a - b)).toEqual(range(10))
    expect(second.map(d => d.item).sort((a, b) => a - b)).toEqual(range(10))
    expect(second.map(d => d.item)).not.toEqual(first.map(d => d.item))
    expect([...first, ...second].map(d => d.epoch)).toEqual([
      ...Array(10).fill(0),
      ...Array(10).fill(1),
    ])
  })

  it('depends on seed and names, not on the order of construction', () => {
    const one = draws(new Mixture(sources, { seed: 1 }), 200)
    expect(draws(new Mixture([...sources].reverse(), { seed: 1 }), 200)).toEqual(one)
    expect(draws(new Mixture(sources, { seed: 2 }), 200)).not.toEqual(one)
  })

  it('keeps file order without shuffling', () => {
    const mixture = new Mixture([sources[1]!], { seed: 1, shuffle: false })
    expect(mixture.take(9).map(d => d.index)).toEqual([0, 1, 2, 3, 4, 5, 6, 0, 1])
  })

  it('resumes exactly from any position through JSON', () => {
    const whole = draws(new Mixture(sources, { seed: 9 }), 300)
    for (const stop of [0, 1, 17, 99, 250]) {
      const before = new Mixture(sources, { seed: 9 })
      before.take(stop)
      const after = new Mixture(sources, { seed: 9 })
      after.take(33)
      after.restore(JSON.parse(JSON.stringify(before.state())))
      expect(after.position).toBe(stop)
      expect(draws(after, 300 - stop)).toEqual(whole.slice(stop))
    }
  })

  it('refuses the state of another mixture, naming what differs', () => {
    const state = new Mixture(sources, { seed: 1 }).state()
    const resume = (other: Mixture<number>) => () => other.restore(state)
    expect(resume(new Mixture(sources, { seed: 2 }))).toThrow('seed was 1 and is now 2')
    expect(resume(new Mixture(sources, { seed: 1, shuffle: false }))).toThrow('shuffle was true')
    expect(resume(new Mixture(sources.slice(1), { seed: 1 }))).toThrow('name of the sources')
    const longer = [{ ...sources[0]!, items: range(11) }, ...sources.slice(1)]
    expect(resume(new Mixture(longer, { seed: 1 }))).toThrow('size of the sources was [10,7,100]')
  })

  it.each([
    [[], 'needs a source'],
    [[{ name: 'a', items: [], weight: 1 }], 'source "a" is empty'],
    [[sources[0]!, sources[0]!], 'two sources are named "a"'],
    [[{ ...sources[0]!, weight: 0 }], 'weight of source "a" is 0'],
    [[{ ...sources[0]!, weight: Number.NaN }], 'weight of source "a" is NaN'],
  ])('refuses %j', (bad, expected) => {
    expect(() => new Mixture<number>(bad, { seed: 1 })).toThrow(expected)
  })
})
