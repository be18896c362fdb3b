/**
 * Rules between the keys of the loss and the reference model: what contradicts itself is refused with
 * the reason, and so is an option that would silently have no effect.
 */

import { type Phrase, phrase } from '../messages/phrase.ts'
import type { Findings } from './findings.ts'
import { isChosen } from './keys.ts'
import { checkNeighbours, hasReference } from './neighbour-rules.ts'
import type { GrpoStage } from './schema.ts'

type Key = keyof GrpoStage
type Refuse = (key: Key, message: Phrase) => void

/** Keys that mean something only beside another, and what to do about it. */
function idleKeys(grpo: GrpoStage): [key: Key, idle: boolean, why: Phrase][] {
  const { loss_type, beta, sync_ref_model, ref_reset_steps } = grpo
  const uncorrected = grpo.importance_sampling_correction === 'none'
  const soft = loss_type === 'cispo' || loss_type === 'sapo'
  return [
    [
      'delta',
      soft,
      phrase('has no effect with loss_type {loss_type}, which does not clip; remove it', {
        loss_type,
      }),
    ],
    ['sapo_temperature_pos', loss_type !== 'sapo', phrase('is of loss_type: sapo only; remove it')],
    ['sapo_temperature_neg', loss_type !== 'sapo', phrase('is of loss_type: sapo only; remove it')],
    ['epsilon_high', loss_type === 'sapo', phrase('has no effect with loss_type sapo; remove it')],
    [
      'kl_estimator',
      beta === 0,
      phrase('estimates the KL penalty, which beta 0 turns off; set beta'),
    ],
    ['kl_level', beta === 0, phrase('is of the KL penalty, which beta 0 turns off; set beta')],
    ['ref_model_sync_steps', !sync_ref_model, phrase('needs sync_ref_model: true')],
    ['ref_model_mixup_alpha', !sync_ref_model, phrase('needs sync_ref_model: true')],
    [
      'ref_reset_optimizer',
      ref_reset_steps === undefined && grpo.ref_reset_plateau === undefined,
      phrase('needs ref_reset_steps or ref_reset_plateau'),
    ],
    ['importance_sampling_clip_max', uncorrected, phrase('needs importance_sampling_correction')],
    ['importance_sampling_clip_min', uncorrected, phrase('needs importance_sampling_correction')],
  ]
}

/** Adds what is wrong with the loss of `grpo` (resolved); `written` tells which keys the user gave. */
export function checkLoss(grpo: GrpoStage, written: Partial<GrpoStage>, findings: Findings): void {
  const refuse: Refuse = (key, message) => {
    findings.errors.push({ path: ['grpo', key], message })
  }
  for (const [key, idle, why] of idleKeys(grpo)) {
    if (idle && isChosen(['grpo', key], written[key])) refuse(key, why)
  }
  checkScaling(grpo, written, findings)
  checkRatio(grpo, findings)
  checkReference(grpo, findings, refuse)
  checkSampling(grpo, refuse)
  checkDynamicSampling(grpo, written, findings)
  checkNeighbours(grpo, findings)
}

function checkScaling(grpo: GrpoStage, written: Partial<GrpoStage>, findings: Findings): void {
  const together = grpo.multi_objective_aggregation === 'normalize_then_sum'
  if (grpo.baseline === 'leave_one_out' && (together || grpo.scale_rewards !== 'none')) {
    const cause = together
      ? 'multi_objective_aggregation: normalize_then_sum'
      : `scale_rewards: ${grpo.scale_rewards}`
    findings.errors.push({
      path: ['grpo', 'baseline'],
      message: phrase(
        "leave_one_out cannot be had with {cause}: the others' mean is no part of a z-score, whose deviation holds the completion itself; set scale_rewards: none, or remove baseline",
        { cause },
      ),
    })
  }
  if (together && grpo.scale_rewards !== 'batch') {
    findings.errors.push({
      path: ['grpo', 'scale_rewards'],
      message: phrase(
        '"{scale_rewards}" cannot be had with multi_objective_aggregation: normalize_then_sum, which divides each reward by its standard deviation in the group and the sum by that of the batch; remove scale_rewards',
        { scale_rewards: String(grpo.scale_rewards) },
      ),
    })
  }
  if (grpo.loss_type !== 'dr_grpo' || grpo.scale_rewards === 'none') return
  const key = together ? 'multi_objective_aggregation' : 'scale_rewards'
  const path = ['grpo', key]
  const why = phrase(
    'Dr. GRPO does not divide advantages by a standard deviation (that is the bias it removes)',
  )
  if (written.loss_type === undefined) {
    findings.errors.push({
      path,
      message: phrase(
        '{why}, but {key} is "{value}"; use {key}: {other}, or loss_type: grpo. To mix the two on purpose, write loss_type: dr_grpo beside it',
        { why, key, value: String(grpo[key]), other: together ? 'sum_then_normalize' : 'none' },
      ),
    })
  } else {
    findings.warnings.push({
      path,
      message: phrase('{why}; with {key} "{value}" this run is not Dr. GRPO', {
        why,
        key,
        value: String(grpo[key]),
      }),
    })
  }
}

function checkRatio(grpo: GrpoStage, findings: Findings): void {
  const { loss_type, delta } = grpo
  const high = grpo.epsilon_high ?? grpo.epsilon
  if (loss_type === 'cispo' && high <= 1) {
    findings.errors.push({
      path: ['grpo', 'epsilon_high'],
      message: phrase(
        'expected more than 1, got {high}: with cispo it is the absolute cap of the ratio, and the ratio of fresh samples is 1; leave it out for 5',
        { high },
      ),
    })
  }
  if (delta !== undefined && delta <= 1 + high) {
    findings.errors.push({
      path: ['grpo', 'delta'],
      message: phrase(
        'expected more than 1 + epsilon_high = {least}, got {delta}: it bounds the ratio beyond the clip range',
        { least: 1 + high, delta },
      ),
    })
  }
  if (
    grpo.importance_sampling_level === 'sequence' &&
    loss_type !== 'grpo' &&
    loss_type !== 'sapo'
  ) {
    findings.warnings.push({
      path: ['grpo', 'importance_sampling_level'],
      message: phrase(
        'with loss_type {loss_type} every token of a completion carries the ratio of the whole, so long completions weigh more; GSPO is loss_type: grpo',
        { loss_type },
      ),
    })
  }
}

function checkReference(grpo: GrpoStage, findings: Findings, refuse: Refuse): void {
  const { beta, sync_ref_model, ref_model_sync_steps, ref_reset_steps, max_steps } = grpo
  if (beta !== 0 && grpo.kl_estimator === 'k1') {
    findings.warnings.push({
      path: ['grpo', 'kl_estimator'],
      message: phrase(
        'the gradient of k1 is 0 on average over samples, so as a loss it adds noise and holds nothing back; k2 has the gradient of the divergence',
      ),
    })
  }
  if (grpo.kl_level === 'sequence' && beta !== 0 && grpo.kl_estimator !== 'k2') {
    refuse(
      'kl_level',
      phrase(
        'sequence needs kl_estimator: k2, not {estimator}: the difference of whole completions is too large for the exponential of k3, and k1 is the same at both levels',
        { estimator: grpo.kl_estimator },
      ),
    )
  }
  if (sync_ref_model && ref_reset_steps !== undefined) {
    refuse(
      'ref_reset_steps',
      phrase(
        'and sync_ref_model both move the reference model; keep one of them (a reset is a synchronisation with ref_model_mixup_alpha: 1)',
      ),
    )
  }
  for (const [key, active, steps] of [
    ['sync_ref_model', sync_ref_model, ref_model_sync_steps],
    ['ref_reset_steps', ref_reset_steps !== undefined, ref_reset_steps ?? 0],
  ] as const) {
    if (!active) continue
    if (!hasReference(grpo)) {
      refuse(
        key,
        phrase('has no reference model to move, because beta is 0; set beta, or remove it'),
      )
    } else if (max_steps !== undefined && steps >= max_steps) {
      refuse(
        key === 'sync_ref_model' ? 'ref_model_sync_steps' : key,
        phrase(
          'expected less than max_steps {max_steps}, got {steps}: the reference model would never move',
          { max_steps, steps },
        ),
      )
    }
  }
}

/** Whatever bends the sampling distribution away from the trained one has to be corrected for. */
function checkSampling(grpo: GrpoStage, refuse: Refuse): void {
  const { temperature, importance_sampling_clip_max: max, importance_sampling_clip_min: min } = grpo
  if (min !== undefined && min >= max) {
    refuse(
      'importance_sampling_clip_min',
      phrase('expected less than importance_sampling_clip_max {max}, got {min}', { max, min }),
    )
  }
  if (grpo.importance_sampling_correction !== 'none') return
  const bent: [Key, boolean][] = [
    ['top_k', grpo.top_k > 0],
    ['top_p', grpo.top_p < 1],
    ['min_p', grpo.min_p > 0],
    ['sampling_temperature', (grpo.sampling_temperature ?? temperature) !== temperature],
  ]
  for (const [key, bends] of bent) {
    if (!bends) continue
    refuse(
      key,
      phrase(
        '{value} samples from another distribution than the one that is trained, which biases the probability ratio and the gradient; remove it, or set importance_sampling_correction (e.g. token_truncate)',
        { value: String(grpo[key]) },
      ),
    )
  }
}

function checkDynamicSampling(
  grpo: GrpoStage,
  written: Partial<GrpoStage>,
  findings: Findings,
): void {
  const { mode, metric } = grpo.dynamic_sampling
  const refuse = (key: string, message: Phrase): void => {
    findings.errors.push({ path: ['grpo', 'dynamic_sampling', key], message })
  }
  const chosen = (key: 'max_rounds' | 'metric'): boolean =>
    isChosen(['grpo', 'dynamic_sampling', key], written.dynamic_sampling?.[key])
  if (mode !== 'resample' && chosen('max_rounds'))
    refuse('max_rounds', phrase('needs mode: resample'))
  if (mode === 'off' && chosen('metric')) refuse('metric', phrase('needs mode: mask or resample'))
  const all = [...grpo.rewards, ...(grpo.reward_functions ?? [])]
  const names = ['reward', ...all.map(({ name }) => name)]
  if (!names.includes(metric)) {
    refuse(
      'metric',
      phrase('expected one of {names}, got "{metric}"', { names: names.join(', '), metric }),
    )
  }
}
