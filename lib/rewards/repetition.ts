/**
 * The n-gram repetition penalty, against loops that fill the length limit (Yeo et al. 2025, arXiv
 * 2502.03373, section 4.3 and appendix: without it a length reward is hacked by repetition):
 *
 *   reward = max_penalty · (1 − distinct n-grams / n-grams),   0 for completions shorter than n
 *
 * in the form of open-r1's `get_repetition_penalty_reward`, with one difference: its n-grams are of
 * words between spaces, which makes Korean without spaces one word, and a particle a new one. Here
 * they are of tokens. Sequences of 20 tokens hardly come twice in honest reasoning, however often its
 * phrases do.
 */
import { checkRepetition } from '../config/reward-limits.ts'
import { repetitionOptions } from '../config/schema/reward-options.ts'
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import { parseOptions } from './options.ts'
import type { RewardContext, RewardFunction } from './types.ts'

/** Ranks of `keys` by first appearance: equal keys, equal ranks. */
function ranks(keys: Float64Array): { ids: Int32Array; distinct: number } {
  const known = new Map<number, number>()
  const ids = Int32Array.from(keys, key => {
    const id = known.get(key) ?? known.size
    known.set(key, id)
    return id
  })
  return { ids, distinct: known.size }
}

/**
 * Share of the n-grams of `tokens` that are repetitions of an earlier one; 0 when there is none. Exact,
 * in O(T log n): the n-gram at i is named by the names of the two m-grams, m the largest power of two
 * up to n, with which it begins and ends, and these by halves in turn.
 */
export function repeatedShare(tokens: ArrayLike<number>, n: number): number {
  const count = tokens.length - n + 1
  if (count < 1) return 0
  let { ids, distinct } = ranks(Float64Array.from(tokens))
  const pair = (length: number, offset: number): void => {
    const [names, size] = [ids, distinct]
    const keys = Float64Array.from({ length }, (_, i) => names[i]! * size + names[i + offset]!)
    ;({ ids, distinct } = ranks(keys))
  }
  let m = 1
  for (; m * 2 <= n; m *= 2) pair(tokens.length - 2 * m + 1, m)
  if (m < n) pair(count, n - m)
  return 1 - distinct / count
}

/** Makes the repetition reward, in [max_penalty, 0]. Throws `E_CONFIG` where it could never bite. */
export function repetitionReward(options: unknown, context: RewardContext): RewardFunction {
  const parsed = parseOptions('reward repetition', repetitionOptions, options)
  const problem = checkRepetition(parsed, context.max_completion_length)
  if (problem) {
    throw new KogrpoError(
      'E_CONFIG',
      phrase('options of reward repetition: {key}: {message}', {
        key: problem.key,
        message: problem.message,
      }),
    )
  }
  const { ngram_size, max_penalty } = parsed
  return input =>
    input.completionIds.map(ids => {
      const share = repeatedShare(ids, ngram_size)
      return share === 0 ? 0 : max_penalty * share
    })
}
