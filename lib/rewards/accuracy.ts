/**
 * The accuracy reward, a rule checker: 1 when the final answer after the thinking is right, else 0,
 * null where the rule cannot tell. What "right" means is the kind (kinds/): `math` by default, or the
 * one that the recipe names, or the one that the sample's `answer_kind` column names. Nothing that
 * stands in the thinking ever counts.
 */
import { type AccuracyKind, accuracyOptions } from '../config/schema/accuracy.ts'
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import { isEquivalent } from './equivalence.ts'
import { extractAnswer, lastMarked } from './extract.ts'
import { goldText } from './kinds/gold.ts'
import { KINDS } from './kinds/index.ts'
import type { Grader, GraderContext } from './kinds/types.ts'
import { parseOptions } from './options.ts'
import { splitThinking } from './think.ts'
import type { RewardFunction, RewardInput } from './types.ts'

/**
 * Makes the accuracy reward. Throws `E_CONFIG` for an unknown kind or option, and at rating time
 * `E_REWARD` when a gold answer is missing or a sample's kind is unknown.
 */
export function accuracyReward(options?: unknown, context: GraderContext = {}): RewardFunction {
  const settings = parseOptions('reward accuracy', accuracyOptions, options)
  const { answer_column: column, kind_column: kindColumn } = settings
  const graders = new Map<string, Grader>()
  const graderOf = (kind: string, where: string): Grader => {
    const known = graders.get(kind)
    if (known !== undefined) return known
    const factory = Object.hasOwn(KINDS, kind) ? KINDS[kind as AccuracyKind] : undefined
    if (factory === undefined) {
      throw new KogrpoError(
        'E_CONFIG',
        phrase("accuracy kind '{kind}' of {where} is unknown; choose {known}", {
          kind,
          where,
          known: Object.keys(KINDS).join(', '),
        }),
      )
    }
    const grader = factory(settings, context)
    graders.set(kind, grader)
    return grader
  }
  graderOf(settings.kind, 'the recipe')
  return input =>
    Promise.all(
      input.completions.map((completion, i) => {
        const where = `sample ${i}`
        const named = input.columns[kindColumn]?.[i]
        const kind = typeof named === 'string' && named !== '' ? named : settings.kind
        const grader = graderOf(kind, where)
        const { answer, closed } = finalAnswer(completion, settings.reasoning_delimiters)
        const row = Object.fromEntries(
          Object.entries(input.columns).map(([name, values]) => [name, values[i]]),
        )
        const gold = kind === 'code' ? null : goldAnswer(input, column, i)
        if (settings.require_thinking && !closed) return 0
        return grader({ gold, answer, row, where, column })
      }),
    )
}

/** The text after the thinking, and whether a thinking ended before it. */
function finalAnswer(
  completion: string,
  delimiters: readonly string[],
): { answer: string; closed: boolean } {
  if (delimiters.length === 1 && delimiters[0] === '</think>') {
    const { thinking, answer, problem } = splitThinking(completion)
    return { answer, closed: thinking !== null && problem !== 'unclosed think block' }
  }
  const ends = delimiters.map(mark => {
    const at = completion.lastIndexOf(mark)
    return at < 0 ? -1 : at + mark.length
  })
  const end = Math.max(...ends)
  return { answer: completion.slice(Math.max(0, end)).trim(), closed: end >= 0 }
}

/** 1 when `completion` states an answer equivalent to `gold` after its thinking, else 0. */
export function checkAnswer(gold: string, completion: string): 0 | 1 {
  const extracted = extractAnswer(splitThinking(completion).answer)
  if (extracted === null) return 0
  return isEquivalent(lastMarked(gold)?.text ?? gold, extracted.text) ? 1 : 0
}

/** The gold answer of sample `i` as text; throws `E_REWARD` naming column and sample. */
export function goldAnswer(input: RewardInput, column: string, i: number): string {
  const values = input.columns[column]
  if (values === undefined) {
    const known = Object.keys(input.columns).join(', ') || phrase('none')
    throw new KogrpoError(
      'E_REWARD',
      phrase(
        "the accuracy reward needs the data column '{column}' with the gold answer (columns present: {known})",
        { column, known },
      ),
    )
  }
  return goldText({ gold: values[i], column, where: `sample ${i}` })
}
