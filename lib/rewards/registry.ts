/** Reward functions by the name a recipe uses. */
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import { accuracyReward } from './accuracy.ts'
import { formatReward } from './format.ts'
import { koreanReward } from './korean.ts'
import { overlongReward } from './overlong.ts'
import { repetitionReward } from './repetition.ts'
import { structureReward } from './structure.ts'
import type { NamedReward, RewardContext, RewardFunction } from './types.ts'

const factories: Record<string, (options: unknown, context: RewardContext) => RewardFunction> = {
  accuracy: (options, context) => accuracyReward(options, { codeRunner: context.code_runner }),
  format: formatReward,
  korean: koreanReward,
  overlong: overlongReward,
  repetition: repetitionReward,
  structure: structureReward,
}

export interface RewardSpec {
  name: string
  weight: number
  options?: Record<string, unknown> | undefined
}

/** Reward functions in recipe order. Throws `E_CONFIG` naming an unknown reward or a bad option. */
export function createRewards(specs: readonly RewardSpec[], context: RewardContext): NamedReward[] {
  const seen = new Set<string>()
  return specs.map(({ name, weight, options }) => {
    const factory = Object.hasOwn(factories, name) ? factories[name] : undefined
    if (factory === undefined) {
      throw new KogrpoError(
        'E_CONFIG',
        phrase("reward '{name}' is unknown; choose {known}", {
          name,
          known: Object.keys(factories).join(', '),
        }),
      )
    }
    if (seen.has(name))
      throw new KogrpoError('E_CONFIG', phrase("reward '{name}' is listed twice", { name }))
    seen.add(name)
    return { name, weight, reward: factory(options, context) }
  })
}
