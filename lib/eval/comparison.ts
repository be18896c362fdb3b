/**
 * Two checkpoints on the same questions: paired by question, because most of the noise of a benchmark is
 * which questions it happens to have. A difference counts only if its bootstrap interval leaves out 0
 * and the exact sign test over questions (McNemar's, for single answers) has p < 0.05; anything else is
 * called noise. So two more of AIME's 30 problems (+6.7 points) are noise: even if none was lost, p = 0.5.
 */
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import { bootstrapMean } from './bootstrap.ts'
import type { Row } from './grade.ts'
import { mean, signTest } from './statistics.ts'
import { scoreOf } from './summary.ts'

export type Finding = 'better' | 'worse' | 'within the noise'

export interface Comparison {
  /** Mean of later − earlier over the questions that both have graded. */
  difference: number
  ci95: [number, number]
  /** Questions on which the later one scores higher, and lower. */
  gained: number
  lost: number
  n: number
  p: number
  finding: Finding
}

const SIGNIFICANT = 0.05

/** Questions of both by id. Throws `E_EVAL` when they are not the same questions. */
function paired(earlier: readonly Row[], later: readonly Row[]): [Row, Row][] {
  const byId = new Map(later.map(row => [row.id, row]))
  const pairs = earlier.map(row => {
    const other = byId.get(row.id)
    if (other === undefined || other.gold !== row.gold) {
      throw new KogrpoError(
        'E_EVAL',
        phrase(
          'question "{id}" {problem} in the second evaluation; only evaluations of the same data can be compared',
          {
            id: row.id,
            problem: other ? phrase('has another right answer') : phrase('is missing'),
          },
        ),
      )
    }
    return [row, other] as [Row, Row]
  })
  if (later.length !== earlier.length) {
    throw new KogrpoError(
      'E_EVAL',
      phrase(
        'the evaluations have {first} and {second} questions; only evaluations of the same data can be compared',
        { first: earlier.length, second: later.length },
      ),
    )
  }
  return pairs
}

/** Compares by the score of each question. Throws `E_EVAL`. */
export function compareRows(earlier: readonly Row[], later: readonly Row[], seed = 0): Comparison {
  const differences = paired(earlier, later).flatMap(([a, b]) => {
    const [before, after] = [scoreOf(a), scoreOf(b)]
    return before === null || after === null ? [] : [after - before]
  })
  const { low, high } = bootstrapMean(differences, { seed })
  const difference = mean(differences)
  const gained = differences.filter(d => d > 0).length
  const lost = differences.filter(d => d < 0).length
  const p = signTest(gained, lost)
  const clear = p < SIGNIFICANT && (low > 0 || high < 0)
  return {
    difference,
    ci95: [low, high],
    gained,
    lost,
    n: differences.length,
    p,
    finding: clear ? (difference > 0 ? 'better' : 'worse') : 'within the noise',
  }
}
