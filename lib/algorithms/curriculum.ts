/**
 * Curriculum by measured difficulty (SARI, arXiv 2504.15900): items in buckets of about equal size by pass
 * rate, easy ones first or last. Within a bucket the order stays random.
 */
import { KogrpoError } from '../errors.ts'

export type CurriculumOrder = 'easy_to_hard' | 'random' | 'hard_to_easy'

/**
 * The bucket (0 comes first) of every item. Items of equal rate are in one bucket, that of the first
 * of them; so edges are a function of the rates alone. Throws `E_ALGORITHM` for rates outside 0 … 1.
 */
export function curriculumBuckets(
  rates: readonly number[],
  order: CurriculumOrder,
  buckets: number,
): number[] {
  for (const [i, rate] of rates.entries()) {
    if (rate >= 0 && rate <= 1) continue
    throw new KogrpoError('E_ALGORITHM', `pass rate ${i} is ${rate}; it must be 0 to 1`)
  }
  if (order === 'random') return rates.map(() => 0)
  const sign = order === 'easy_to_hard' ? -1 : 1
  const sorted = [...rates.keys()].sort((a, b) => sign * (rates[a]! - rates[b]!) || a - b)
  const bucketOf = new Map<number, number>()
  for (const [place, i] of sorted.entries()) {
    const rate = rates[i]!
    if (!bucketOf.has(rate)) bucketOf.set(rate, Math.floor((place * buckets) / rates.length))
  }
  return rates.map(rate => bucketOf.get(rate)!)
}
