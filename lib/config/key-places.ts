/**
 * Where a key that stands in the wrong place belongs: one of this schema's own keys in another section, or a
 * name of TRL, transformers or verl for what is called otherwise here. docs/guides/coming-from-trl.md is the
 * same for readers.
 */
import type { Phrase } from '../messages/phrase.ts'
import { phrase } from '../messages/phrase.ts'
import { describeKeys } from './keys.ts'
import { nearest } from './nearest.ts'

/** By the other program's name; of a verl key its last part. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  adv_estimator: 'grpo.loss_type',
  bf16: 'model.dtype',
  chat_template_kwargs: 'grpo.enable_thinking',
  clip_ratio: 'grpo.epsilon',
  clip_ratio_c: 'grpo.delta',
  clip_ratio_high: 'grpo.epsilon_high',
  clip_ratio_low: 'grpo.epsilon',
  custom_reward_function: 'grpo.reward_functions',
  dataset_name: 'data',
  dataset_text_field: 'data.N.columns.text',
  eval_dataset: 'eval.data',
  eval_strategy: 'eval_steps',
  filter_groups: 'grpo.dynamic_sampling',
  fp16: 'model.dtype',
  generation_batch_size: 'grpo.gradient_accumulation_steps',
  kl_coef: 'grpo.beta',
  kl_loss_coef: 'grpo.beta',
  kl_loss_type: 'grpo.kl_estimator',
  log_completions: 'logging.completions',
  logging_steps: 'logging.steps',
  lora_r: 'lora.r',
  lora_target_modules: 'lora.target_modules',
  loss_agg_mode: 'grpo.loss_type',
  lr: 'learning_rate',
  max_response_length: 'grpo.max_completion_length',
  model_name_or_path: 'model.path',
  norm_adv_by_std_in_grpo: 'grpo.scale_rewards',
  ppo_epochs: 'grpo.num_iterations',
  report_to: 'logging.tensorboard',
  resume_from_checkpoint: '--resume',
  reward_funcs: 'grpo.rewards',
  reward_weights: 'grpo.rewards.N.weight',
  rollout_n: 'grpo.num_generations',
  save_freq: 'save_steps',
  steps_per_generation: 'grpo.gradient_accumulation_steps',
  test_freq: 'eval_steps',
  torch_dtype: 'model.dtype',
  total_epochs: 'num_train_epochs',
  total_training_steps: 'max_steps',
  train_batch_size: 'per_device_train_batch_size',
  train_files: 'data',
  use_kl_loss: 'grpo.beta',
  use_liger_kernel: 'model.lm_head_chunk',
  use_peft: 'lora',
}

/** More places than this say nothing. */
const MOST_PLACES = 3

/** The dotted keys that somebody who wrote `name` may have meant, other than by a slip of the finger. */
export function placesOf(name: string): string[] {
  if (Object.hasOwn(ELSEWHERE, name)) return [ELSEWHERE[name]!]
  const own = describeKeys()
    .map(({ key }) => key)
    .filter(key => key === name || (key.endsWith(`.${name}`) && !key.includes('.N.')))
  return own.length <= MOST_PLACES ? own : []
}

/**
 * `; did you mean "…"?` about an unknown key: the place that it belongs to, else the nearest of the `known`
 * keys; the empty string when there is neither. `prefix` goes before a known key, `dashes` before a place.
 */
export function keyHint(
  name: string,
  known: readonly string[],
  prefix = '',
  dashes = '',
): Phrase | '' {
  const places = placesOf(name).map(place => (place.startsWith('-') ? place : dashes + place))
  const near = nearest(name, known)
  const found = places.length > 0 ? places : near === undefined ? [] : [prefix + near]
  return found.length === 0 ? '' : phrase('; did you mean "{word}"?', { word: found.join('", "') })
}
