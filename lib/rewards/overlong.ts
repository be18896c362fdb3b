/**
 * DAPO's soft overlong punishment (Yu et al. 2025, arXiv 2503.14476, eq. 13) by token count: 0 up to
 * L − C tokens, then linear to −1 at L, −1 beyond. Names as TRL's `get_soft_overlong_punishment`.
 */
import { checkOverlong, overlongZone } from '../config/reward-limits.ts'
import { overlongOptions } from '../config/schema/reward-options.ts'
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import { parseOptions } from './options.ts'
import type { RewardContext, RewardFunction } from './types.ts'

/**
 * Makes the overlong reward, in [−1, 0]. L is `max_completion_length` (default: the stage's limit), C
 * `soft_punish_cache` (default: a fifth of L). Throws `E_CONFIG` for a soft zone that the stage's limit
 * keeps out of reach.
 */
export function overlongReward(options: unknown, context: RewardContext): RewardFunction {
  const parsed = parseOptions('reward overlong', overlongOptions, options)
  const reach = context.max_completion_length
  const problem = checkOverlong(parsed, reach)
  if (problem) {
    throw new KogrpoError(
      'E_CONFIG',
      phrase('options of reward overlong: {key}: {message}', {
        key: problem.key,
        message: problem.message,
      }),
    )
  }
  const { limit, cache } = overlongZone(parsed, reach)
  return input =>
    input.completionIds.map(ids => {
      const excess = ids.length - (limit - cache)
      if (excess <= 0) return 0
      return ids.length <= limit ? -excess / cache : -1
    })
}
