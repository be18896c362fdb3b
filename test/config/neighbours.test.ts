/** Combinations of the neighbouring papers' options that are refused, with the reason. */
import { describe, expect, it } from 'vitest'
import { parseRecipe, resolveRecipe } from '../../lib/config/load.ts'

const grpo = (text: string): string => {
  try {
    const { warnings } = parseRecipe(
      `grpo:\n  data: [{path: mini:grpo}]\n${text.replaceAll(/^/gm, '  ')}\n`,
      'r.yaml',
    )
    return `ok ${warnings.join(' ')}`
  } catch (error) {
    return (error as Error).message
  }
}

const SLOW = 'sync_ref_model: true\nref_model_sync_steps: 10\nref_model_mixup_alpha: 0.005'

describe('options of the neighbours', () => {
  it('are off by default, and may be turned on', () => {
    expect(grpo('')).toBe('ok ')
    expect(grpo(`consistency_bonus: {}\n${SLOW}`)).toBe('ok ')
    expect(grpo('critique: {}')).toBe('ok ')
    expect(grpo('cosine_length: {cycle_on: 100, cycle_off: 500}')).toBe('ok ')
    expect(grpo('curriculum: {order: easy_to_hard, drop_zero_pass: true}')).toBe('ok ')
    expect(grpo('beta: 0.1\nref_reset_plateau: {}\neval_steps: 5')).toContain('needs held-out')
  })

  it.each([
    ['consistency_bonus: {}', 'needs a reference that follows the policy slowly'],
    ['consistency_bonus: {}\nsync_ref_model: true', 'the reference is nearly the policy'],
    [`${SLOW}`, 'has no reference model to move'],
    ['ref_reset_plateau: {}\nbeta: 0', 'has no reference model to reset'],
    ['ref_reset_plateau: {}\nbeta: 0.1', 'set eval_steps'],
    ['ref_reset_plateau: {}\nbeta: 0.1\neval_steps: 2\nref_reset_steps: 5', 'keep one of them'],
    ['critique: {}\nrollout_mode: one_step_off', 'by other weights than the group'],
    ['critique: {}\nimportance_sampling_level: sequence', 'token by token'],
    ['critique: {}\nimportance_sampling_correction: token_mask', 'another prompt'],
    ['critique: {}\nloss_type: cispo', 'use dr_grpo'],
    ['critique: {}\nrewards: [{name: format}]', 'add - name: accuracy'],
    ['cosine_length: {max_value_wrong: 0.6}', 'a long wrong answer would earn more'],
    [
      'loss_type: grpo\nmulti_objective_aggregation: normalize_then_sum\ntruncated_reward_coef: 0.5',
      'z-scores',
    ],
    ['critique: {gama: 1}', 'gamma'],
    ['critique: {type: judge}', "the judge's own words"],
    [
      'critique: {type: judge}\noracle: {rule: both, judge: {kind: program, name: mini}}',
      'openai or local',
    ],
    ['dense_reward: {path: m}\nimportance_sampling_level: sequence', 'one ratio a completion'],
    ['dense_reward: {path: m}\ndynamic_sampling: {mode: mask}', 'use off'],
    ['dense_reward: {gamma: 0.5}', 'path'],
  ])('%s is answered', (text, reason) => {
    expect(grpo(text)).toContain(reason)
  })
})

it('a derived reward may be the only one that weighs', () => {
  const rewards = [{ name: 'accuracy' as const, weight: 0 }]
  const data = [{ path: 'mini:grpo' }]
  const load = (more: object) => resolveRecipe({ grpo: { data, rewards, ...more } })
  expect(load({ cosine_length: {} }).grpo!.cosine_length!.weight).toBe(0.5)
  expect(() => load({})).toThrow('every weight is 0')
})
