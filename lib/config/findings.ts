/** What the rules of a recipe find wrong or doubtful, and at which key. */
import type { Phrase } from '../messages/phrase.ts'

export interface Finding {
  /** Path of the key to change, from the root of the recipe. */
  path: PropertyKey[]
  message: Phrase
}

export interface Findings {
  errors: Finding[]
  warnings: Finding[]
}
