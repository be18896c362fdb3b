/** What every stage of a run works with: the model on its engine, its tokenizer, and the reports. Types only. */
import type { Recipe } from '../config/schema.ts'
import type { ChatTemplate } from '../data/chat-template.ts'
import type { Tokenizer } from '../data/tokenizer.ts'
import type { Engine } from '../engine/engine.ts'
import type { KogrpoError } from '../errors.ts'
import type { Outcome } from '../eval/evaluate.ts'
import type { Place } from '../launch/place.ts'
import type { ModelDirectory } from '../model/directory.ts'
import type { EvalStageName } from '../report/events.ts'
import type { Reporter } from '../report/reporter.ts'
import type { OwnReward } from '../rewards/own.ts'
import type { DataLedger } from './data-ledger.ts'
import type { DenseReward } from './dense.ts'
import type { GuardState } from './guards/decide.ts'
import type { Oracle } from './oracle.ts'
import type { Ranks } from './ranks.ts'
import type { BestStates, Boundary, SavedState } from './run-state.ts'
import type { SameRun } from './same-run.ts'

/** Something that all ranks write together, each its part. */
export interface Writing<T> {
  label: string
  /** Writes this rank's part, whose copies are made already. */
  write: () => Promise<T>
  /** On rank 0, when all have: makes one of what each `write` gave, in the order of ranks. */
  publish: (parts: T[]) => Promise<void>
  /** On rank 0, where one has failed. */
  drop?: () => Promise<void>
}

/** What is saved beside the training (save-state.ts): one thing after the other, in the order of the calls. */
export interface Saver {
  /** Waits until what was begun before is there, then begins to write. Call on all ranks. */
  beside<T>(ranks: Ranks, writing: Writing<T>): Promise<void>
  /** Begins to save the session's last boundary and returns its path, null before the first boundary. Call on all ranks. */
  begin(session: Session): Promise<string | null>
  /** Waits until this rank is writing nothing any more. Throws what became of it. */
  settle(): Promise<void>
  /** Whether this rank has written its part of everything that was begun, and the others may not have. */
  readonly ready: boolean
  /** Waits until every rank has, and all of it is there. Call on all ranks. */
  finish(ranks: Ranks): Promise<void>
}

export interface Session {
  config: Recipe
  engine: Engine
  directory: ModelDirectory
  tokenizer: Tokenizer
  template: ChatTemplate
  reporter: Reporter
  /** The processes that train together; this one alone, as a rule. */
  ranks: Ranks
  /** Of `ranks`: several stop together, at a step boundary. */
  signal: AbortSignal
  /** Evaluations made so far. */
  outcomes: Map<EvalStageName, Outcome[]>
  /** The last step boundary whose weights the engine holds; null before the first stage, and
   *  after a resume until its weights are loaded: the state on disk is then still the last. */
  boundary: Boundary | null
  /** The state this run is taken up from, until its stage has begun. */
  resumed: SavedState | null
  /** The best models of the stages so far. */
  best: BestStates
  /** Whether this is the run that was saved. */
  same: SameRun
  /** What the sources held. */
  data: DataLedger
  /** XXH64 of the weights that the run began with, and SHA-256 of tokenizer.json. */
  modelHash: string
  tokenizerHash: string
  saver: Saver
  /** What the guards of the grpo stage know; null before it. */
  guards: GuardState | null
  /** The judge of the grpo stage, opened before anything is trained; null without an oracle. */
  oracle: Oracle | null
  /** Reward functions of the user's own (reward_functions). */
  ownRewards: readonly OwnReward[]
  /** The reward model that rates the tokens of completions; null without `dense_reward`. */
  dense: DenseReward | null
}

/** What a run is connected to. */
export interface RunIo {
  reporter: Reporter
  signal: AbortSignal
  /** Take the run up again from here. */
  resume?: SavedState | undefined
  /** Go on also where recipe, tokenizer or data are not those of the state; it is recorded. */
  acceptChanges?: boolean | undefined
  /** The run stands still and does not end either: what its watchdog says. */
  giveUp?: ((error: KogrpoError) => void) | undefined
  /** This process is one rank of several. */
  place?: Place | undefined
}
