/**
 * Defaults that follow from other keys, written out so that the resolved recipe (--dry-run,
 * config.json) says what is done. Two of them are where TRL's own default works against the loss:
 *
 *   scale_rewards  dr_grpo: none. TRL keeps dividing by the group's standard deviation, which is the
 *                  bias that Dr. GRPO removes (arXiv 2503.20783). The other losses: group, as in TRL
 *   epsilon_high   the clipped losses: epsilon, as in TRL. cispo: 5 (ScaleRL, arXiv 2510.13786). There
 *                  it is the absolute cap of the ratio, and TRL's fallback to epsilon cuts every
 *                  ratio near 1 down to 0.2
 *
 * normalize_then_sum ends with a division by the batch's standard deviation, which is then what
 * scale_rewards says; TRL ignores the key there.
 */
import type { GrpoStage } from './schema.ts'

/** Cap of the ratio in cispo when the recipe gives none. */
const CISPO_CAP = 5

/** `dr_grpo` implies no division by a standard deviation; every other loss keeps TRL's `group`. */
export function defaultScaleRewards(
  lossType: GrpoStage['loss_type'],
): NonNullable<GrpoStage['scale_rewards']> {
  return lossType === 'dr_grpo' ? 'none' : 'group'
}

/** The stage with the defaults that depend on its other keys. */
export function deriveGrpo(stage: GrpoStage): GrpoStage {
  const { loss_type } = stage
  const clips = loss_type !== 'cispo' && loss_type !== 'sapo'
  const epsilon_high =
    stage.epsilon_high ?? (loss_type === 'cispo' ? CISPO_CAP : clips ? stage.epsilon : undefined)
  const scale_rewards =
    stage.multi_objective_aggregation === 'normalize_then_sum'
      ? 'batch'
      : defaultScaleRewards(loss_type)
  return {
    ...stage,
    scale_rewards: stage.scale_rewards ?? scale_rewards,
    ...(epsilon_high === undefined ? {} : { epsilon_high }),
  }
}
