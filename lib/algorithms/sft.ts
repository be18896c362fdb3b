/**
 * Supervised fine-tuning as a coefficient per token: L = −(1/N) Σ m_t logp_t, N being the trained
 * tokens of the whole optimizer step, so micro-batches, accumulation and packing leave the gradient
 * unchanged. The coefficient −m_t/N is known before the forward pass, so the fused path applies.
 */
import { KogrpoError } from '../errors.ts'

/**
 * ∂L/∂logp per token: −1/`numTokens` where `mask` is 1, else 0.
 * `numTokens`: trained tokens of the optimizer step. Throws `E_ALGORITHM` when that is not a
 * positive integer (an empty loss mask) or smaller than this batch's own count.
 */
export function sftCoefficients(mask: Float32Array | Uint8Array, numTokens: number): Float32Array {
  checkCount(mask, numTokens)
  const coef = new Float32Array(mask.length)
  for (let t = 0; t < mask.length; t++) if (mask[t] !== 0) coef[t] = -1 / numTokens
  return coef
}

/** This batch's part of the step's loss: −Σ m_t logp_t / `numTokens`, in double precision. */
export function sftLoss(
  logprobs: Float32Array,
  mask: Float32Array | Uint8Array,
  numTokens: number,
): number {
  checkCount(mask, numTokens)
  if (logprobs.length !== mask.length) {
    throw new KogrpoError(
      'E_ALGORITHM',
      `logprobs has ${logprobs.length} entries, mask has ${mask.length}`,
    )
  }
  let sum = 0
  for (let t = 0; t < mask.length; t++) if (mask[t] !== 0) sum += logprobs[t]!
  return -sum / numTokens
}

function checkCount(mask: Float32Array | Uint8Array, numTokens: number): void {
  let trained = 0
  for (let t = 0; t < mask.length; t++) {
    if (mask[t] === 1) trained++
    else if (mask[t] !== 0) {
      throw new KogrpoError('E_ALGORITHM', `mask[${t}] is ${mask[t]}; it must be 0 or 1`)
    }
  }
  if (!Number.isInteger(numTokens) || numTokens < 1) {
    throw new KogrpoError(
      'E_ALGORITHM',
      `numTokens is ${numTokens}: the optimizer step has no trained token; check the loss mask`,
    )
  }
  if (trained > numTokens) {
    throw new KogrpoError(
      'E_ALGORITHM',
      `this batch has ${trained} trained tokens but numTokens (of the whole step) is ${numTokens}`,
    )
  }
}
