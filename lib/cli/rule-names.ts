/** What people read for the rules by which records are dropped; files and JSON have the rules themselves. */
import type { FilterRule } from '../corpus/filter/rules.ts'
import type { Rule } from '../corpus/prepare.ts'
import type { Refusal } from '../corpus/self-correct.ts'
import { joined, type Phrase, phrase } from '../messages/phrase.ts'

export const RULE_NAMES: Readonly<Record<Rule | FilterRule | Refusal, Phrase>> = {
  too_short: phrase('too short'),
  too_long: phrase('too long'),
  not_korean: phrase('not korean'),
  repetitive: phrase('repetitive'),
  duplicate: phrase('duplicate'),
  leaked: phrase('leaked'),
  broken_text: phrase('broken text'),
  few_letters: phrase('few letters'),
  jamo: phrase('jamo'),
  repeated_lines: phrase('repeated lines'),
  repeated_text: phrase('repeated text'),
  few_sentences: phrase('few sentences'),
  perplexity: phrase('perplexity'),
  no_solution: phrase('no solution'),
  solution_not_korean: phrase('solution not korean'),
  no_english_solution: phrase('no english solution'),
  steps_do_not_match: phrase('steps do not match'),
  attempt_not_different: phrase('attempt not different'),
}

/** "3 too short, 1 duplicate"; null where nothing was dropped. */
export function countsOf(
  counts: Iterable<readonly [keyof typeof RULE_NAMES, number]>,
): Phrase | null {
  const parts = [...counts].flatMap(([rule, count]) =>
    count > 0 ? phrase('{count} {rule}', { count, rule: RULE_NAMES[rule] }) : [],
  )
  return parts.length > 0 ? joined(parts, ', ') : null
}
