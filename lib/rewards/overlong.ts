/**
 * DAPO's soft overlong punishment (Yu et al. 2025, eq. 13) by token count: 0 up to L − C tokens,
 * then linear to −1 at L, −1 beyond. Names as TRL's `get_soft_overlong_punishment`.
 */
import { z } from 'zod'
import { parseOptions } from './options.ts'
import type { RewardFunction } from './types.ts'

const schema = z
  .strictObject({
    /** L, in tokens. */
    max_completion_length: z.int().positive(),
    /** C, in tokens: the width of the soft zone before L. */
    soft_punish_cache: z.int().positive(),
  })
  .refine(o => o.soft_punish_cache <= o.max_completion_length, {
    path: ['soft_punish_cache'],
    error: 'must not exceed max_completion_length',
  })

/** Makes the overlong reward, in [−1, 0]. Options: `max_completion_length`, `soft_punish_cache`. */
export function overlongReward(options: unknown): RewardFunction {
  const parsed = parseOptions('reward overlong', schema, options)
  const { max_completion_length: limit, soft_punish_cache: cache } = parsed
  return input =>
    input.completionIds.map(ids => {
      const excess = ids.length - (limit - cache)
      if (excess <= 0) return 0
      return ids.length <= limit ? -excess / cache : -1
    })
}
