/**
 * The suppression as a logit processor: the engine multiplies the logits of the tokens concerned, in
 * sampling, log-probs and gradients alike, and the weights stay as they are. Reversible, and exact:
 * the sampler's log-probs remain the trainer's to the bit.
 */

import type { SmoothSettings } from '../config/schema/smooth.ts'
import type { Tokenizer } from '../data/tokenizer.ts'
import type { Engine } from '../engine/engine.ts'
import { joined, type Phrase, phrase } from '../messages/phrase.ts'
import { type Smoothing, smoothVocabulary } from './smooth.ts'
import { refuseSmoothed } from './write.ts'

/**
 * Suppresses Chinese in all that `engine` does from now on; `engine.setLogitScale(null)` ends it.
 * Throws `E_SMOOTH`, also for a model whose weights are smoothed (`dir` is for the message).
 */
export async function suppressChinese(
  engine: Engine,
  tokenizer: Tokenizer,
  dir: string,
  settings: SmoothSettings,
): Promise<Smoothing> {
  refuseSmoothed(engine.config, dir)
  const smoothing = smoothVocabulary(tokenizer, engine.config.vocabSize, settings)
  await engine.setLogitScale(smoothing.scale)
  return smoothing
}

/** One line for reports: what is scaled, by how much. */
export function describeSmoothing({ chinese, broken }: Smoothing): Phrase {
  const factors = broken.map(({ scale }) => scale)
  const range = (values: number[]): string =>
    `× ${Math.min(...values).toPrecision(3)} … ${Math.max(...values).toPrecision(3)}`
  const parts = [
    ...(chinese.length > 0
      ? [
          phrase('{count} Chinese tokens × {scale}', {
            count: chinese.length,
            scale: chinese[0]!.scale,
          }),
        ]
      : []),
    ...(broken.length > 0
      ? [phrase('{count} broken tokens {range}', { count: broken.length, range: range(factors) })]
      : []),
  ]
  return joined(parts, ', ')
}
