/**
 * The reference model of the KL term: a parameter slot of the engine beside the policy.
 *
 *   fixed         the weights that the stage started from
 *   synchronised  every ref_model_sync_steps: ref ← (1 − α)·ref + α·policy (TRL's SyncRefModelCallback;
 *                 a small α makes it a moving average)
 *   reset         every ref_reset_steps: ref ← policy, and AdamW's moments and step count forgotten
 *                 unless ref_reset_optimizer is off (ProRL, arXiv 2505.24864; kept in its second version)
 *   plateau       the same after ref_reset_plateau.patience evaluations without a gain
 *
 * Steps are optimizer steps. The slot is part of the saved state, so a resumed run has the very
 * reference, however it came about.
 */

import { FRESH_PLATEAU, observePlateau, type PlateauState } from '../algorithms/plateau.ts'
import { hasReference } from '../config/neighbour-rules.ts'
import type { GrpoStage } from '../config/schema.ts'
import type { Engine } from '../engine/engine.ts'
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import type { Metrics } from '../report/events.ts'
import { note } from '../report/events.ts'
import type { Session } from './session.ts'

export const REFERENCE_SLOT = 'ref'

/** Makes the reference at the beginning of the stage; a resumed one came with its state. */
export async function beginReference(
  { engine }: Session,
  stage: GrpoStage,
  firstStep: number,
): Promise<void> {
  if (hasReference(stage) && firstStep === 1) await engine.updateSlot(REFERENCE_SLOT, 1)
}

/** Moves the reference where it is due after optimizer step `step`. */
export async function moveReference(
  { engine }: Session,
  stage: GrpoStage,
  step: number,
): Promise<void> {
  if (stage.sync_ref_model && step % stage.ref_model_sync_steps === 0) {
    await engine.updateSlot(REFERENCE_SLOT, stage.ref_model_mixup_alpha)
  }
  if (stage.ref_reset_steps !== undefined && step % stage.ref_reset_steps === 0) {
    await reset(engine, stage)
  }
}

async function reset(engine: Engine, stage: GrpoStage): Promise<void> {
  await engine.updateSlot(REFERENCE_SLOT, 1)
  if (stage.ref_reset_optimizer) await engine.resetOptimizer()
}

/**
 * Takes in an evaluation after `step`, and resets the reference where the metric has reached a plateau.
 * Returns the state for the next one. Throws `E_CONFIG` where the evaluation has no such metric.
 */
export async function resetOnPlateau(
  { engine, reporter }: Session,
  stage: GrpoStage,
  step: number,
  evaluated: Metrics,
  state: PlateauState = FRESH_PLATEAU,
): Promise<PlateauState> {
  const { ref_reset_plateau: options } = stage
  if (!options) return state
  const value = evaluated[options.metric]
  if (typeof value !== 'number') {
    throw new KogrpoError(
      'E_CONFIG',
      phrase('grpo.ref_reset_plateau.metric: the evaluation has no "{metric}"; it has {has}', {
        metric: options.metric,
        has: Object.keys(evaluated).join(', ') || '–',
      }),
    )
  }
  const seen = observePlateau(state, value, options)
  if (seen.reset) {
    await reset(engine, stage)
    const said = { step, metric: options.metric, patience: options.patience }
    reporter.emit(
      note(
        'info',
        stage.ref_reset_optimizer
          ? phrase(
              "step {step}: {metric} has not risen for {patience} evaluations; the reference model is now the policy, AdamW's moments are forgotten",
              said,
            )
          : phrase(
              'step {step}: {metric} has not risen for {patience} evaluations; the reference model is now the policy',
              said,
            ),
      ),
    )
  }
  return seen.state
}
