/**
 * Questions as chains: a beginning, moves, and an end, each one step with a result of its own. The
 * text says what is given and asked; the steps say how to get there, so that a report can tell which
 * of them a model missed.
 */
import type { Random } from '../../mini/random.ts'

export interface Step {
  /** What is done, in Korean. */
  does: string
  /** What comes out, as a model would write it. */
  result: string
}

export interface Chain {
  family: string
  question: string
  answer: string
  steps: Step[]
}

/** Makes a chain of exactly `level` steps, 1 to 6; null where the draw leads nowhere. */
export type Family = (random: Random, level: number) => Chain | null
