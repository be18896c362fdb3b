/**
 * Numbers in the answer of a completion: runs of digits with their separators, outside the thinking.
 * A policy that learns to list candidates for a lenient checker shows here.
 */
import { splitThinking } from './think.ts'

/** How many numbers stand in the text after the thinking of `completion`. */
export function countNumbers(completion: string): number {
  return splitThinking(completion).answer.match(/\d+(?:[.,]\d+)*/g)?.length ?? 0
}
