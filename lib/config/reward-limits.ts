/**
 * Rewards whose options the stage's `max_completion_length` makes meaningless. Checked when a recipe is
 * loaded (rules.ts) and again where the reward is made (lib/rewards).
 */
import type * as z from 'zod'
import { type Phrase, phrase } from '../messages/phrase.ts'
import type { overlongOptions, repetitionOptions } from './schema/reward-options.ts'

interface LimitFinding {
  /** The option to change. */
  key: string
  message: Phrase
}

/** L and C of the soft overlong punishment, where the options leave them out: the limit, a fifth. */
export function overlongZone(
  options: z.output<typeof overlongOptions>,
  limit: number,
): { limit: number; cache: number } {
  const end = options.max_completion_length ?? limit
  return { limit: end, cache: options.soft_punish_cache ?? Math.max(1, Math.floor(end / 5)) }
}

/** What is wrong with a soft zone for completions of at most `reach` tokens, or null. */
export function checkOverlong(
  options: z.output<typeof overlongOptions>,
  reach: number,
): LimitFinding | null {
  const { limit, cache } = overlongZone(options, reach)
  if (cache > limit) {
    return {
      key: 'soft_punish_cache',
      message: phrase('must not exceed max_completion_length, {limit}', { limit }),
    }
  }
  if (limit - cache < reach) return null
  return {
    key: 'max_completion_length',
    message: phrase(
      'with {limit} the punishment begins above {start} tokens, but the stage stops completions at {reach}; lower it, or raise soft_punish_cache',
      { limit, start: limit - cache, reach },
    ),
  }
}

/** What is wrong with n-grams for completions of at most `reach` tokens, or null. */
export function checkRepetition(
  { ngram_size }: z.output<typeof repetitionOptions>,
  reach: number,
): LimitFinding | null {
  if (ngram_size < reach) return null
  return {
    key: 'ngram_size',
    message: phrase(
      'no sequence of {ngram_size} tokens can come twice in max_completion_length {reach}; lower it',
      { ngram_size, reach },
    ),
  }
}
