/**
 * Iterative unmasking (LLaDA's low-confidence remasking, arXiv 2502.09992, sec. 2.4): all places of the
 * completion begin masked; at every step each masked place proposes a token, and those whose tokens are
 * likeliest keep them. Experimental, for small bidirectional models: every step is one forward pass over
 * the whole sequence, without a cache.
 */
import { randomStream } from '../data/random.ts'
import type { Engine } from '../engine/engine.ts'
import { KogrpoError } from '../errors.ts'

interface UnmaskOptions {
  /** Places to fill in. */
  length: number
  /** Forward passes, at most `length`: about length / steps tokens are kept at each. */
  steps: number
  maskToken: number
  /** 0: the likeliest token (default: 1). */
  temperature?: number
  /** Determines the completion together with prompt and weights. */
  key: string
  signal?: AbortSignal
}

/** The completion of one prompt. Throws `E_ALGORITHM` for steps or a length that cannot be. */
export async function unmask(
  engine: Engine,
  prompt: Int32Array,
  { length, steps, maskToken, temperature = 1, key, signal }: UnmaskOptions,
): Promise<Int32Array> {
  if (!(Number.isInteger(length) && length > 0 && steps >= 1 && steps <= length)) {
    throw new KogrpoError(
      'E_ALGORITHM',
      `unmasking ${length} places in ${steps} steps: there must be a place, and 1 to ${length} steps`,
    )
  }
  const vocab = engine.config.vocabSize
  const next = randomStream(key)
  const tokens = new Int32Array(prompt.length + length).fill(maskToken)
  tokens.set(prompt)
  let masked = Array.from({ length }, (_, i) => prompt.length + i)
  for (let step = 0; step < steps; step++) {
    signal?.throwIfAborted()
    const logits = await engine.logits(tokens, Int32Array.from(masked))
    const proposals = masked.map((place, row) => {
      const own = logits.subarray(row * vocab, (row + 1) * vocab)
      return { place, ...propose(own, maskToken, temperature, next) }
    })
    proposals.sort((a, b) => b.logprob - a.logprob || a.place - b.place)
    const left = Math.floor((length * (steps - 1 - step)) / steps)
    for (const { place, token } of proposals.slice(0, masked.length - left)) tokens[place] = token
    masked = proposals
      .slice(masked.length - left)
      .map(({ place }) => place)
      .sort((a, b) => a - b)
  }
  return tokens.slice(prompt.length)
}

/** A token other than the mask, with its log-prob at temperature 1. */
function propose(
  logits: Float32Array,
  maskToken: number,
  temperature: number,
  next: () => number,
): { token: number; logprob: number } {
  let [token, best, most] = [-1, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const [id, logit] of logits.entries()) {
    if (id === maskToken) continue
    most = Math.max(most, logit)
    // Gumbel's trick: the maximum of logit / T + noise is a sample of the softmax.
    const noise = temperature === 0 ? 0 : -Math.log(-Math.log((next() + 0.5) / 2 ** 32))
    const score = temperature === 0 ? logit : logit / temperature + noise
    if (score > best) [token, best] = [id, score]
  }
  let sum = 0
  for (const [id, logit] of logits.entries()) if (id !== maskToken) sum += Math.exp(logit - most)
  return { token, logprob: logits[token]! - most - Math.log(sum) }
}
