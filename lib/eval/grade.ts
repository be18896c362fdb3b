/**
 * Rows of an evaluation: what a model made of each question. Everything the report says follows from
 * them. A completion is right by the kind of the benchmark: the chosen option, the accuracy reward's
 * verifier for mathematics, unit tests in the sandbox for code, a judge where one is given, or HRET's matching under its compatibility.
 */
import { isEquivalent } from '../rewards/equivalence.ts'
import { extractAnswer } from '../rewards/extract.ts'
import type { Judge } from '../rewards/judge/types.ts'
import { chosenOption } from '../rewards/kinds/choice.ts'
import { lastCodeBlock } from '../rewards/kinds/code.ts'
import { exactGrader } from '../rewards/kinds/exact.ts'
import { mathGrader } from '../rewards/kinds/math.ts'
import type { Grader } from '../rewards/kinds/types.ts'
import { splitThinking } from '../rewards/think.ts'
import type { Likelihood, Sample } from './backend/types.ts'
import type { Benchmark } from './benchmarks/types.ts'
import { missedStep } from './commonsense/generate.ts'
import { goldText } from './few-shot.ts'
import { hretPartialMatch, hretStringMatch } from './hret.ts'
import type { Item } from './items.ts'
import { best, majority } from './samples.ts'
import { type ThinkingMetrics, thinkingMetrics } from './thinking.ts'

interface RowHead {
  id: string
  subset: string
  gold: number | string
}

export interface LikelihoodRow extends RowHead {
  mode: 'likelihood'
  /** Of each option. */
  logprobs: number[]
  greedy: (boolean | null)[]
  /** The likeliest option, and the likeliest by character. */
  answer: number
  answer_norm: number
  correct: 0 | 1
  correct_norm: 0 | 1
}

interface GradedSample extends Sample {
  /** What is taken as its answer; null for none. */
  answer: number | string | null
  /** Null where it cannot be told (a gold answer in prose, a judge that failed). */
  correct: 0 | 1 | null
  thinking: ThinkingMetrics
  /** Of a question in steps: the first whose result is missing; null for none. */
  missed_step?: number | null
}

export interface GenerationRow extends RowHead {
  mode: 'generation'
  prompt: string
  samples: GradedSample[]
  /** Mean over the samples that are graded; null for none. */
  correct: number | null
  /** Whether the answer of the majority is right, and that of the likeliest sample. */
  correct_majority: 0 | 1 | null
  correct_best: 0 | 1 | null
}

export type Row = LikelihoodRow | GenerationRow

const head = ({ id, subset, gold }: Item): RowHead => ({ id, subset, gold })

function argmax(values: readonly number[]): number {
  return values.reduce((top, value, i) => (value > values[top]! ? i : top), 0)
}

/** The row of a question whose options have these likelihoods; ties go to the first. */
export function likelihoodRow(item: Item, likelihoods: readonly Likelihood[]): LikelihoodRow {
  const logprobs = likelihoods.map(({ logprob }) => logprob)
  const { options } = item.likelihood!
  const answer = argmax(logprobs)
  const answer_norm = argmax(logprobs.map((value, i) => value / [...options[i]!].length))
  return {
    ...head(item),
    mode: 'likelihood',
    logprobs,
    greedy: likelihoods.map(({ greedy }) => greedy),
    answer,
    answer_norm,
    correct: answer === item.gold ? 1 : 0,
    correct_norm: answer_norm === item.gold ? 1 : 0,
  }
}

interface GradeOptions {
  compat: 'none' | 'hret'
  judge?: Judge | undefined
  /** Runs the answers of a benchmark of code. */
  code?: Grader | undefined
  signal?: AbortSignal | undefined
}

interface Graded {
  answer: number | string | null
  correct: 0 | 1 | null
}

const math = mathGrader({ extraction: 'any', precision: 6 })

async function grade(
  benchmark: Benchmark,
  item: Item,
  text: string,
  { compat, judge, code, signal }: GradeOptions,
): Promise<Graded> {
  if (compat === 'hret' && item.hret) {
    const { reference, options, match } = item.hret
    const matcher = match === 'string' ? hretStringMatch : hretPartialMatch
    const { pred, correct } = matcher(text, reference, options)
    return { answer: pred, correct: correct ? 1 : 0 }
  }
  const { answer } = splitThinking(text)
  const { file, line, record } = item.source
  const graded = {
    gold: item.gold,
    answer,
    row: record,
    where: `${file}:${line}`,
    column: 'answer',
  }
  if (code) return { answer: lastCodeBlock(answer)?.code ?? null, correct: await code(graded) }
  const choice = benchmark.kind === 'choice'
  const said = choice ? chosenOption(answer, item.choices) : (extractAnswer(answer)?.text ?? null)
  if (judge) {
    const text = goldText(item)
    const reference =
      choice && item.choices.length > 0 ? `${text}. ${item.choices[item.gold as number]}` : text
    const columns = item.source.record
    const asked = { question: item.prompt, reference, answer, thinking: null, columns }
    const { verdict } = await judge.judge(asked, signal)
    return { answer: said, correct: 'verdict' in verdict ? verdict.verdict : null }
  }
  if (choice) return { answer: said, correct: said === item.gold ? 1 : 0 }
  if (benchmark.kind === 'exact') return { answer: said, correct: await exactGrader(graded) }
  return { answer: said, correct: await math(graded) }
}

/** The row of a question that was answered `samples`; `prompt` is what was asked. */
export async function generationRow(
  benchmark: Benchmark,
  item: Item,
  prompt: string,
  samples: readonly Sample[],
  options: GradeOptions,
): Promise<GenerationRow> {
  const choices = benchmark.kind === 'choice' ? item.choices : null
  const graded = await Promise.all(
    samples.map(async (sample): Promise<GradedSample> => {
      const { answer, correct } = await grade(benchmark, item, sample.text, options)
      const thinking = thinkingMetrics(item.prompt, sample.text, choices)
      if (item.steps === undefined) return { ...sample, answer, correct, thinking }
      const missed_step = missedStep(item.steps, sample.text)
      return { ...sample, answer, correct, thinking, missed_step }
    }),
  )
  const known = graded.flatMap(({ correct }) => correct ?? [])
  const textual = benchmark.kind === 'math' && options.compat === 'none'
  const voted = majority(
    graded.map(({ answer }) => answer),
    (a, b) => a === b || (textual && isEquivalent(String(a), String(b))),
  )
  const likeliest = best(graded.map(({ logprob }) => logprob))
  return {
    ...head(item),
    mode: 'generation',
    prompt,
    samples: graded,
    correct: known.length === 0 ? null : known.reduce<number>((a, b) => a + b, 0) / known.length,
    correct_majority: voted === null ? (known.length === 0 ? null : 0) : graded[voted]!.correct,
    correct_best: likeliest === null ? null : graded[likeliest]!.correct,
  }
}
