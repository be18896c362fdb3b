/** Reward functions by the name a recipe uses. */
import { KogrpoError } from '../errors.ts'
import { accuracyReward } from './accuracy.ts'
import { formatReward } from './format.ts'
import type { CodeRunner } from './kinds/types.ts'
import { koreanReward } from './korean.ts'
import { overlongReward } from './overlong.ts'
import type { NamedReward, RewardFunction } from './types.ts'

const factories: Record<string, (options: unknown, context: RewardContext) => RewardFunction> = {
  accuracy: (options, context) => accuracyReward(options, { codeRunner: context.code_runner }),
  format: formatReward,
  korean: koreanReward,
  overlong: overlongReward,
}

export interface RewardSpec {
  name: string
  weight: number
  options?: Record<string, unknown> | undefined
}

/** Defaults that a stage passes on to rewards whose options leave them out. */
export interface RewardContext {
  /** The stage's limit, in tokens; `overlong` is measured against it, its soft zone being a fifth. */
  max_completion_length: number
  /** Runs code for accuracy kind `code`; without one that kind is refused. */
  code_runner?: CodeRunner | undefined
}

/** Reward functions in recipe order. Throws `E_CONFIG` naming an unknown reward or a bad option. */
export function createRewards(specs: readonly RewardSpec[], context: RewardContext): NamedReward[] {
  const seen = new Set<string>()
  return specs.map(({ name, weight, options }) => {
    const factory = Object.hasOwn(factories, name) ? factories[name] : undefined
    if (factory === undefined) {
      throw new KogrpoError(
        'E_CONFIG',
        `reward '${name}' is unknown; choose ${Object.keys(factories).join(', ')}`,
      )
    }
    if (seen.has(name)) throw new KogrpoError('E_CONFIG', `reward '${name}' is listed twice`)
    seen.add(name)
    return { name, weight, reward: factory(withContext(name, options, context), context) }
  })
}

function withContext(
  name: string,
  options: Record<string, unknown> | undefined,
  context: RewardContext,
): Record<string, unknown> {
  if (name !== 'overlong') return options ?? {}
  const limit = options?.max_completion_length ?? context.max_completion_length
  const cache = typeof limit === 'number' ? Math.max(1, Math.floor(limit / 5)) : 1
  return { max_completion_length: limit, soft_punish_cache: cache, ...options }
}
