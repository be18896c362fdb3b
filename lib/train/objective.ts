/**
 * What a supervised stage trains: the next token (−mean log p over the trained tokens), or, with
 * `masked_diffusion`, masked ones (LLaDA, arXiv 2502.09992; experimental, not for Qwen3). There every
 * sample of L trained tokens has l of them masked, l uniform in 1 … L, and
 *
 *   L = −(1/N) Σ samples L/l · Σ masked log p(original)          N trained tokens of the step
 *
 * Masks follow from seed, step and place alone, so a resumed run and any number of ranks draw the same.
 */
import { plainMasks } from '../algorithms/masked-diffusion.ts'
import { sftCoefficients, sftLoss } from '../algorithms/sft.ts'
import type { TrainStage } from '../config/schema.ts'
import type { MicroBatch } from '../data/packing.ts'
import { randomStream } from '../data/random.ts'
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import type { Session } from './session.ts'

/** A micro-batch as it goes to the engine. */
export interface Prepared {
  batch: MicroBatch & { targets?: Int32Array }
  /** What each log-prob counts; null: 1 where the mask is 1. */
  weights: Float32Array | null
  /** Tokens of the loss's denominator. */
  trained: number
}

export interface Objective {
  /** `key` determines the masks. */
  prepare(batch: MicroBatch, key: string): Prepared
}

const count = (mask: Uint8Array): number => mask.reduce((sum, bit) => sum + bit, 0)

const NEXT_TOKEN: Objective = {
  prepare: batch => ({ batch, weights: null, trained: count(batch.mask) }),
}

/** The objective of a stage. Throws `E_MODEL_CONFIG` where it does not fit the model. */
export function objectiveOf(
  { engine, tokenizer }: Session,
  { masked_diffusion }: TrainStage,
): Objective {
  const { bidirectional } = engine.config
  if (masked_diffusion === undefined) {
    if (!bidirectional) return NEXT_TOKEN
    throw new KogrpoError(
      'E_MODEL_CONFIG',
      phrase(
        'a bidirectional model (is_causal: false) sees the token it is to predict; train it with masked_diffusion',
      ),
    )
  }
  if (!bidirectional) {
    throw new KogrpoError(
      'E_MODEL_CONFIG',
      phrase(
        'masked_diffusion is for bidirectional models (config.json: is_causal false), not for Qwen3; leave it out',
      ),
    )
  }
  const { mask_token } = masked_diffusion
  const maskToken = tokenizer.tokenId(mask_token)
  if (maskToken === undefined) {
    throw new KogrpoError(
      'E_MODEL_CONFIG',
      phrase('masked_diffusion.mask_token: the tokenizer has no token "{mask_token}"', {
        mask_token,
      }),
    )
  }
  return { prepare: (batch, key) => masked(batch, maskToken, key) }
}

function masked(batch: MicroBatch, maskToken: number, key: string): Prepared {
  const next = randomStream(key)
  const uniform = (): number => next() / 2 ** 32
  const { cuSeqlens, mask, members } = batch
  const tokens = batch.tokens.slice()
  const hidden = new Uint8Array(mask.length)
  const weights = new Float32Array(mask.length)
  for (let i = 0; i + 1 < cuSeqlens.length; i++) {
    const places: number[] = []
    for (let t = cuSeqlens[i]!; t < cuSeqlens[i + 1]!; t++) if (mask[t] === 1) places.push(t)
    if (places.length === 0) continue
    const [copy] = plainMasks(places.length, 1, uniform)
    for (const [k, t] of places.entries()) {
      if (copy!.masked[k] === 0) continue
      tokens[t] = maskToken
      hidden[t] = 1
      weights[t] = copy!.weight
    }
  }
  return {
    batch: { tokens, cuSeqlens, mask: hidden, members, targets: batch.tokens },
    weights,
    trained: count(mask),
  }
}

/** ∂L/∂logp per token; `trained`: of the whole step. */
export function objectiveCoefficients({ batch, weights }: Prepared, trained: number): Float32Array {
  return weights === null
    ? sftCoefficients(batch.mask, trained)
    : weights.map(weight => (weight === 0 ? 0 : -weight / trained))
}

/** This micro-batch's part of the step's loss. */
export function objectiveLoss(
  { batch, weights }: Prepared,
  logprobs: Float32Array,
  trained: number,
): number {
  if (weights === null) return sftLoss(logprobs, batch.mask, trained)
  let sum = 0
  for (const [t, weight] of weights.entries()) if (weight !== 0) sum += weight * logprobs[t]!
  return -sum / trained
}
