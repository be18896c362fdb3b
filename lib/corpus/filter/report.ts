/** What a filter run has counted; part of its saved state, so that a resumed run counts on. */
import { FILTER_RULES, type FilterRule } from './rules.ts'

/** Perplexities in bins of a 32nd of an octave: memory does not grow, a percentile is within 1.1 %. */
const BINS_PER_OCTAVE = 32
const BINS = 40 * BINS_PER_OCTAVE

export interface FilterReport {
  records: number
  /** Bytes of JSON lines read, and of those kept. */
  bytes: number
  kept: number
  keptBytes: number
  dropped: Record<FilterRule, number>
  /** Records by the bin of their perplexity; empty without a model. */
  perplexities: number[]
}

export function emptyReport(): FilterReport {
  const dropped = Object.fromEntries(FILTER_RULES.map(rule => [rule, 0]))
  return {
    ...{ records: 0, bytes: 0, kept: 0, keptBytes: 0, perplexities: [] },
    dropped: dropped as Record<FilterRule, number>,
  }
}

export function countPerplexity(report: FilterReport, perplexity: number): void {
  if (report.perplexities.length === 0) report.perplexities = new Array<number>(BINS).fill(0)
  const bin = Math.floor(Math.log2(perplexity) * BINS_PER_OCTAVE)
  report.perplexities[Math.min(BINS - 1, Math.max(0, bin))]!++
}

/** The perplexity below which `share` of the measured records lie; null when none was measured. */
export function perplexityQuantile(report: FilterReport, share: number): number | null {
  const total = report.perplexities.reduce((sum, n) => sum + n, 0)
  if (total === 0) return null
  let bin = 0
  let below = report.perplexities[0]!
  while (below < share * total) below += report.perplexities[++bin]!
  return 2 ** ((bin + 0.5) / BINS_PER_OCTAVE)
}
