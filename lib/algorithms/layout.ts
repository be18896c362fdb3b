/**
 * Packed sequences: `cuSeqlens` (n + 1 ascending offsets from 0) over T tokens with a 0/1 loss mask.
 */
import { KogrpoError } from '../errors.ts'

export interface SequenceLayout {
  sequences: number
  tokens: number
  /** [start, end) of sequence i. */
  bounds: (sequence: number) => [start: number, end: number]
  /** Tokens of sequence i with mask 1. */
  trained: (sequence: number) => number
  /** Tokens with mask 1 in all. */
  trainedTotal: number
}

/** Checks `cuSeqlens` and `mask` against each other and counts; throws `E_ALGORITHM`. */
export function sequenceLayout(
  cuSeqlens: Int32Array,
  mask: Float32Array | Uint8Array,
): SequenceLayout {
  const sequences = cuSeqlens.length - 1
  if (sequences < 1 || cuSeqlens[0] !== 0) {
    throw new KogrpoError(
      'E_ALGORITHM',
      'cuSeqlens must start with 0 and hold one more offset than there are sequences',
    )
  }
  const tokens = cuSeqlens[sequences]!
  if (mask.length !== tokens) {
    throw new KogrpoError(
      'E_ALGORITHM',
      `mask has ${mask.length} entries, cuSeqlens says ${tokens} tokens`,
    )
  }
  const counts = new Int32Array(sequences)
  let trainedTotal = 0
  for (let i = 0; i < sequences; i++) {
    const start = cuSeqlens[i]!
    const end = cuSeqlens[i + 1]!
    if (end <= start) {
      throw new KogrpoError(
        'E_ALGORITHM',
        `cuSeqlens[${i + 1}] = ${end} does not exceed cuSeqlens[${i}] = ${start}; a sequence has at least one token`,
      )
    }
    for (let t = start; t < end; t++) {
      if (mask[t] === 1) counts[i]!++
      else if (mask[t] !== 0) {
        throw new KogrpoError('E_ALGORITHM', `mask[${t}] is ${mask[t]}; it must be 0 or 1`)
      }
    }
    trainedTotal += counts[i]!
  }
  return {
    sequences,
    tokens,
    bounds: i => [cuSeqlens[i]!, cuSeqlens[i + 1]!],
    trained: i => counts[i]!,
    trainedTotal,
  }
}
