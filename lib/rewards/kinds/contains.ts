/**
 * Kind `contains`, the lenient and brittle checker that many open trainers use: an answer is right when the gold
 * number stands anywhere in it. It is lenient, because an answer that lists many numbers, or one
 * long run of digits, passes for most gold numbers; and brittle, because it reads plain digits
 * alone: 1만 4천원 and "열네 개" do not hold 14000 and 14. Thousands separators are removed, as
 * those trainers do. It exists to be compared with (docs/guards.md, recipes/collapse.yaml): a
 * policy learns to exploit it, and the oracle shows by how much. Source of the form: `gold in
 * answer`, a substring test, in rule-based reward functions of GRPO examples.
 */
import { goldText } from './gold.ts'
import type { Grader } from './types.ts'

export const containsGrader: Grader = sample => containsAnswer(goldText(sample), sample.answer)

/** 1 when the digits of `gold` stand anywhere in `answer` (the text after the thinking), else 0. */
export function containsAnswer(gold: string, answer: string): 0 | 1 {
  const plain = (text: string): string => text.replace(/(?<=\d),(?=\d{3}(?!\d))/g, '').trim()
  const wanted = plain(gold)
  return wanted !== '' && plain(answer).includes(wanted) ? 1 : 0
}
