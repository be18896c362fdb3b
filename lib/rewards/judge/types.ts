/**
 * The judge's side of the oracle: what it sees and what it says. It sees the question, the reference
 * and the final answer, not the thinking, so that fluent reasoning cannot win a verdict.
 */

export interface JudgeItem {
  question: string
  reference: string
  /** What the completion says after its thinking; may be empty. */
  answer: string
  /** The sample's dataset columns, for program judges. */
  columns: Record<string, unknown>
}

/** A verdict, or why there is none; a failed verdict is never a 0. */
export type Verdict = { verdict: 0 | 1 } | { failed: string }

/**
 * Judges items, one verdict each in order. Failures of single items are verdicts (`failed`);
 * the promise rejects only on cancellation or a fault of the judge itself.
 */
export type Judge = (items: readonly JudgeItem[], signal?: AbortSignal) => Promise<Verdict[]>
