/**
 * A kind of accuracy: how the final answer of one sample is held against its gold answer. Kinds are
 * registered by name in index.ts; a recipe names one, and a column may name another a sample.
 */

/** What a kind sees of one sample. */
export interface Graded {
  /** The gold column as it is in the data; kinds read it with `goldText`. */
  gold: unknown
  /** Text after the thinking, trimmed. Never the thinking itself. */
  answer: string
  /** All data columns of this sample. */
  row: Readonly<Record<string, unknown>>
  /** "sample 3", for errors. */
  where: string
  /** Name of the gold column, for errors. */
  column: string
}

/** 1 right, 0 wrong, null where the kind cannot judge this sample. */
type Grade = 0 | 1 | null

export type Grader = (sample: Graded) => Grade | Promise<Grade>

/** Runs untrusted code against tests; lib/sandbox has one. */
export interface CodeRunner {
  run(job: CodeJob): Promise<CodeResult>
}

export interface CodeJob {
  /** Name after the opening fence, lower case; '' when there is none. */
  language: string
  code: string
  tests: string
  /** Function that the tests call, where the data names one. */
  entryPoint: string | null
  timeoutMs: number
}

export type CodeResult =
  | { passed: number; total: number }
  /** The runner itself failed (not the code): the sample has no grade. */
  | { failure: string }

/** What graders get from outside of the recipe. */
export interface GraderContext {
  /** Makes the runner of kind `code`; called only where that kind is used. */
  codeRunner?: (() => CodeRunner) | undefined
}
