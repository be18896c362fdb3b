/**
 * The typed event stream of a run. Training loops emit, consumers (files, progress) read; neither
 * knows the other. Everything a loop says about its progress goes through here.
 *
 * Determinism: `metrics` must follow from the recipe and its seed alone, on any thread count, save
 * for the keys for which `isTimingKey` holds: `timing_s/*`, `perf/*`, `step_time*`, and what judging
 * took (cache hits, requests, tokens), which depends on what the judge's cache held.
 */
import type { Recipe } from '../config/schema.ts'
import type { Phrase } from '../messages/phrase.ts'

export type StageName = 'pretrain' | 'sft' | 'grpo'
/** A model that is evaluated: before training, after sft, after grpo. */
export type EvalStageName = 'base' | 'sft' | 'rl'

/** Metric names are TRL's; `timing_s/*` and `perf/*` are verl's. Non-finite numbers become null. */
export type Metrics = Record<string, number | null>

/** One line of completions.jsonl. Rewards are before weighting; null = not applicable. */
export interface CompletionRow {
  stage: StageName | EvalStageName
  step: number
  prompt: string
  completion: string
  prompt_tokens: number
  completion_tokens: number
  finish_reason?: string
  rewards: Record<string, number | null>
  reward: number | null
  /** Verdict of the rule checker and of the oracle judge; null = was not asked or failed. */
  checker: boolean | null
  judge: boolean | null
  advantage: number | null
  /** Any further columns, e.g. `answer` or `group`. */
  [column: string]: unknown
}

/** Results of one held-out evaluation. Rates are shares in 0 … 1, lengths are tokens. */
export interface EvalResults {
  accuracy: number
  /** 95 % interval of `accuracy`. */
  accuracy_ci95: [number, number]
  korean_thinking_rate: number
  format_rate: number
  mean_length: number
  n: number
}

/** Mean of paired differences (later − earlier) over the same problems, with its 95 % interval. */
export interface PairedDifference {
  difference: number
  ci95: [number, number]
  n: number
}

export type ComparisonName = 'sft_minus_base' | 'rl_minus_sft' | 'rl_minus_base'

/** A decision of the guards of a grpo stage; lib/train/guards/decide.ts makes it. */
export interface GuardDecision {
  step: number
  action: 'warn' | 'stop' | 'rollback'
  /** What was beyond its limit: moving average, baseline and limit. */
  trips: { watch: string; average: number; baseline: number; limit: number }[]
  /** rollback: the step whose state was restored. */
  restored_step?: number
  /** rollback: factor of the recipe's learning rate from there on. */
  learning_rate_factor?: number
  /** The decision in words, as the log has it. */
  message: string
}

/** What the oracle of a run said and took, over all of its steps. */
export interface OracleSummary {
  rule: string
  judge: string
  /** Checker against judge, the judge taken as truth. */
  tp: number
  fp: number
  fn: number
  tn: number
  agreement: number | null
  kappa: number | null
  calls: number
  failures: number
  failure_rate: number
  cache_hits: number
  requests: number
  prompt_tokens: number
  completion_tokens: number
}

/** The best of a stage's evaluations between steps. */
export interface BestModel {
  /** Step after which it was evaluated; 0: before the first. */
  step: number
  metric: string
  value: number
  /** Where its weights lie in the run directory. */
  checkpoint: string
}

/** Something that differed from the saved run when it was resumed, and was accepted. */
export interface AcceptedChange {
  /** Dotted key of the recipe, or "tokenizer", "model", "judge cache". */
  key: string
  from: string
  to: string
  /** Where the run was taken up. */
  stage: StageName
  step: number
}

/** What summary.json holds. */
export interface Summary {
  base?: EvalResults
  sft?: EvalResults
  rl?: EvalResults
  /** By comparison, then by metric (`accuracy`, `korean_thinking_rate`, …). */
  paired_differences: Partial<Record<ComparisonName, Record<string, PairedDifference>>>
  /** The best models that were kept, by stage; absent where the recipe asks for none. */
  best?: Partial<Record<StageName, BestModel>>
  /** What the guards decided, in order; empty when nothing tripped, absent without a grpo stage. */
  guards?: GuardDecision[]
  oracle?: OracleSummary
  /** What was changed over resumes (--accept-changes); absent in a run of one recipe. */
  accepted_changes?: AcceptedChange[]
  wall_s: number
  seed: number
}

/** Answers of several models to one held-out problem, shown side by side at the end. */
export interface Showcase {
  prompt: string
  answer?: string
  completions: { stage: EvalStageName; text: string; correct?: boolean }[]
}

/** What a run tells of its progress. */
export type RunEvent =
  | { type: 'run_start'; config: Recipe }
  | { type: 'stage_start'; stage: StageName; max_steps: number }
  /**
   * What the run is doing between two steps ("generation", "reward", "evaluation" …). Shown on the
   * live line and in heartbeats ("waiting for generation, 12/64"); never written to a file.
   */
  | { type: 'activity'; activity: string; done?: number; total?: number }
  /** An optimizer step is over. `step` counts from 1 within its stage; 0 is the evaluation before it. */
  | { type: 'step'; stage: StageName; step: number; metrics: Metrics }
  | { type: 'completions'; rows: CompletionRow[] }
  | { type: 'eval'; stage: EvalStageName; results: EvalResults }
  /** Something to know; `text` is the message in any language, where it has been translated. */
  | { type: 'note'; level: 'info' | 'warning'; message: string; text?: Phrase }
  | { type: 'stage_end'; stage: StageName; checkpoint?: string }
  | { type: 'run_end'; summary?: Summary; showcase?: Showcase[] }

/** The event that says `text`. */
export function note(level: 'info' | 'warning', text: Phrase): RunEvent {
  return { type: 'note', level, message: String(text), text }
}

/** A reader of the stream. `close` is called once, also after a failed run. */
export interface Consumer {
  handle(event: RunEvent): void
  close?(): void
}

/** Whether a metric is a measurement of time, memory or cost, which two equal runs may differ in. */
export function isTimingKey(key: string): boolean {
  return /^(timing_s\/|perf\/|step_time|judge\/(cache_hits|requests|prompt_tokens|completion_tokens)$)/.test(
    key,
  )
}
