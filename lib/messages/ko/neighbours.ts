/** What is wrong with the options that come from the neighbouring papers, in Korean. */
import { catalogue } from '../catalogue.ts'

export const neighbours = catalogue({
  'looks at right and wrong answers; add - name: accuracy to grpo.rewards':
    '맞은 답과 틀린 답을 봅니다. grpo.rewards에 - name: accuracy를 더하세요',
  'changes single rewards, which normalize_then_sum then makes z-scores of; use sum_then_normalize':
    '보상 하나하나를 바꾸는데 normalize_then_sum은 그것을 z 점수로 만듭니다. sum_then_normalize를 쓰세요',
  'has no reference model to reset, because beta is 0; set beta':
    'beta가 0이어서 되돌릴 참조 모델이 없습니다. beta를 정하세요',
  'and sync_ref_model or ref_reset_steps all move the reference; keep one of them':
    '이 키와 sync_ref_model, ref_reset_steps는 모두 참조 모델을 옮깁니다. 하나만 남기세요',
  'looks at the evaluations between steps; set eval_steps (and eval)':
    '스텝 사이의 평가를 봅니다. eval_steps와 eval을 정하세요',
  'needs ref_reset_steps or ref_reset_plateau': 'ref_reset_steps나 ref_reset_plateau가 필요합니다',
  'needs a reference that follows the policy slowly: sync_ref_model: true, ref_model_sync_steps: 10, ref_model_mixup_alpha: 0.005':
    '정책을 천천히 따라가는 참조 모델이 필요합니다: sync_ref_model: true, ref_model_sync_steps: 10, ref_model_mixup_alpha: 0.005',
  'with {alpha} the reference is nearly the policy, in whose eyes every answer follows from its reasoning; consistency_bonus wants at most {most} (GRPO-CARE: 0.005)':
    '{alpha} 값에서는 참조 모델이 정책과 거의 같아서 모든 답이 추론에서 나온 것으로 보입니다. consistency_bonus에는 {most} 이하가 알맞습니다 (GRPO-CARE: 0.005)',
  'cannot be had with rollout_mode: one_step_off: refinements are sampled when the verdicts are known, by other weights than the group':
    'rollout_mode: one_step_off와 함께 쓸 수 없습니다. 고쳐 쓴 풀이는 판정이 나온 뒤에 그룹과 다른 가중치에서 나옵니다',
  'cannot be had with importance_sampling_level: sequence: refinements are shaped token by token':
    'importance_sampling_level: sequence와 함께 쓸 수 없습니다. 고쳐 쓴 풀이는 토큰마다 가중됩니다',
  'cannot be had with importance_sampling_correction: a refinement was sampled from another prompt, its importance weight would be as good as 0':
    'importance_sampling_correction과 함께 쓸 수 없습니다. 고쳐 쓴 풀이는 다른 프롬프트에서 나왔으므로 중요도 가중치가 거의 0이 됩니다',
  'cannot be had with loss_type: {loss_type}; use dr_grpo, grpo, dapo or bnpo':
    'loss_type: {loss_type} 값과 함께 쓸 수 없습니다. dr_grpo, grpo, dapo, bnpo 중 하나를 쓰세요',
  'cannot be had with importance_sampling_level: sequence: one ratio a completion takes the advantages of its tokens together':
    'importance_sampling_level: sequence와 함께 쓸 수 없습니다. 응답에 비율이 하나뿐이어서 토큰마다 다른 어드밴티지가 하나로 합쳐집니다',
  'cannot be had with dynamic_sampling.mode: {mode}: groups of equal rewards are left out, though the tokens of their completions differ; use off':
    'dynamic_sampling.mode: {mode} 값과 함께 쓸 수 없습니다. 보상이 같은 그룹은 빠지는데 그 토큰들의 보상은 서로 다릅니다. off를 쓰세요',
  "grpo.dense_reward.path: {file} is not the policy's tokenizer; train the reward model from a model with the same tokens":
    'grpo.dense_reward.path: {file} 파일이 정책의 토크나이저와 다릅니다. 같은 토큰을 쓰는 모델에서 보상 모델을 학습하세요',
  "type: judge gives the judge's own words; name a judge of kind openai or local, and a rule, in grpo.oracle":
    'type: judge는 심판의 말을 그대로 전합니다. grpo.oracle에 openai나 local 심판과 rule을 정하세요',
  'grpo.critique: {judge} has no words; use an openai or a local judge':
    'grpo.critique: {judge} 심판은 말을 하지 않습니다. openai나 local 심판을 쓰세요',
  'a bidirectional model (is_causal: false) sees the token it is to predict; train it with masked_diffusion':
    '양방향 모델(is_causal: false)은 예측할 토큰을 이미 봅니다. masked_diffusion으로 학습하세요',
  'masked_diffusion is for bidirectional models (config.json: is_causal false), not for Qwen3; leave it out':
    'masked_diffusion은 양방향 모델(config.json: is_causal false)을 위한 것이며 Qwen3에는 쓸 수 없습니다. 빼세요',
  'masked_diffusion.mask_token: the tokenizer has no token "{mask_token}"':
    'masked_diffusion.mask_token: 토크나이저에 "{mask_token}" 토큰이 없습니다',
})
