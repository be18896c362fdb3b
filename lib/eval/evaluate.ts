/**
 * Held-out evaluation: one completion of every problem, its correctness, whether it thinks in Korean
 * and keeps the format. The same problems and noise for every model, so that differences are paired.
 */
import type { GrpoSample } from '../data/samples.ts'
import type { Tokenizer } from '../data/tokenizer.ts'
import type { Engine } from '../engine/engine.ts'
import type {
  CompletionRow,
  EvalResults,
  EvalStageName,
  PairedDifference,
} from '../report/events.ts'
import { checkAnswer } from '../rewards/accuracy.ts'
import { builtinPrograms } from '../rewards/judge/programs.ts'
import { koreanThinking } from '../rewards/korean.ts'
import { splitThinking } from '../rewards/think.ts'
import { type Rollout, type SamplingOptions, sampleRollouts } from '../rollout/rollout.ts'
import { mean, pairedDifference, proportion } from './statistics.ts'

/** What one problem's completion showed; plain JSON. */
export interface Outcome {
  text: string
  prompt_tokens: number
  completion_tokens: number
  finish_reason: string
  correct: boolean
  korean: boolean
  format: boolean
}

/** Decides whether a completion answers its problem; `mini` is exact, `checker` follows rules. */
type Truth = 'mini' | 'checker'

type EvaluationOptions = Omit<SamplingOptions, 'numGenerations' | 'firstStream'> & {
  truth: Truth
}

/** Evaluates the engine's present weights. */
export async function evaluate(
  engine: Engine,
  tokenizer: Tokenizer,
  problems: readonly GrpoSample[],
  options: EvaluationOptions,
): Promise<Outcome[]> {
  const rollouts = await sampleRollouts(engine, tokenizer, problems, {
    ...options,
    numGenerations: 1,
    firstStream: 0,
  })
  return await outcomesOf(rollouts, options.truth)
}

/** What completions of problems showed. */
export async function outcomesOf(rollouts: readonly Rollout[], truth: Truth): Promise<Outcome[]> {
  const verdicts = await Promise.all(rollouts.map(rollout => isCorrect(rollout, truth)))
  return rollouts.map(({ text, prompt, tokens, finishReason }, i) => ({
    text,
    prompt_tokens: prompt.promptIds.length,
    completion_tokens: tokens.length,
    finish_reason: finishReason,
    correct: verdicts[i]!,
    korean: koreanThinking(text),
    format: splitThinking(text).problem === null,
  }))
}

async function isCorrect({ prompt, text }: Rollout, truth: Truth): Promise<boolean> {
  const reference = String(prompt.extra.answer)
  if (truth === 'checker') return checkAnswer(reference, text) === 1
  const question = questionOf(prompt)
  const { answer } = splitThinking(text)
  const item = { question, reference, answer, thinking: null, columns: prompt.extra }
  const { verdict } = await builtinPrograms().judge('mini').judge(item)
  return 'verdict' in verdict && verdict.verdict === 1
}

/** The figures of summary.json. */
export function summarize(outcomes: readonly Outcome[]): EvalResults {
  const { value, ci95, n } = proportion(outcomes.map(({ correct }) => correct))
  return {
    accuracy: value,
    accuracy_ci95: [ci95.low, ci95.high],
    korean_thinking_rate: mean(outcomes.map(({ korean }) => Number(korean))),
    format_rate: mean(outcomes.map(({ format }) => Number(format))),
    mean_length: mean(outcomes.map(({ completion_tokens }) => completion_tokens)),
    n,
  }
}

/** Paired differences, later − earlier, by metric. */
export function compare(
  earlier: readonly Outcome[],
  later: readonly Outcome[],
): Record<string, PairedDifference> {
  const metrics: Record<string, (outcome: Outcome) => number> = {
    accuracy: ({ correct }) => Number(correct),
    korean_thinking_rate: ({ korean }) => Number(korean),
    format_rate: ({ format }) => Number(format),
    mean_length: ({ completion_tokens }) => completion_tokens,
  }
  return Object.fromEntries(
    Object.entries(metrics).map(([name, of]) => {
      const { value, ci95, n } = pairedDifference(earlier.map(of), later.map(of))
      return [name, { difference: value, ci95: [ci95.low, ci95.high], n }]
    }),
  )
}

/** Lines for completions.jsonl; `problems` are those that were evaluated. */
export function evaluationRows(
  stage: EvalStageName,
  problems: readonly GrpoSample[],
  outcomes: readonly Outcome[],
): CompletionRow[] {
  return outcomes.map(({ text, correct, korean, format, ...lengths }, i) => ({
    stage,
    step: 0,
    prompt: questionOf(problems[i]!),
    completion: text,
    ...lengths,
    rewards: { korean: Number(korean), format: Number(format) },
    reward: null,
    checker: null,
    judge: correct,
    advantage: null,
    answer: problems[i]!.extra.answer,
  }))
}

/** The question of a problem, for people. */
export function questionOf({ messages }: GrpoSample): string {
  return String(messages.findLast(({ role }) => role === 'user')?.content ?? '')
}
