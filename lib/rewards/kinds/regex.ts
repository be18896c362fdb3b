/**
 * Kind `regex`: the gold column is a pattern (`\d+ apples?`, or `/…/i` with flags) searched in the
 * text after the thinking. A pattern from a data set may backtrack without end, so the search runs
 * with a time limit (V8 interrupts a running match); past it the sample has no grade. The pattern and
 * the text enter as values: nothing of either is run as code.
 */
import { Script } from 'node:vm'
import { KogrpoError } from '../../errors.ts'
import { failure, phrase } from '../../messages/phrase.ts'
import { goldText } from './gold.ts'
import type { Grader } from './types.ts'

const SEARCH = new Script('new RegExp(pattern, flags).test(text)')
const DELIMITED = /^\/(.+)\/([a-z]*)$/s
const LONGEST = 100_000

/** A grader that gives up on a sample after `timeoutMs`. Throws `E_REWARD` for a bad pattern. */
export function regexGrader(timeoutMs: number): Grader {
  return sample => {
    const gold = goldText(sample)
    const [, pattern = gold, flags = ''] = DELIMITED.exec(gold) ?? []
    try {
      new RegExp(pattern, flags)
    } catch (error) {
      throw new KogrpoError(
        'E_REWARD',
        phrase("column '{column}' of {where} is not a regular expression: {reason}", {
          column: sample.column,
          where: sample.where,
          reason: failure(error),
        }),
      )
    }
    return search(pattern, flags, sample.answer.slice(-LONGEST), timeoutMs)
  }
}

function search(pattern: string, flags: string, text: string, timeout: number): 0 | 1 | null {
  try {
    return SEARCH.runInNewContext({ pattern, flags, text }, { timeout }) === true ? 1 : 0
  } catch {
    // The pattern compiles (checked above), so this is the time limit or the engine's stack limit.
    return null
  }
}
