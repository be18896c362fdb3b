/** Rules of the neighbouring papers' options: what they need, and what they cannot be had with. */
import { type Phrase, phrase } from '../messages/phrase.ts'
import type { Findings } from './findings.ts'
import type { GrpoStage } from './schema.ts'

type Refuse = (key: keyof GrpoStage, message: Phrase) => void

/** Whether the stage holds a reference model. */
export function hasReference(grpo: GrpoStage): boolean {
  return grpo.beta !== 0 || grpo.consistency_bonus !== undefined
}

export function checkNeighbours(grpo: GrpoStage, findings: Findings): void {
  const refuse: Refuse = (key, message) => {
    findings.errors.push({ path: ['grpo', key], message })
  }
  checkPlateau(grpo, refuse)
  checkConsistency(grpo, findings, refuse)
  checkCritique(grpo, refuse)
  checkDense(grpo, refuse)
  const judged = ['cosine_length', 'consistency_bonus', 'critique'] as const
  for (const key of judged) {
    if (grpo[key] !== undefined && !grpo.rewards.some(({ name }) => name === 'accuracy')) {
      refuse(key, phrase('looks at right and wrong answers; add - name: accuracy to grpo.rewards'))
    }
  }
  const normalized = grpo.multi_objective_aggregation === 'normalize_then_sum'
  if (normalized && grpo.truncated_reward_coef !== 1) {
    refuse(
      'truncated_reward_coef',
      phrase(
        'changes single rewards, which normalize_then_sum then makes z-scores of; use sum_then_normalize',
      ),
    )
  }
}

function checkPlateau(grpo: GrpoStage, refuse: Refuse): void {
  if (grpo.ref_reset_plateau === undefined) return
  const key = 'ref_reset_plateau'
  if (grpo.beta === 0) {
    refuse(key, phrase('has no reference model to reset, because beta is 0; set beta'))
  }
  if (grpo.sync_ref_model || grpo.ref_reset_steps !== undefined) {
    refuse(
      key,
      phrase('and sync_ref_model or ref_reset_steps all move the reference; keep one of them'),
    )
  }
  if (grpo.eval_steps === 0) {
    refuse(key, phrase('looks at the evaluations between steps; set eval_steps (and eval)'))
  }
}

/** Faster than this the reference is the policy of a moment ago, which agrees with itself. */
const SLOW_ALPHA = 0.1

function checkConsistency(grpo: GrpoStage, findings: Findings, refuse: Refuse): void {
  if (grpo.consistency_bonus === undefined) return
  if (!grpo.sync_ref_model) {
    refuse(
      'consistency_bonus',
      phrase(
        'needs a reference that follows the policy slowly: sync_ref_model: true, ref_model_sync_steps: 10, ref_model_mixup_alpha: 0.005',
      ),
    )
  } else if (grpo.ref_model_mixup_alpha > SLOW_ALPHA) {
    findings.warnings.push({
      path: ['grpo', 'ref_model_mixup_alpha'],
      message: phrase(
        'with {alpha} the reference is nearly the policy, in whose eyes every answer follows from its reasoning; consistency_bonus wants at most {most} (GRPO-CARE: 0.005)',
        { alpha: grpo.ref_model_mixup_alpha, most: SLOW_ALPHA },
      ),
    })
  }
}

function checkCritique(grpo: GrpoStage, refuse: Refuse): void {
  if (grpo.critique === undefined) return
  const { loss_type, oracle } = grpo
  const speaks =
    oracle.rule !== 'none' && oracle.judge !== undefined && oracle.judge.kind !== 'program'
  if (grpo.critique.type === 'judge' && !speaks) {
    refuse(
      'critique',
      phrase(
        "type: judge gives the judge's own words; name a judge of kind openai or local, and a rule, in grpo.oracle",
      ),
    )
  }
  if (grpo.rollout_mode === 'one_step_off') {
    refuse(
      'critique',
      phrase(
        'cannot be had with rollout_mode: one_step_off: refinements are sampled when the verdicts are known, by other weights than the group',
      ),
    )
  }
  if (grpo.importance_sampling_level === 'sequence') {
    refuse(
      'critique',
      phrase(
        'cannot be had with importance_sampling_level: sequence: refinements are shaped token by token',
      ),
    )
  }
  if (grpo.importance_sampling_correction !== 'none') {
    refuse(
      'critique',
      phrase(
        'cannot be had with importance_sampling_correction: a refinement was sampled from another prompt, its importance weight would be as good as 0',
      ),
    )
  }
  if (loss_type === 'cispo' || loss_type === 'sapo') {
    refuse(
      'critique',
      phrase('cannot be had with loss_type: {loss_type}; use dr_grpo, grpo, dapo or bnpo', {
        loss_type,
      }),
    )
  }
}

function checkDense(grpo: GrpoStage, refuse: Refuse): void {
  if (grpo.dense_reward === undefined) return
  if (grpo.importance_sampling_level === 'sequence') {
    refuse(
      'dense_reward',
      phrase(
        'cannot be had with importance_sampling_level: sequence: one ratio a completion takes the advantages of its tokens together',
      ),
    )
  }
  if (grpo.dynamic_sampling.mode !== 'off') {
    refuse(
      'dense_reward',
      phrase(
        'cannot be had with dynamic_sampling.mode: {mode}: groups of equal rewards are left out, though the tokens of their completions differ; use off',
        { mode: grpo.dynamic_sampling.mode },
      ),
    )
  }
}
