/**
 * What of a run is kept beside the engine's weights and moments, so that it can be taken up again:
 * state.json of a saved state. It describes itself: versions, the whole recipe, what the data and the
 * tokenizer were, where every source stands. Random numbers need no state: they are functions of the
 * seed, the number of the sequence and the position.
 */
import * as z from 'zod'
import type { NarrowingState } from '../algorithms/narrowing.ts'
import type { PlateauState } from '../algorithms/plateau.ts'
import type { Recipe } from '../config/schema.ts'
import type { MixtureState } from '../data/mixture.ts'
import type { Outcome } from '../eval/evaluate.ts'
import type { AcceptedChange, BestModel, EvalStageName, StageName } from '../report/events.ts'
import type { CachePosition } from '../rewards/judge/types.ts'
import type { GuardState } from './guards/decide.ts'
import type { OracleState } from './oracle.ts'
import type { SavedRound } from './saved-round.ts'

export const STATE_VERSION = 2

/** What a saved state says of the best model of one stage. */
export interface BestState {
  kept?: BestModel
  /** A step whose evaluation was stopped half way: it is made up for when the run is taken up. */
  missed?: number
  /** The engine holds the kept weights: the stage is over. */
  loaded?: true
}

/** By stage. */
export type BestStates = Partial<Record<StageName, BestState>>

/** The end of `step` of `stage` (0: its beginning), as long as the engine's weights are those. */
export interface Boundary {
  stage: StageName
  step: number
  num_tokens: number
  mixture: MixtureState
  /** Steps in a row that were skipped because something was not finite. */
  skipped?: number | undefined
  /** The best models so far. */
  best?: BestStates | undefined
  /** What is known of a plateau of the evaluations (ref_reset_plateau). */
  plateau?: PlateauState | undefined
  /** Averages of pass@1 and pass@k (narrowing). */
  narrowing?: NarrowingState | undefined
  /** What the guards of the grpo stage know. */
  guards?: GuardState | undefined
  /** What the oracle had counted; absent without one. */
  oracle?: OracleState | undefined
  /** The next round, where it is sampled already (rollout_mode: one_step_off). */
  pending?: SavedRound | undefined
}

/** What a source held when it was read. */
export interface DataRecord {
  path: string
  records: number
  /** Of the records as JSON, in their order. */
  sha256: string
}

export interface RunState extends Boundary {
  version: typeof STATE_VERSION
  /** Of the program that wrote it. */
  versions: { kogrpo: string; node: string }
  config: Recipe
  /** XXH64 of the weights that the run began with. */
  model: string
  /** SHA-256 of tokenizer.json. */
  tokenizer: string
  /** XXH64 of the reward model's weights (dense_reward); absent without one. */
  dense_reward?: string | undefined
  /** SHA-256 of the files of reward_functions, by their names; absent without any. */
  reward_functions?: Record<string, string> | undefined
  /** By the key of the recipe that names the source, such as "sft.data[0]". */
  data: Record<string, DataRecord>
  random: { generator: string; seed: number }
  /** How far the judge's cache reached; absent without one. */
  judge_cache?: CachePosition | undefined
  /** What differed at earlier resumes and was accepted. */
  changes: AcceptedChange[]
  outcomes: [EvalStageName, Outcome[]][]
}

/** A state on disk, verified. */
export interface SavedState extends RunState {
  path: string
  /** States that were newer but damaged, and why: what `auto` passed over. */
  passed?: string[]
}

/** The parts whose absence would go unnoticed until far into a resumed run. */
const shape = z.looseObject({
  stage: z.enum(['pretrain', 'sft', 'grpo']),
  step: z.int().min(0),
  num_tokens: z.number().min(0),
  mixture: z.looseObject({ position: z.int().min(0), sources: z.array(z.looseObject({})) }),
  config: z.looseObject({ seed: z.number(), output_dir: z.string() }),
  tokenizer: z.string(),
  data: z.record(z.string(), z.looseObject({ sha256: z.string() })),
  changes: z.array(z.looseObject({ key: z.string() })),
  outcomes: z.array(z.tuple([z.enum(['base', 'sft', 'rl']), z.array(z.unknown())])),
})

/** Reads the text of a state.json. Throws what is wrong with it, without naming the file. */
export function parseRunState(text: string): RunState {
  const value = JSON.parse(text) as { version?: unknown }
  if (value.version !== STATE_VERSION) {
    throw new Error(
      `it is of version ${JSON.stringify(value.version)}, this program reads version ${STATE_VERSION}; finish the run with the program that saved it, or start it again`,
    )
  }
  const { error } = shape.safeParse(value)
  if (error) throw new Error(z.prettifyError(error).replaceAll(/\s*\n\s*/g, ' '))
  return value as RunState
}
