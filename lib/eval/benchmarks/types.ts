/**
 * A benchmark is data: where it is published, what columns its rows have, and how a row becomes a
 * question in its two forms. Reading files, few-shot examples, models and scores know no benchmark.
 */
import type * as z from 'zod'

/** How answers are scored; `code` needs the sandbox. */
type BenchmarkKind = 'choice' | 'math' | 'exact' | 'code'

/** The forms of the HAE-RAE Evaluation Toolkit (`--compat hret`). */
interface HretForm {
  prompt: string
  reference: string
  /** A reference outside of these is never correct, as there. */
  options?: readonly string[]
  match: 'string' | 'partial'
}

export interface Question {
  /** The row's own id; without one, its subset, file and line. */
  id?: string | undefined
  /** Subject or part; without one, it is read off the file's path. */
  subset?: string | undefined
  /** What a model is asked in a conversation. */
  prompt: string
  /** Index of the right choice, or the text of the right answer. */
  gold: number | string
  /** Texts of the choices, where there are any. */
  choices: readonly string[]
  /**
   * Likelihood form: which of `options`, behind a space, is the likeliest continuation of `context`.
   * Prompts are those of lm-evaluation-harness, so that the numbers are comparable.
   */
  likelihood?: { context: string; options: readonly string[] }
  hret?: HretForm
  /** Results on the way to the answer, where the question is of several steps. */
  steps?: readonly { result: string }[]
}

export interface Benchmark {
  name: string
  title: string
  /** Where it is published, and who made it. */
  source: string
  kind: BenchmarkKind
  language: 'ko' | 'en'
  /** The part of the data that is asked, and the part that few-shot examples come from. */
  split: string
  fewShotSplit?: string
  /** Whether macro-F1 is its published figure. */
  macroF1?: boolean
  /** A row as published, for the documentation, the tests and messages. */
  example: Readonly<Record<string, unknown>>
  columns: z.ZodType
  /** `row` has passed `columns`. */
  question(row: unknown): Question
}

/** A benchmark whose `question` takes what its schema gives. */
export function benchmark<S extends z.ZodType>(
  spec: Omit<Benchmark, 'columns' | 'question'> & {
    columns: S
    question(row: z.output<S>): Question
  },
): Benchmark {
  return spec as Benchmark
}
