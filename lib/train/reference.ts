/**
 * The reference model of the KL term: a parameter slot of the engine beside the policy.
 *
 *   fixed         the weights that the stage started from
 *   synchronised  every ref_model_sync_steps: ref ← (1 − α)·ref + α·policy (TRL's SyncRefModelCallback;
 *                 a small α makes it a moving average)
 *   reset         every ref_reset_steps: ref ← policy, and AdamW's moments and step count forgotten
 *                 unless ref_reset_optimizer is off (ProRL, arXiv 2505.24864; kept in its second version)
 *
 * Both count optimizer steps. The slot is part of the saved state, so a resumed run has the very
 * reference, however it came about.
 */
import type { GrpoStage } from '../config/schema.ts'
import type { Session } from './session.ts'

export const REFERENCE_SLOT = 'ref'

/** Makes the reference at the beginning of the stage; a resumed one came with its state. */
export async function beginReference(
  { engine }: Session,
  stage: GrpoStage,
  firstStep: number,
): Promise<void> {
  if (stage.beta !== 0 && firstStep === 1) await engine.updateSlot(REFERENCE_SLOT, 1)
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
    await engine.updateSlot(REFERENCE_SLOT, 1)
    if (stage.ref_reset_optimizer) await engine.resetOptimizer()
  }
}
