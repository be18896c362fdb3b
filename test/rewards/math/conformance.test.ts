/**
 * The public verifier suites in ../shared/data/verifier-cases against the contract of
 * docs/rewards.md. Every case passes or stands in excluded.json with the clause that excludes it, and
 * at least 95 % of each suite is included.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { accuracyReward, checkAnswer } from '../../../lib/rewards/accuracy.ts'
import { isEquivalent } from '../../../lib/rewards/equivalence.ts'
import { extractAnswer, lastBoxed } from '../../../lib/rewards/extract.ts'
import { chosenOption } from '../../../lib/rewards/kinds/choice.ts'
import { equalExprs } from '../../../lib/rewards/math/compare.ts'
import { parseMath } from '../../../lib/rewards/math/grammar.ts'
import type { RewardInput } from '../../../lib/rewards/types.ts'
import excluded from './excluded.json' with { type: 'json' }
import { fromSympy } from './sympy.ts'

const folder = join(import.meta.dirname, '../../../../shared/data/verifier-cases')
const present = existsSync(folder)
const suite = (name: string): string => (present ? name : `${name} (skipped: no shared data)`)

function rows<T>(file: string): T[] {
  const text = readFileSync(join(folder, file), 'utf8')
  return text
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as T)
}

/** Runs `passes` on every case; the failures must be exactly the excluded ones, at most 5 %. */
function holds<T>(cases: readonly T[], idOf: (c: T) => string, passes: (c: T) => boolean): void {
  const failed = cases.filter(c => !passes(c)).map(idOf)
  const allowed = cases.map(idOf).filter(id => id in excluded)
  expect(failed).toEqual(allowed)
  expect(failed.length).toBeLessThanOrEqual(0.05 * cases.length)
}

function input(completion: string, gold: string): RewardInput {
  return {
    prompts: [[]],
    completions: [completion],
    completionIds: [new Int32Array(1)],
    truncated: [false],
    columns: { answer: [gold] },
  }
}

const reward = async (
  completion: string,
  gold: string,
  options: Record<string, unknown> = {},
): Promise<number | null> => (await accuracyReward(options)(input(completion, gold)))[0]!

describe.skipIf(!present)(suite('verifier suites'), () => {
  interface MathVerify {
    id: string
    gold: string
    pred: string
    expected: 0 | 1
    precision?: number
  }

  it('Math-Verify, 125 cases', async () => {
    const cases = rows<MathVerify>('math_verify_dev.jsonl')
    expect(cases.length).toBe(125)
    const values = await Promise.all(
      cases.map(({ gold, pred, precision = 6 }) => reward(pred, gold, { precision })),
    )
    const verdicts = new Map(cases.map((c, i) => [c.id, values[i]]))
    holds(
      cases,
      c => c.id,
      c => verdicts.get(c.id) === c.expected,
    )
  })

  it('Math-Verify option letters, 7 cases', () => {
    const cases = rows<{ id: string; pred: string; expected_candidates: string[] }>(
      'math_verify_letter_extraction.jsonl',
    )
    expect(cases.length).toBe(7)
    holds(
      cases,
      c => c.id,
      ({ pred, expected_candidates: [letter] }) => {
        const wanted = letter === undefined ? null : letter.toUpperCase().charCodeAt(0) - 65
        return chosenOption(pred) === wanted
      },
    )
  })

  it('Hendrycks is_equiv, 16 cases', () => {
    const cases = rows<{ id: string; a: string; b: string; expected: boolean }>(
      'hendrycks_is_equiv.jsonl',
    )
    expect(cases.length).toBe(16)
    holds(
      cases,
      c => c.id,
      c => isEquivalent(c.a, c.b) === c.expected && isEquivalent(c.b, c.a) === c.expected,
    )
  })

  it('open-instruct strip_string, 9 cases: a text and its stripped form are equivalent', () => {
    const cases = rows<{ id: string; input: string; expected: string }>(
      'open_instruct_strip_string.jsonl',
    )
    expect(cases.length).toBe(9)
    holds(
      cases,
      c => c.id,
      c => isEquivalent(c.expected, c.input),
    )
  })

  interface Slime {
    id: string
    fn: string
    args: (string | null)[]
    expected: string | boolean | null
  }

  /** Boxes are extracted alike; graders agree; normalisers give an equivalent text. */
  function slime({ fn, args, expected }: Slime): boolean {
    const [first, second] = args
    const boxed = typeof first === 'string' ? (lastBoxed(first)?.text ?? null) : null
    if (/box|^extract_answer$/.test(fn)) {
      const wanted = typeof expected === 'string' ? (lastBoxed(expected)?.text ?? expected) : null
      return boxed === wanted
    }
    if (fn.startsWith('grade')) {
      const [a, b] = fn.endsWith('verl')
        ? [boxed, lastBoxed(second!)?.text ?? second!]
        : [first!, second!]
      return (a !== null && a !== undefined && isEquivalent(b, a)) === expected
    }
    // Python's None passes through; here a missing gold answer is an error (accuracy.test.ts).
    if (first == null) return expected === null
    return typeof expected === 'string' && isEquivalent(expected, boxed ?? first)
  }

  it('slime rm_math, 48 cases', () => {
    const cases = rows<Slime>('slime_rm_math.jsonl')
    expect(cases.length).toBe(48)
    holds(cases, c => c.id, slime)
  })

  interface Trl {
    id: string
    fn: string
    completion: string
    gold: string
    expected: 0 | 1 | null
    reasoning_delimiters?: string[]
  }

  it('TRL accuracy and reasoning accuracy, 15 of the 81 cases (the others are other rewards)', async () => {
    const all = rows<Trl>('reward_functions_trl_openr1.jsonl')
    const cases = all.filter(({ fn }) => /^(?:reasoning_)?accuracy_reward$/.test(fn))
    expect(cases.length).toBe(15)
    const values = await Promise.all(
      cases.map(({ fn, completion, gold, reasoning_delimiters }) =>
        reward(completion, gold, {
          extraction: fn === 'accuracy_reward' ? 'any' : 'boxed',
          require_thinking: fn === 'reasoning_accuracy_reward',
          ...(reasoning_delimiters === undefined ? {} : { reasoning_delimiters }),
        }),
      ),
    )
    expect(cases.filter((c, i) => values[i] !== c.expected).map(c => c.id)).toEqual([])
  })

  it('latex2sympy: 210 formulas parse to the tree SymPy has, 39 are refused', () => {
    const file = JSON.parse(readFileSync(join(folder, 'latex2sympy_parse.json'), 'utf8')) as {
      must_parse: { latex: string; sympy: string }[]
      must_not_parse: string[]
    }
    expect([file.must_parse.length, file.must_not_parse.length]).toEqual([210, 39])
    holds(
      file.must_parse,
      ({ latex }) => `latex2sympy: ${latex}`,
      ({ latex, sympy }) => {
        const parsed = parseMath(latex)
        return parsed !== null && equalExprs(fromSympy(sympy), parsed, 6)
      },
    )
    expect(file.must_not_parse.filter(latex => parseMath(latex) !== null)).toEqual([])
  })

  it('528 real GSM8K solutions agree with their verdicts', () => {
    const cases = rows<{ id: string; gold: string; completion: string; expected: boolean }>(
      'gsm8k_model_solutions_dev.jsonl',
    )
    expect(cases.length).toBe(528)
    holds(
      cases,
      c => c.id,
      c => (checkAnswer(c.gold, c.completion) === 1) === c.expected,
    )
  })

  it('HAE-RAE outputs: every completion that ends in its reference answer is right', () => {
    const cases = rows<{ id: string; prediction: string; reference: string }>(
      '../hret/evaluator_golden_dev.jsonl',
    ).filter(({ id }) => id.includes('_ko_'))
    expect(cases.length).toBeGreaterThan(40)
    const wrong = cases.filter(c => checkAnswer(c.reference, c.prediction) !== 1)
    expect(wrong.map(c => c.id)).toEqual([])
    expect(extractAnswer(cases[0]!.prediction)?.source).toBe('marker')
  })
})
