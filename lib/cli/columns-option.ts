/** The option --columns prompt=question,answer=gold: which column of a file holds what. */

import { phrase } from '../messages/phrase.ts'
import { UsageError } from './errors.ts'

export function readColumns(word: string | undefined): Record<string, string> | undefined {
  if (word === undefined) return undefined
  const entries = word.split(',').map(pair => {
    const [name, column, ...more] = pair.split('=')
    if (!name || !column || more.length > 0) {
      throw new UsageError(
        phrase('--columns: expected NAME=COLUMN,…, e.g. prompt=question, got "{word}"', { word }),
      )
    }
    return [name, column]
  })
  return Object.fromEntries(entries) as Record<string, string>
}
