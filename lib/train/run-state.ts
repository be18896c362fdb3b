/** What of a run is kept beside the engine's weights and moments, so that it can be taken up again. */
import type { NarrowingState } from '../algorithms/narrowing.ts'
import type { PlateauState } from '../algorithms/plateau.ts'
import type { MixtureState } from '../data/mixture.ts'
import type { Outcome } from '../eval/evaluate.ts'
import type { EvalStageName, StageName } from '../report/events.ts'
import type { BestStates } from './best.ts'
import type { GuardState } from './guards/decide.ts'
import type { OracleTotals } from './oracle.ts'
import type { SavedRound } from './saved-round.ts'

/** The end of `step` of `stage` (0: its beginning), as long as the engine's weights are those. */
export interface Boundary {
  stage: StageName
  step: number
  num_tokens: number
  mixture: MixtureState
  /** The best models so far. */
  best?: BestStates | undefined
  /** What is known of a plateau of the evaluations (ref_reset_plateau). */
  plateau?: PlateauState | undefined
  /** Averages of pass@1 and pass@k (narrowing). */
  narrowing?: NarrowingState | undefined
  /** What the guards of the grpo stage know. */
  guards?: GuardState | undefined
  /** What the oracle had counted; absent without one. */
  oracle?: OracleTotals | undefined
  /** The next round, where it is sampled already (rollout_mode: one_step_off). */
  pending?: SavedRound | undefined
}

export interface RunState extends Boundary {
  version: 1
  outcomes: [EvalStageName, Outcome[]][]
}

/** A state on disk. */
export interface SavedState extends RunState {
  path: string
}
