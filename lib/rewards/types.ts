/**
 * What a reward function sees and returns. A reward function rates every completion of a batch with
 * one finite number, or `null` for "not applicable" (that sample is then left out of this reward's
 * group baseline, see lib/algorithms/advantages.ts). Each is made by a factory from recipe options.
 */

import type { CodeRunner } from './kinds/types.ts'

/** A chat message as reward functions need it; wider message types are assignable to it. */
export interface ChatMessage {
  role: string
  content?: unknown
}

/** One batch of completions; every array has one entry a sample. */
export interface RewardInput {
  prompts: ChatMessage[][]
  /** Text after the generation prompt, special tokens removed, think tags kept. */
  completions: string[]
  completionIds: Int32Array[]
  /** True where the completion hit the length limit instead of a stop token. */
  truncated: boolean[]
  /** Dataset columns, e.g. `answer`. */
  columns: Record<string, unknown[]>
}

export type RewardValues = (number | null)[]

export type RewardFunction = (input: RewardInput) => Promise<RewardValues> | RewardValues

/** A reward function with its name in logs and errors, and its weight in the total. */
export interface NamedReward {
  name: string
  weight: number
  reward: RewardFunction
}

/** What a stage tells the rewards that depend on it. */
export interface RewardContext {
  /** The stage's limit, in tokens. */
  max_completion_length: number
  /** Makes what runs code for accuracy kind `code`; without it that kind is refused. */
  code_runner?: (() => CodeRunner) | undefined
}
