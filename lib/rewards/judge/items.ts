/** Judge items from a reward batch: the last user message, the reference column, the answer. */
import { KogrpoError } from '../../errors.ts'
import { goldAnswer } from '../accuracy.ts'
import { splitThinking } from '../think.ts'
import type { RewardInput } from '../types.ts'
import type { JudgeItem } from './types.ts'

/**
 * One item a sample; `referenceColumn` holds the gold answer (default `answer`).
 * Throws `E_REWARD` when a prompt has no user message or a reference is missing.
 */
export function judgeItems(input: RewardInput, referenceColumn = 'answer'): JudgeItem[] {
  return input.completions.map((completion, i) => {
    const question = input.prompts[i]!.findLast(message => message.role === 'user')?.content
    if (typeof question !== 'string') {
      throw new KogrpoError(
        'E_REWARD',
        `the prompt of sample ${i} has no user message with text; the judge needs the question`,
      )
    }
    return {
      question,
      reference: goldAnswer(input, referenceColumn, i),
      answer: splitThinking(completion).answer,
      columns: Object.fromEntries(
        Object.entries(input.columns).map(([name, column]) => [name, column[i]]),
      ),
    }
  })
}
