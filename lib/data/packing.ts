/**
 * Packs sequences into micro-batches of bounded size, flat and of variable length:
 *
 *   tokens     int32 [total]      the sequences one after the other
 *   cuSeqlens  int32 [n + 1]      sequence i is tokens[cuSeqlens[i] .. cuSeqlens[i + 1])
 *   mask       uint8 [total]      1 where predicting the token is trained
 *
 * There is no padding, and attention is per sequence by cuSeqlens, so samples cannot see each other.
 * Best-fit decreasing (Johnson 1974): longest first, each into the fullest bin that still takes it;
 * at most 11/9 of the optimal number of bins. Deterministic: ties go to the earlier sequence and the
 * earlier bin; sequences keep their order within a bin, bins that of their first sequence.
 */
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'

/** A sequence to pack. */
export interface Packable {
  ids: Int32Array
  mask: Uint8Array
  /** What `ids` begins with: computed once for neighbours in a batch that have the same. */
  prompt?: Int32Array | undefined
}

/** One flat batch. */
export interface MicroBatch {
  tokens: Int32Array
  cuSeqlens: Int32Array
  mask: Uint8Array
  /** Tokens that each sequence shares with its root (see `Batch` of lib/engine), if any does. */
  prefixes?: Int32Array
  /** Index of every packed sequence in the list given to `pack`. */
  members: number[]
}

interface Bin {
  free: number
  members: number[]
}

/**
 * Indices of `lengths` grouped into bins of at most `maxTokens`. Throws `KogrpoError` `E_PACKING`
 * for a sequence that is empty or fits no bin.
 */
export function planBins(lengths: readonly number[], maxTokens: number): number[][] {
  for (const [i, length] of lengths.entries()) {
    if (length < 1 || length > maxTokens) {
      throw new KogrpoError(
        'E_PACKING',
        phrase('sequence {i} has {length} tokens; micro-batches hold 1 to {maxTokens}', {
          i,
          length,
          maxTokens,
        }),
      )
    }
  }
  const order = lengths.map((_, i) => i).sort((a, b) => lengths[b]! - lengths[a]! || a - b)
  const bins: Bin[] = []
  for (const i of order) {
    const length = lengths[i] as number
    let best: Bin | null = null
    for (const bin of bins) {
      if (bin.free >= length && (best === null || bin.free < best.free)) best = bin
    }
    if (best === null) {
      best = { free: maxTokens, members: [] }
      bins.push(best)
    }
    best.free -= length
    best.members.push(i)
  }
  return bins
    .map(bin => bin.members.sort((a, b) => a - b))
    .sort((a, b) => (a[0] as number) - (b[0] as number))
}

/** One flat batch of the given members of `samples`, in that order. */
export function concatenate(samples: readonly Packable[], members: readonly number[]): MicroBatch {
  const cuSeqlens = new Int32Array(members.length + 1)
  for (const [i, member] of members.entries()) {
    cuSeqlens[i + 1] = (cuSeqlens[i] as number) + (samples[member] as Packable).ids.length
  }
  const total = cuSeqlens.at(-1) as number
  const tokens = new Int32Array(total)
  const mask = new Uint8Array(total)
  for (const [i, member] of members.entries()) {
    const sample = samples[member] as Packable
    if (sample.mask.length !== sample.ids.length) {
      throw new KogrpoError(
        'E_PACKING',
        phrase('sequence {member} has {length} tokens but a mask of {mask}', {
          member,
          length: sample.ids.length,
          mask: sample.mask.length,
        }),
      )
    }
    tokens.set(sample.ids, cuSeqlens[i])
    mask.set(sample.mask, cuSeqlens[i])
  }
  const prefixes = sharedPrefixes(members.map(member => samples[member] as Packable))
  return { tokens, cuSeqlens, mask, members: [...members], ...(prefixes && { prefixes }) }
}

/**
 * How many tokens each sample shares with its root: the length of its prompt where that is the prompt
 * of the samples just before it, 0 where a prompt is new. Undefined if nothing is shared.
 */
function sharedPrefixes(samples: readonly Packable[]): Int32Array | undefined {
  const prefixes = new Int32Array(samples.length)
  let root = samples[0]?.prompt
  for (const [i, { ids, prompt }] of samples.entries()) {
    const shared =
      i > 0 && prompt !== undefined && prompt.length < ids.length && equalIds(prompt, root)
    if (shared) prefixes[i] = prompt.length
    else root = prompt
  }
  return prefixes.some(n => n > 0) ? prefixes : undefined
}

function equalIds(a: Int32Array, b: Int32Array | undefined): boolean {
  return a === b || (b !== undefined && a.length === b.length && a.every((id, i) => id === b[i]))
}

/** Packs `samples` into micro-batches of at most `maxTokens` tokens. */
export function pack(samples: readonly Packable[], maxTokens: number): MicroBatch[] {
  const lengths = samples.map(sample => sample.ids.length)
  return planBins(lengths, maxTokens).map(members => concatenate(samples, members))
}
