/**
 * The last question to a record: is its perplexity under a checkpoint within a window? Too low is
 * boilerplate, too high is noise (CCNet, arXiv 1911.00359; RedWhale, arXiv 2408.11294). Perplexity is
 * exp of the mean −log p of the tokens of the text's beginning, without special tokens, the first of
 * them not counted. Results do not depend on how records are batched.
 */
import { concatenate } from '../../data/packing.ts'
import type { Tokenizer } from '../../data/tokenizer.ts'
import type { Engine } from '../../engine/engine.ts'
import { KogrpoError } from '../../errors.ts'
import { phrase } from '../../messages/phrase.ts'

export interface PerplexityOptions {
  engine: Engine
  tokenizer: Tokenizer
  /** Bounds of what is kept; absent: only measured. */
  min?: number | undefined
  max?: number | undefined
  /** Tokens of a text's beginning that are looked at. */
  tokens: number
}

/** Perplexity of each text; null where it has fewer than two tokens. Throws `E_MODEL` for NaN. */
export async function perplexities(
  texts: readonly string[],
  options: PerplexityOptions,
): Promise<(number | null)[]> {
  const { engine, tokenizer, tokens } = options
  // A token is at least a byte and a character at most 4 tokens: more text than this is not needed.
  const ids = texts.map(text =>
    Int32Array.from(tokenizer.encode(text.slice(0, 16 * tokens)).slice(0, tokens)),
  )
  const scored = ids
    .filter(sequence => sequence.length > 1)
    .map(sequence => ({ ids: sequence, mask: new Uint8Array(sequence.length).fill(1) }))
  if (scored.length === 0) return texts.map(() => null)
  const batch = concatenate(scored, [...scored.keys()])
  const { logprobs } = await engine.score(batch)
  let next = 0
  return ids.map((sequence, i) => {
    if (sequence.length < 2) return null
    const begin = batch.cuSeqlens[next++]!
    let sum = 0
    for (let t = 1; t < sequence.length; t++) sum -= logprobs[begin + t]!
    const value = Math.exp(sum / (sequence.length - 1))
    if (Number.isFinite(value)) return value
    const start = JSON.stringify(texts[i]!.slice(0, 40))
    throw new KogrpoError(
      'E_MODEL',
      phrase(
        "the perplexity of the text {start} is {value}; the model's weights hold NaN or overflow",
        { start, value },
      ),
    )
  })
}
