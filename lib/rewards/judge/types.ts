/**
 * The judge's side of the oracle: what it sees, what it says, and what that took. It sees the
 * question, the reference and the final answer; the thinking only where the recipe asks for it, so
 * that fluent reasoning cannot win a verdict.
 */

export interface JudgeItem {
  question: string
  reference: string
  /** What the completion says after its thinking; may be empty. */
  answer: string
  /** The thinking, where the recipe has `see_thinking`; else null. */
  thinking: string | null
  /** The sample's dataset columns, for program judges. */
  columns: Record<string, unknown>
}

/** A verdict, or why there is none; a failed verdict is never a 0. */
export type Verdict = { verdict: 0 | 1 } | { failed: string }

/** Tokens that a language model read and wrote. */
export interface TokenUse {
  prompt: number
  completion: number
}

/** What is wrong with an answer, in words, or why nothing is said. */
export type Critique = { critique: string } | { failed: string }

/** A verdict (or a critique) with what it took. */
export interface Judgement<T = Verdict> {
  verdict: T
  /** The verdict was in the store, or is that of an equal item which was being judged. */
  cached: boolean
  /** Requests made for it, retries included; 0 for a program, a cached verdict, an open breaker. */
  requests: number
  /** Null where nothing was asked or the endpoint did not say. */
  tokens: TokenUse | null
  /** Seconds from the question to the verdict, waiting for a free place included. */
  latency_s: number
}

/** How far a file of verdicts reached: its first `bytes` and their SHA-256. */
export interface CachePosition {
  file: string
  bytes: number
  sha256: string
}

export interface Judge {
  /** Kind, model and place, for logs; never a key. */
  readonly description: string
  /**
   * Judges one item; any number may be under way. A judge that is unwell gives failed verdicts; the
   * promise rejects on cancellation alone.
   */
  judge(item: JudgeItem, signal?: AbortSignal): Promise<Judgement>
  /** What is wrong with an answer, in the judge's words. Absent where the judge has none: a program. */
  critique?(item: JudgeItem, signal?: AbortSignal): Promise<Judgement<Critique>>
  /** Where the verdicts on disk end now; absent where none are kept. */
  cachePosition?(): CachePosition
  /** What is wrong with the verdicts up to an earlier position, in words; null: they are all there. */
  checkCache?(position: CachePosition): string | null
  /** Frees what the judge holds: a model, an open file. */
  close(): Promise<void>
}

/** A judge whose verdict is a function of what is asked, so that it can be stored. */
export interface KeyedJudge extends Judge {
  /** SHA-256 (hexadecimal) of everything the verdict depends on. */
  keyOf(item: JudgeItem): string
}

/** A judgement that took nothing but time. */
export function judgement<T = Verdict>(
  verdict: T,
  taken: Partial<Judgement<T>> = {},
): Judgement<T> {
  return { verdict, cached: false, requests: 0, tokens: null, latency_s: 0, ...taken }
}

/** Tokens of several judgements together; null where none told of any. */
export function sumTokens(parts: readonly { readonly tokens: TokenUse | null }[]): TokenUse | null {
  return parts.reduce<TokenUse | null>((sum, { tokens }) => {
    if (!tokens || !sum) return sum ?? tokens
    return {
      prompt: sum.prompt + tokens.prompt,
      completion: sum.completion + tokens.completion,
    }
  }, null)
}
