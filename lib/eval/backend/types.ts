/** What an evaluation asks of a model, be it in this process or behind an endpoint. */

/** A continuation and what it follows; never empty. */
export interface Pair {
  context: string
  continuation: string
}

export interface Likelihood {
  /** Σ log p of the continuation's tokens, natural logarithm. */
  logprob: number
  /** Tokens of the continuation. */
  tokens: number
  /** Whether each of them was the likeliest; null where the endpoint does not tell. */
  greedy: boolean | null
}

export interface Sampling {
  temperature: number
  topP: number
  topK: number
  minP: number
  maxNewTokens: number
  seed: number
}

export interface Ask {
  /** The user's message. */
  prompt: string
  /** Noise of its own for every sample: stream s of the seed. */
  streams: readonly number[]
  /** For messages: file and line. */
  where: string
}

export interface Sample {
  /** With its think block, without special tokens. */
  text: string
  tokens: number
  /** Σ log p of the tokens under the distribution sampled from; null where it is not told. */
  logprob: number | null
  finish: 'stop' | 'length'
}

export interface Control {
  signal?: AbortSignal
  onProgress?: (tokens: number) => void
}

export interface Backend {
  /** Model and place, for the report; never a key. */
  readonly description: string
  /** In the order of `pairs`. `where[i]` names pair i's row. */
  likelihoods(
    pairs: readonly Pair[],
    where: readonly string[],
    control: Control,
  ): Promise<Likelihood[]>
  /** The samples of every ask, in order. */
  sample(asks: readonly Ask[], sampling: Sampling, control: Control): Promise<Sample[][]>
  close(): Promise<void>
}

/**
 * Spaces at the end of the context belong to the continuation: " 예" is one token, "예" behind a
 * space another (as lm-evaluation-harness).
 */
export function splitPair({ context, continuation }: Pair): Pair {
  const bare = context.trimEnd()
  return { context: bare, continuation: context.slice(bare.length) + continuation }
}
