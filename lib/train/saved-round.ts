/**
 * A round that was sampled but not trained on when the run's state was saved (rollout_mode:
 * one_step_off): the weights that sampled it are gone, so its tokens are kept, in base64. Prompts follow from
 * the position in the data, text from the tokens, ratings are made again (the judge's cache has its own).
 */
import type { MixtureState } from '../data/mixture.ts'
import type { GrpoSample } from '../data/samples.ts'
import type { Tokenizer } from '../data/tokenizer.ts'
import type { Completion } from '../engine/engine.ts'
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import { type Rollout, toRollout } from '../rollout/rollout.ts'

/** One completion: token ids as int32, log-probs as float32, little endian. */
interface SavedCompletion {
  tokens: string
  logprobs: string
  finish_reason: Completion['finishReason']
}

/** In the order of the prompts, the completions of a prompt adjacent. */
export type SavedGeneration = SavedCompletion[]

export interface SavedRound {
  /** The optimizer step whose end's weights sampled. */
  sampled_at: number
  /** Where the data stood before its prompts were drawn. */
  mixture: MixtureState
  generations: SavedGeneration[]
}

export function saveGeneration(rollouts: readonly Rollout[]): SavedGeneration {
  const base64 = ({ buffer, byteOffset, byteLength }: Int32Array | Float32Array): string =>
    Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength).toString('base64')
  return rollouts.map(({ tokens, logprobs, finishReason }) => ({
    tokens: base64(tokens),
    logprobs: base64(logprobs),
    finish_reason: finishReason,
  }))
}

/** The rollouts of `prompts`, `size` each. Throws `E_RESUME` where they are not what was saved. */
export function loadGeneration(
  saved: SavedGeneration,
  prompts: readonly GrpoSample[],
  size: number,
  tokenizer: Tokenizer,
): Rollout[] {
  if (saved.length !== prompts.length * size) {
    throw new KogrpoError(
      'E_RESUME',
      phrase(
        "the saved state has {length} completions where {prompts} prompts of {size} are wanted; it is not this run's",
        { length: saved.length, prompts: prompts.length, size },
      ),
    )
  }
  return saved.map(({ tokens, logprobs, finish_reason }, i) => {
    const completion: Completion = {
      tokens: new Int32Array(bytesOf(tokens)),
      logprobs: new Float32Array(bytesOf(logprobs)),
      finishReason: finish_reason,
    }
    if (completion.tokens.length !== completion.logprobs.length) {
      throw new KogrpoError(
        'E_RESUME',
        phrase(
          "the saved state's completion {i} has {length} tokens and {logprobs} log-probs; it is damaged",
          { i, length: completion.tokens.length, logprobs: completion.logprobs.length },
        ),
      )
    }
    return toRollout(tokenizer, prompts[Math.floor(i / size)]!, completion)
  })
}

/** A buffer of its own, so that it is aligned. */
function bytesOf(base64: string): ArrayBuffer {
  const bytes = Buffer.from(base64, 'base64')
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer
}
