/**
 * Samples that stand in a source more than once. They are kept, since a recipe may mean it, but what is
 * repeated is learnt more often and, in GRPO, asked more often: most people do not know it of their data.
 */

import { createHash } from 'node:crypto'
import { joined, type Phrase, phrase } from '../messages/phrase.ts'
import type { GrpoSample, SftSample } from './samples.ts'

const EXAMPLES = 3

/** How many samples repeat an earlier one of the same tokens, in words; null when none does. */
export function describeRepeated(samples: readonly (SftSample | GrpoSample)[]): Phrase | null {
  const seen = new Map<string, SftSample | GrpoSample>()
  const examples: Phrase[] = []
  let repeated = 0
  for (const sample of samples) {
    const ids = 'ids' in sample ? sample.ids : sample.promptIds
    const bytes = new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength)
    const key = createHash('sha256').update(bytes).digest('base64')
    const earlier = seen.get(key)
    if (earlier === undefined) {
      seen.set(key, sample)
      continue
    }
    repeated++
    if (examples.length < EXAMPLES) {
      examples.push(phrase('line {line} = {earlier}', { line: sample.line, earlier: earlier.line }))
    }
  }
  if (repeated === 0) return null
  const said = { repeated, all: samples.length, examples: joined(examples, ', ') }
  return 'ids' in samples[0]!
    ? phrase(
        '{repeated} of {all} samples stand there twice ({examples}) and are trained on that much more; kogrpo data prepare leaves them out',
        said,
      )
    : phrase(
        '{repeated} of {all} prompts stand there twice ({examples}) and are trained on that much more; kogrpo data prepare leaves them out',
        said,
      )
}
