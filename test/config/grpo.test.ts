/** Defaults of the stage grpo that follow from other keys, and the rules between its keys. */
import { describe, expect, test } from 'vitest'
import { parseRecipe } from '../../lib/config/load.ts'
import type { GrpoStage } from '../../lib/config/schema.ts'
import { KogrpoError } from '../../lib/errors.ts'

const text = (lines: string): string => `grpo: {data: [{path: mini:grpo}], ${lines}}`
const parse = (lines: string): { grpo: GrpoStage; warnings: string[] } => {
  const { recipe, warnings } = parseRecipe(text(lines), 'r.yaml')
  return { grpo: recipe.grpo!, warnings }
}

function failure(lines: string): string {
  try {
    parse(lines)
  } catch (error) {
    expect(error).toBeInstanceOf(KogrpoError)
    return (error as Error).message
  }
  throw new Error(`${lines} was accepted`)
}

describe('the resolved recipe says what TRL would do silently', () => {
  test.each([
    ['', 'none', 0.2],
    ['loss_type: grpo, epsilon: 0.1', 'group', 0.1],
    ['loss_type: dapo, epsilon_high: 0.28', 'group', 0.28],
    ['loss_type: cispo', 'group', 5],
    ['loss_type: cispo, epsilon_high: 3, scale_rewards: batch', 'batch', 3],
    ['loss_type: sapo', 'group', undefined],
    ['loss_type: grpo, multi_objective_aggregation: normalize_then_sum', 'batch', 0.2],
  ])('%s', (lines, scale, high) => {
    const { grpo } = parse(lines)
    expect(grpo.scale_rewards).toBe(scale)
    expect(grpo.epsilon_high).toBe(high)
    // What is resolved is a recipe of the same meaning, without complaints.
    const again = parseRecipe(JSON.stringify({ grpo }), 'config.json')
    expect(again.recipe.grpo).toEqual(grpo)
    expect(again.warnings).toEqual([])
  })
})

describe('what contradicts itself is refused, with the key and the reason', () => {
  test.each([
    ['loss_type: cispo, epsilon_high: 0.2', 'grpo.epsilon_high: expected more than 1, got 0.2'],
    ['loss_type: cispo, delta: 9', 'grpo.delta: has no effect with loss_type cispo'],
    ['loss_type: sapo, epsilon_high: 0.3', 'grpo.epsilon_high: has no effect with loss_type sapo'],
    ['sapo_temperature_pos: 2', 'grpo.sapo_temperature_pos: is of loss_type: sapo only'],
    ['sapo_temperature_neg: 2', 'grpo.sapo_temperature_neg: is of loss_type: sapo only'],
    ['kl_estimator: k2', 'grpo.kl_estimator: estimates the KL penalty, which beta 0 turns off'],
    ['sync_ref_model: true', 'grpo.sync_ref_model: has no reference model to move'],
    ['ref_reset_steps: 5', 'grpo.ref_reset_steps: has no reference model to move'],
    ['beta: 0.1, ref_model_sync_steps: 5', 'grpo.ref_model_sync_steps: needs sync_ref_model: true'],
    [
      'beta: 0.1, ref_model_mixup_alpha: 0.5',
      'grpo.ref_model_mixup_alpha: needs sync_ref_model: true',
    ],
    ['beta: 0.1, ref_reset_optimizer: false', 'grpo.ref_reset_optimizer: needs ref_reset_steps'],
    [
      'beta: 0.1, sync_ref_model: true, ref_reset_steps: 4',
      'grpo.ref_reset_steps: and sync_ref_model both move the reference model',
    ],
    [
      'beta: 0.1, sync_ref_model: true, max_steps: 100',
      'grpo.ref_model_sync_steps: expected less than max_steps 100, got 512: the reference model would never move',
    ],
    [
      'beta: 0.1, ref_reset_steps: 100, max_steps: 100',
      'grpo.ref_reset_steps: expected less than max_steps 100',
    ],
    [
      'multi_objective_aggregation: normalize_then_sum',
      'grpo.multi_objective_aggregation: Dr. GRPO does not divide advantages by a standard deviation',
    ],
    [
      'loss_type: grpo, multi_objective_aggregation: normalize_then_sum, scale_rewards: group',
      'grpo.scale_rewards: "group" cannot be had with multi_objective_aggregation',
    ],
    ['top_k: 20', 'grpo.top_k: 20 samples from another distribution than the one that is trained'],
    ['top_p: 0.9', 'grpo.top_p: 0.9 samples from another distribution'],
    ['min_p: 0.1', 'which biases the probability ratio and the gradient; remove it, or set'],
    ['sampling_temperature: 0.7', 'grpo.sampling_temperature: 0.7 samples from another'],
    [
      'importance_sampling_clip_max: 2',
      'grpo.importance_sampling_clip_max: needs importance_sampling_correction',
    ],
    [
      'importance_sampling_clip_min: 0.5',
      'grpo.importance_sampling_clip_min: needs importance_sampling_correction',
    ],
    [
      'importance_sampling_correction: token_mask, importance_sampling_clip_min: 3',
      'grpo.importance_sampling_clip_min: expected less than importance_sampling_clip_max 3, got 3',
    ],
    [
      'dynamic_sampling: {mode: mask, max_rounds: 3}',
      'grpo.dynamic_sampling.max_rounds: needs mode: resample',
    ],
    [
      'dynamic_sampling: {metric: accuracy}',
      'grpo.dynamic_sampling.metric: needs mode: mask or resample',
    ],
    [
      'rewards: [{name: format}], dynamic_sampling: {mode: mask, metric: accuracy}',
      'grpo.dynamic_sampling.metric: expected one of reward, format, got "accuracy"',
    ],
    ['top_entropy_quantile: 0', 'grpo.top_entropy_quantile: expected more than 0, got 0'],
    ['entropy_coef: -1', 'grpo.entropy_coef: expected at least 0, got -1'],
  ])('%s', (lines, message) => {
    expect(failure(lines)).toContain(message)
  })

  test.each([
    'top_k: 20, top_p: 0.9, min_p: 0.05, importance_sampling_correction: token_truncate',
    'sampling_temperature: 0.7, importance_sampling_correction: sequence_mask',
    'temperature: 0.7, sampling_temperature: 0.7',
    'dynamic_sampling: {mode: resample, max_rounds: 5, metric: accuracy}',
    'loss_type: grpo, multi_objective_aggregation: normalize_then_sum',
  ])('%s is allowed', lines => {
    expect(parse(lines).warnings).toEqual([])
  })

  test('k1 as a penalty is allowed and remarked on', () => {
    const warnings = parse('beta: 0.1, kl_estimator: k1').warnings.join()
    expect(warnings).toContain('grpo.kl_estimator: the gradient of k1 is 0 on average')
    expect(parse('beta: 0.1, kl_estimator: k2').warnings).toEqual([])
  })

  test('a sequence-level ratio in a token-summed loss is allowed and remarked on', () => {
    const lines = 'importance_sampling_level: sequence'
    expect(parse(lines).warnings.join()).toContain('GSPO is loss_type: grpo')
    expect(parse(`${lines}, loss_type: grpo`).warnings).toEqual([])
  })
})
