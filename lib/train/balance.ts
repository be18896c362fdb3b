/**
 * Micro-batches that take the ranks equally long. In a turn every rank works on one micro-batch and the
 * turn lasts as long as the slowest, so a step costs Σ over turns of the largest of each.
 *
 *   which sequences    as many to a micro-batch as the recipe says, longest first, each to the micro-batch
 *                      that has the least work so far (LPT; Graham 1969, SIAM J. Appl. Math. 17)
 *   in which order     the one with the most work first: turns are consecutive, and of all orders this
 *                      one has the least sum of largest ones, for any number of ranks
 *
 * Work is counted in operations: products for each row, attention for each pair that a row sees. All of it
 * follows from the lengths alone and not from the number of ranks, and micro-batches are added up in their
 * order, so the sum stays the same bits on any number of ranks.
 */
import type { MicroBatch } from '../data/packing.ts'
import { forwardFlops, type Geometry } from '../plan/geometry.ts'

/** Operations of a sequence's forward pass; its first `shared` tokens are computed elsewhere. */
export function sequenceWork(g: Geometry, length: number, shared = 0): number {
  const { products, attention } = forwardFlops(g, { sample: 1, scored: 1 })
  return (length - shared) * products + (length ** 2 - shared ** 2) * attention
}

export function microBatchWork(
  g: Geometry,
  { cuSeqlens, prefixes }: Pick<MicroBatch, 'cuSeqlens' | 'prefixes'>,
): number {
  let work = 0
  for (let i = 0; i + 1 < cuSeqlens.length; i++) {
    work += sequenceWork(g, cuSeqlens[i + 1]! - cuSeqlens[i]!, prefixes?.[i])
  }
  return work
}

/** The items, the one with the most work first; ties in their order. */
export function heaviestFirst<T>(items: readonly T[], work: (item: T) => number): T[] {
  const all = items.map((item, i) => ({ item, work: work(item), i }))
  return all.sort((a, b) => b.work - a.work || a.i - b.i).map(({ item }) => item)
}

/**
 * Indices of `work` in bins of about equal work that hold `sizes` of them, each bin's ascending. The sum of
 * sizes must be the number of items.
 */
export function equalBins(work: readonly number[], sizes: readonly number[]): number[][] {
  const bins = sizes.map(size => ({ room: size, work: 0, members: [] as number[] }))
  for (const i of heaviestFirst([...work.keys()], item => work[item]!)) {
    let best: (typeof bins)[number] | null = null
    for (const bin of bins) {
      if (bin.room > 0 && (best === null || bin.work < best.work)) best = bin
    }
    if (best === null) throw new RangeError('equalBins: more items than the bins hold')
    best.room--
    best.work += work[i]!
    best.members.push(i)
  }
  return bins.map(({ members }) => members.sort((a, b) => a - b))
}

/** `count` items cut into pieces of `size`, the last one perhaps smaller. */
export function sizesOf(count: number, size: number): number[] {
  return Array.from({ length: Math.ceil(count / size) }, (_, i) => Math.min(size, count - i * size))
}
