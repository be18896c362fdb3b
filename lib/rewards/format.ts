/** The format reward: 1 for one non-empty think block followed by a non-empty answer, else 0. */
import { formatOptions } from '../config/schema/reward-options.ts'
import { parseOptions } from './options.ts'
import { splitThinking } from './think.ts'
import type { RewardFunction } from './types.ts'

/** Makes the format reward; it has no options. */
export function formatReward(options?: unknown): RewardFunction {
  parseOptions('reward format', formatOptions, options)
  return input => input.completions.map(text => (splitThinking(text).problem === null ? 1 : 0))
}
