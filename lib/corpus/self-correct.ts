/**
 * Self-correction samples for SFT before RL (arXiv 2601.05459: a small set of self-corrections, with
 * or without code-switching, makes RL in Korean work; the paper's own data is not public, the form here
 * is ours): question, wrong attempt, verdict, and the correction that is to be learned.
 *
 *   dialogue   question → wrong attempt → verdict are context, the correction alone is trained
 *   thinking   one thinking holds attempt, doubt and correction; the attempt is trained with it, so
 *              that the model learns to doubt itself, at the price of learning the error too
 *
 * Attempts come from records {question, attempt, verdict?, solution, answer} or are found in a run's
 * completions.jsonl: a completion that was judged wrong, beside one of the same prompt that was right.
 */
import { recordError } from '../data/columns.ts'
import type { SourceRecord } from '../data/readers.ts'
import { phrase } from '../messages/phrase.ts'
import { koreanShare } from '../rewards/korean.ts'
import { splitThinking } from '../rewards/think.ts'

export type ReasoningLanguage = 'ko' | 'en' | 'mixed'
export type CorrectionForm = 'dialogue' | 'thinking'

/** What a correction is made of. */
export interface Attempt {
  question: string
  /** A whole wrong completion, thinking and answer. */
  attempt: string
  /** What is wrong with it, in words; null: only that it is wrong. */
  verdict: string | null
  /** The right reasoning, in Korean, one step a line. */
  solution: string | null
  /** The same in English. */
  solution_en: string | null
  answer: string
}

interface CorrectionOptions {
  reasoningLanguage: ReasoningLanguage
  form: CorrectionForm
}

/** Why there is no sample of an attempt. */
export type Refusal =
  | 'no_solution'
  | 'solution_not_korean'
  | 'no_english_solution'
  | 'steps_do_not_match'
  | 'attempt_not_different'

const WRONG = '이 답은 틀렸습니다. 풀이를 확인하고 고쳐 주세요.'

const PHRASES: Record<ReasoningLanguage, { doubt: string; again: string }> = {
  ko: { doubt: '잠깐, 앞의 풀이를 확인해 보자.', again: '처음부터 다시 풀어 보자.' },
  en: { doubt: 'Wait, let me check the attempt.', again: 'I will solve it again.' },
  mixed: {
    doubt: '잠깐, 앞의 풀이를 확인해 보자.',
    again: 'Let me solve it again, 다시 풀어 보자.',
  },
}

const linesOf = (text: string): string[] => text.split('\n').filter(line => line.trim() !== '')

/** The right reasoning in the language asked for, or why there is none. */
function reasoningOf(attempt: Attempt, language: ReasoningLanguage): string | Refusal {
  const { solution, solution_en } = attempt
  if (language === 'en') return solution_en ?? 'no_english_solution'
  if (solution === null) return 'no_solution'
  if ((koreanShare(solution).share ?? 1) < 0.5) return 'solution_not_korean'
  if (language === 'ko') return solution
  if (solution_en === null) return 'no_english_solution'
  const [korean, english] = [linesOf(solution), linesOf(solution_en)]
  if (korean.length !== english.length || korean.length < 2) return 'steps_do_not_match'
  // Korean begins and ends wherever the number of steps is odd; the language changes at every step.
  return korean.map((line, i) => (i % 2 === 0 ? line : english[i]!)).join('\n')
}

/** The training record of an attempt, or why there is none. */
export function selfCorrection(
  attempt: Attempt,
  { reasoningLanguage, form }: CorrectionOptions,
): Record<string, unknown> | Refusal {
  const reasoning = reasoningOf(attempt, reasoningLanguage)
  if (isRefusal(reasoning)) return reasoning
  const { question, answer, verdict } = attempt
  const wrong = splitThinking(attempt.attempt)
  const before = wrong.thinking ?? wrong.answer
  if (before.trim() === reasoning.trim() || before.trim() === '') return 'attempt_not_different'
  const { doubt, again } = PHRASES[reasoningLanguage]
  const critique = verdict ?? WRONG
  const final = `정답: ${answer}`
  if (form === 'dialogue') {
    return {
      prompt: [
        { role: 'user', content: question },
        { role: 'assistant', content: attempt.attempt },
        { role: 'user', content: critique },
      ],
      completion: [
        {
          role: 'assistant',
          content: `<think>\n${doubt} ${again}\n${reasoning}\n</think>\n\n${final}`,
        },
      ],
      answer,
    }
  }
  const said = wrong.answer === '' || wrong.thinking === null ? '' : `\n${wrong.answer}`
  return {
    prompt: question,
    completion: `<think>\n${before}${said}\n\n${doubt} ${critique}\n${again}\n${reasoning}\n</think>\n\n${final}`,
    answer,
  }
}

const REFUSALS: readonly string[] = [
  'no_solution',
  'solution_not_korean',
  'no_english_solution',
  'steps_do_not_match',
  'attempt_not_different',
] satisfies Refusal[]

export function isRefusal(value: unknown): value is Refusal {
  return typeof value === 'string' && REFUSALS.includes(value)
}

/** An optional column of text; throws `E_DATA` naming file and line for anything else. */
function text(source: SourceRecord, name: string): string | null {
  const value = source.record[name]
  if (value === undefined || value === null || value === '') return null
  if (typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  throw recordError(
    source,
    phrase('"{name}" is a {type}; expected text', { name, type: typeof value }),
  )
}

function required(source: SourceRecord, name: string): string {
  const value = text(source, name)
  if (value !== null) return value
  throw recordError(
    source,
    phrase(
      'has no "{name}"; an attempt needs question, attempt, answer and solution (or give a completions.jsonl)',
      { name },
    ),
  )
}

/** Whether a record is a line of a run's completions.jsonl. */
export function isCompletionRow({ record }: SourceRecord): boolean {
  return ['stage', 'prompt', 'completion', 'checker', 'judge'].every(key => key in record)
}

/** A record {question, attempt, …}. Throws `E_DATA` naming file, line and column. */
export function attemptOf(source: SourceRecord): Attempt {
  return {
    question: required(source, 'question'),
    attempt: required(source, 'attempt'),
    verdict: text(source, 'verdict'),
    solution: text(source, 'solution'),
    solution_en: text(source, 'solution_en'),
    answer: required(source, 'answer'),
  }
}

/** Gathers the wrong and the right completions of every prompt of a run. */
export class CompletionPairs {
  readonly #prompts = new Map<string, { answer: string; wrong: string[]; right: string | null }>()

  add(source: SourceRecord): void {
    const { record } = source
    const verdict = record.judge ?? record.checker
    if (typeof verdict !== 'boolean') return
    const question = required(source, 'prompt')
    const completion = required(source, 'completion')
    const answer = text(source, 'answer')
    if (answer === null) return
    const known = this.#prompts.get(question) ?? { answer, wrong: [], right: null }
    if (!verdict) known.wrong.push(completion)
    else known.right = shorter(known.right, completion)
    this.#prompts.set(question, known)
  }

  /** At most `perPrompt` attempts of each prompt, different ones; the solution is the shortest
   *  right thinking. */
  attempts(perPrompt: number): Attempt[] {
    return [...this.#prompts].flatMap(([question, { answer, wrong, right }]) =>
      [...new Set(wrong)].slice(0, perPrompt).map(attempt => ({
        question,
        attempt,
        verdict: null,
        solution: right === null ? null : splitThinking(right).thinking,
        solution_en: null,
        answer,
      })),
    )
  }
}

/** The shorter of two right completions that have a thinking: it has least beside the point. */
function shorter(known: string | null, fresh: string): string | null {
  if ((splitThinking(fresh).thinking ?? '') === '') return known
  return known === null || fresh.length < known.length ? fresh : known
}
