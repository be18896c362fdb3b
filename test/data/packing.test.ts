import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concatenate, pack, planBins } from '../../lib/data/packing.ts'

const sample = (length: number, tag: number) => ({
  ids: new Int32Array(length).fill(tag),
  mask: Uint8Array.from({ length }, (_, i) => (i + tag) % 2),
})

describe('planBins', () => {
  it('puts each sequence, longest first, into the fullest bin that takes it', () => {
    // 6 + 4, 5 + 4, 3 + 2: the second 4 fits beside the 5 only.
    expect(planBins([4, 2, 6, 3, 5, 4], 10)).toEqual([
      [0, 2],
      [1, 3],
      [4, 5],
    ])
    expect(planBins([], 10)).toEqual([])
    expect(planBins([5, 5, 5, 5], 10)).toEqual([
      [0, 1],
      [2, 3],
    ])
  })

  it.each([
    [[3, 11], 'sequence 1 has 11 tokens; micro-batches hold 1 to 10'],
    [[0], 'sequence 0 has 0 tokens'],
  ])('refuses %j', (lengths, expected) => {
    expect(() => planBins(lengths, 10)).toThrow(expected)
  })

  it('holds every sequence once, within 11/9 of the lower bound (property)', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1, maxLength: 80 })
    fc.assert(
      fc.property(lengths, items => {
        const bins = planBins(items, 64)
        expect(bins.flat().sort((a, b) => a - b)).toEqual(items.map((_, i) => i))
        for (const bin of bins) {
          expect(bin.reduce((sum, i) => sum + items[i]!, 0)).toBeLessThanOrEqual(64)
        }
        expect(planBins(items, 64)).toEqual(bins)
        // No two bins could be joined.
        const loads = bins.map(bin => bin.reduce((sum, i) => sum + items[i]!, 0))
        const [least = 0, next = 64] = loads.sort((a, b) => a - b)
        if (bins.length > 1) expect(least + next).toBeGreaterThan(64)
      }),
    )
  })

  it('needs no bin more than the tokens do on lengths like those of real samples', () => {
    const lengths = Array.from({ length: 512 }, (_, i) => 20 + ((i * 7919) % 480))
    const total = lengths.reduce((a, b) => a + b, 0)
    const bins = planBins(lengths, 2048)
    expect(bins.length).toBe(Math.ceil(total / 2048))
  })
})

describe('pack', () => {
  it('concatenates without mixing', () => {
    const batches = pack([sample(4, 1), sample(2, 2), sample(6, 3), sample(3, 4)], 10)
    expect(batches.map(b => b.members)).toEqual([
      [0, 2],
      [1, 3],
    ])
    const [first, second] = batches
    expect([...first!.tokens]).toEqual([1, 1, 1, 1, 3, 3, 3, 3, 3, 3])
    expect([...first!.cuSeqlens]).toEqual([0, 4, 10])
    expect([...first!.mask]).toEqual([1, 0, 1, 0, 1, 0, 1, 0, 1, 0])
    expect([...second!.tokens]).toEqual([2, 2, 4, 4, 4])
    expect([...second!.cuSeqlens]).toEqual([0, 2, 5])
  })

  it('finds the prompts that neighbours share', () => {
    const ids = (...n: number[]): Int32Array => Int32Array.from(n)
    const with_ = (prompt: Int32Array | undefined, length: number) => ({
      ids: Int32Array.from({ length }, (_, i) => prompt?.[i] ?? 9),
      mask: new Uint8Array(length),
      prompt,
    })
    const samples = [
      with_(ids(1, 2), 4),
      with_(ids(1, 2), 3), // equal ids in another array
      with_(ids(1, 2), 2), // no token of its own: computed in full, and a root
      with_(ids(1, 2), 5),
      with_(ids(1), 3),
      with_(undefined, 3),
      with_(undefined, 3),
    ]
    const all = [...samples.keys()]
    expect([...concatenate(samples, all).prefixes!]).toEqual([0, 2, 0, 2, 0, 0, 0])
    expect(concatenate(samples, [0, 4, 5]).prefixes).toBeUndefined()
  })

  it('refuses a mask of another length', () => {
    const bad = { ids: new Int32Array(3), mask: new Uint8Array(2) }
    expect(() => concatenate([bad], [0])).toThrow('sequence 0 has 3 tokens but a mask of 2')
  })
})
