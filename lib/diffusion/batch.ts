/**
 * Masked copies of completions as one packed batch: the prompt as it is, the masked places of the
 * completion exchanged for the mask token, and their originals as targets (logits are not shifted).
 */
import type { MaskedCopy } from '../algorithms/masked-diffusion.ts'
import type { Batch } from '../engine/engine.ts'

export interface DiffusionSample {
  prompt: Int32Array
  /** All places that were filled in, those behind the end included. */
  completion: Int32Array
}

interface MaskedBatch extends Batch {
  mask: Uint8Array
  targets: Int32Array
  /** w of each masked token, 0 elsewhere. */
  weights: Float32Array
  /** The sample of each token. */
  sequences: Int32Array
  /** Samples. */
  count: number
}

/** `copies[i]` are the masked copies of sample i. */
export function maskedBatch(
  samples: readonly DiffusionSample[],
  copies: readonly (readonly MaskedCopy[])[],
  maskToken: number,
): MaskedBatch {
  const ends = [0]
  for (const [i, { prompt, completion }] of samples.entries()) {
    for (const _ of copies[i]!) ends.push(ends.at(-1)! + prompt.length + completion.length)
  }
  const total = ends.at(-1)!
  const batch = {
    tokens: new Int32Array(total),
    cuSeqlens: Int32Array.from(ends),
    mask: new Uint8Array(total),
    targets: new Int32Array(total),
    weights: new Float32Array(total),
    sequences: new Int32Array(total),
    count: samples.length,
  }
  let at = 0
  for (const [i, { prompt, completion }] of samples.entries()) {
    for (const { masked, weight } of copies[i]!) {
      batch.tokens.set(prompt, at)
      batch.sequences.fill(i, at, at + prompt.length + completion.length)
      at += prompt.length
      for (const [k, token] of completion.entries()) {
        const hidden = masked[k] === 1
        batch.tokens[at] = hidden ? maskToken : token
        batch.targets[at] = token
        batch.mask[at] = Number(hidden)
        batch.weights[at] = hidden ? weight : 0
        at++
      }
    }
  }
  return batch
}
