/** Errors of reward models, reranking and sequence-level losses, in Korean. */
import { catalogue } from '../catalogue.ts'

export const rewardModel = catalogue({
  'is of the KL penalty, which beta 0 turns off; set beta':
    'KL 페널티의 키인데, beta가 0이면 페널티가 꺼집니다. beta를 설정하세요',
  'sequence needs kl_estimator: k2, not {estimator}: the difference of whole completions is too large for the exponential of k3, and k1 is the same at both levels':
    'sequence에는 kl_estimator: k2가 필요합니다(지금은 {estimator}). 응답 전체의 차이는 k3의 지수 함수에 너무 크고, k1은 두 단위에서 같습니다',
  "leave_one_out cannot be had with {cause}: the others' mean is no part of a z-score, whose deviation holds the completion itself; set scale_rewards: none, or remove baseline":
    'leave_one_out은 {cause} 설정과 함께 쓸 수 없습니다. 표준 편차에는 그 응답 자신이 들어 있는데 나머지의 평균은 그렇지 않습니다. scale_rewards: none으로 하거나 baseline을 지우세요',
  '{path} is no reward model: config.json has {labels} labels, a reward model has two; make one with kogrpo reward train':
    '{path}: 보상 모델이 아닙니다. config.json의 라벨이 {labels}개인데 보상 모델은 둘입니다. kogrpo reward train으로 만드세요',
  'there is no expert trace to train the reward model on':
    '보상 모델을 학습할 전문가 풀이가 없습니다',
  'there is no sample of the policy to train the reward model on':
    '보상 모델을 학습할 정책의 샘플이 없습니다',
  'the gradient of the reward model is not finite; the weights are those before the step. Lower --learning-rate':
    '보상 모델의 그래디언트가 유한하지 않습니다. 가중치는 이 스텝 이전의 것입니다. --learning-rate를 낮추세요',
  'neither "index" nor "prompt_ids" says which prompt the sample is of; give the output of kogrpo generate --num-generations':
    '"index"도 "prompt_ids"도 없어 어느 프롬프트의 샘플인지 알 수 없습니다. kogrpo generate --num-generations의 출력을 주세요',
  'no "tokens"; give the output of kogrpo generate':
    '"tokens"가 없습니다. kogrpo generate의 출력을 주세요',
  'the prompt has {count} samples, --n asks for {n}; generate with --num-generations {n}, or give a smaller --n':
    '이 프롬프트의 샘플은 {count}개인데 --n은 {n}개입니다. --num-generations {n} 옵션으로 생성하거나 --n을 줄이세요',
  'required: {name}': '필수 옵션: {name}',
  '--negatives: has no effect with --perturbations none; remove it':
    '--negatives: --perturbations none에서는 아무 효과가 없습니다. 지우세요',
  'at least {low}, below {high}': '{low} 이상 {high} 미만',
})
