/**
 * Whether sampler and trainer have the same weights. There is one engine, but the sampler multiplies
 * with a packed copy of them, and ranks have copies of their own: both are hashed and compared.
 */
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import type { Session } from './session.ts'

/** Throws `E_WEIGHTS` or `E_RANKS` where any copy differs. Call on all ranks, between two updates. */
export async function checkWeights({ engine, ranks }: Session, step: number): Promise<void> {
  await ranks.hold(`their comparison, step ${step}`)
  const { parameters, sampler, expected } = await engine.weightDigests()
  if (sampler !== expected) {
    throw new KogrpoError(
      'E_WEIGHTS',
      phrase(
        'step {step}: the sampler has other weights than the trainer (XXH64 {sampler} instead of {expected}): the update did not reach it. This is an error of the program, please report it',
        { step, sampler: sampler.toString(16), expected: expected.toString(16) },
      ),
    )
  }
  await ranks.agree(`weights at step ${step}`, parameters.toString(16))
}
