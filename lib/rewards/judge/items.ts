/** Judge items from a reward batch: the last user message, the reference column, the answer. */
import { KogrpoError } from '../../errors.ts'
import { phrase } from '../../messages/phrase.ts'
import { goldAnswer } from '../accuracy.ts'
import { splitThinking } from '../think.ts'
import type { RewardInput } from '../types.ts'
import type { JudgeItem } from './types.ts'

interface ItemOptions {
  /** Column with the gold answer (default `answer`). */
  referenceColumn?: string | undefined
  /** Give the judge the thinking as well (default: no). */
  seeThinking?: boolean | undefined
}

/**
 * One item a sample. Throws `E_REWARD` when a prompt has no user message or a reference is missing.
 */
export function judgeItems(input: RewardInput, options: ItemOptions = {}): JudgeItem[] {
  const { referenceColumn = 'answer', seeThinking = false } = options
  return input.completions.map((completion, i) => {
    const question = input.prompts[i]!.findLast(message => message.role === 'user')?.content
    if (typeof question !== 'string') {
      throw new KogrpoError(
        'E_REWARD',
        phrase(
          'the prompt of sample {i} has no user message with text; the judge needs the question',
          { i },
        ),
      )
    }
    const { answer, thinking } = splitThinking(completion)
    return {
      question,
      reference: goldAnswer(input, referenceColumn, i),
      answer,
      thinking: seeThinking ? thinking : null,
      columns: Object.fromEntries(
        Object.entries(input.columns).map(([name, column]) => [name, column[i]]),
      ),
    }
  })
}
