/**
 * Reward functions of the user's own: JavaScript modules that a recipe names (`grpo.reward_functions`), whose
 * default export rates a batch as the built-in ones do.
 *
 *   export default ({ completions, columns }, options) => completions.map(text => …)
 *
 * What they return is held to the same contract (run.ts): one finite number or null a completion. They are code
 * of whoever wrote the recipe and run as such.
 */
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { sumFile } from '../durable/files.ts'
import { KogrpoError } from '../errors.ts'
import { whyUnreadable } from '../file-errors.ts'
import { failure, joined, type Phrase, phrase } from '../messages/phrase.ts'
import type { NamedReward, RewardInput } from './types.ts'

interface OwnRewardSpec {
  name: string
  path: string
  weight: number
  options?: Record<string, unknown> | undefined
}

/** A reward function of the user's with the SHA-256 of its file. */
export interface OwnReward extends NamedReward {
  path: string
  sha256: string
}

function refuse(path: string, reason: Phrase, cause?: unknown): never {
  throw new KogrpoError('E_CONFIG', joined(['grpo.reward_functions', path, reason], ': '), {
    cause,
  })
}

async function loadOne({ name, path, weight, options }: OwnRewardSpec): Promise<OwnReward> {
  const { sha256 } = await sumFile(path).catch((error: Error) =>
    refuse(path, whyUnreadable(path, error.cause ?? error), error),
  )
  let rate: unknown
  try {
    const module = (await import(pathToFileURL(resolve(path)).href)) as { default?: unknown }
    rate = module.default
  } catch (cause) {
    return refuse(path, phrase('cannot be loaded: {reason}', { reason: failure(cause) }), cause)
  }
  if (typeof rate !== 'function') {
    return refuse(
      path,
      phrase(
        'has no function as its default export; begin it with: export default ({ completions, columns }, options) =>',
      ),
    )
  }
  const given = options ?? {}
  const reward = (input: RewardInput) =>
    (rate as (input: RewardInput, options: object) => number[])(input, given)
  return { name, path, weight, sha256, reward }
}

/** Loads the modules, in the order of the recipe. Throws `E_CONFIG` naming the file. */
export async function loadOwnRewards(specs: readonly OwnRewardSpec[] = []): Promise<OwnReward[]> {
  return await Promise.all(specs.map(loadOne))
}
