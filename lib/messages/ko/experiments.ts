/** What the neighbouring papers claim, and the gates of their experiments, in Korean. */
import { catalogue } from '../catalogue.ts'

export const experiments = catalogue({
  'there is no experiment "{name}"; there are {names}':
    '"{name}": 그런 실험이 없습니다. 있는 것: {names}',
  'RL alone teaches a model nothing that it never gets right; a short SFT first makes it work':
    'RL만으로는 모델이 한 번도 맞히지 못하는 것을 가르치지 못하며, 짧은 SFT를 먼저 하면 됩니다',
  'RL alone ≤ 0.02 with dead groups ≥ 0.99 at its start; SFT then RL ≥ 0.95':
    'RL만: ≤ 0.02, 시작할 때 죽은 그룹 ≥ 0.99. SFT 뒤 RL: ≥ 0.95',
  'a fixed reference holds training back; resetting it lets training go on':
    '고정된 참조 모델은 학습을 붙잡아 두며, 참조 모델을 다시 맞추면 학습이 이어집니다',
  'accuracy with a reset every 40 steps ≥ 0.9, with a fixed reference ≤ 0.6; KL exactly 0 after each reset':
    '정확도: 40스텝마다 다시 맞추면 ≥ 0.9, 참조 모델이 고정되면 ≤ 0.6. 다시 맞춘 직후의 KL은 정확히 0',
  'a consistency bonus under a slow reference makes answers follow from their reasoning, at no cost in accuracy':
    '느린 참조 모델의 일관성 보너스를 주면 정확도를 잃지 않고 답이 추론을 따릅니다',
  'consistency with the EMA reference ≥ 0.9, outcome only ≤ 0.5, reference = policy ≤ 0.6; accuracy within 0.03 of outcome only':
    '일관성: EMA 참조 모델로 ≥ 0.9, 결과 보상만으로 ≤ 0.5, 참조 모델이 정책이면 ≤ 0.6. 정확도는 결과 보상만일 때와 0.03 이내',
  'refinements after a critique, shaped by p/(p + γ), teach what plain GRPO fails at':
    '비평 뒤에 고쳐 쓴 응답을 p/(p + γ)로 다듬어 배우면 보통의 GRPO가 못 배우는 것을 배웁니다',
  'accuracy with shaped refinements ≥ GRPO + 0.15 and ≥ unshaped refinements + 0.1':
    '다듬은 경우의 정확도 ≥ GRPO + 0.15, ≥ 다듬지 않은 경우 + 0.1',
  'an order from easy to hard converges faster; repeated here only as fewer dead groups':
    '쉬운 것에서 어려운 것으로 가면 더 빨리 수렴합니다. 여기서는 죽은 그룹이 적어지는지만 확인합니다',
  'share of dead groups over one pass, easy to hard < random, on a pool of mostly hard prompts (final accuracy is no gate)':
    '한 바퀴 동안 죽은 그룹의 비율: 쉬운 순서 < 무작위. 대부분 어려운 프롬프트에서 잽니다(마지막 정확도는 보지 않습니다)',
  'policy gradients generalise where SFT does not, and narrow to one solution; KL keeps several':
    '정책 그래디언트는 SFT가 일반화하지 못하는 곳에서 일반화하지만 풀이 하나로 좁아지며, KL은 여러 풀이를 남깁니다',
  'means over the seeds: held-out accuracy of PG ≥ continued SFT + 0.04; distinct right paths of PG ≤ 0.75 × SFT, of PG with KL ≥ 0.9 × SFT':
    '시드 평균: 평가용 문제의 정확도는 PG ≥ 계속한 SFT + 0.04. 서로 다른 옳은 경로는 PG ≤ 0.75 × SFT, KL이 있는 PG ≥ 0.9 × SFT',
  'one ratio, baseline and penalty a completion train over rollouts that are used several times':
    '응답마다 비율, 기준선, 페널티가 하나씩이어도 여러 번 쓰는 롤아웃으로 학습됩니다',
  'accuracy at sequence level ≥ 0.85, base ≤ 0.4; on completions of one token both levels have equal coefficients (token level is measured and no gate)':
    '시퀀스 단위의 정확도 ≥ 0.85, 시작 모델 ≤ 0.4. 토큰 하나짜리 응답에서는 두 단위의 계수가 같음(토큰 단위는 재기만 합니다)',
  'the coupled ELBO estimator is as right as the plain one and less noisy, and RL on it works (masked diffusion; not for Qwen3)':
    '짝지은 ELBO 추정량은 보통의 것만큼 옳고 덜 흔들리며, 그것으로 하는 RL이 됩니다(마스크 확산. Qwen3용은 아닙니다)',
  'means of both estimators within 0.02; spread of the coupled one at equal forward passes ≤ 0.9 × the plain one; accuracy after RL ≥ 0.85, base ≤ 0.4':
    '두 추정량의 평균 차이 0.02 이내. 순전파 수가 같을 때 짝지은 쪽의 퍼짐 ≤ 0.9 × 보통의 것. RL 뒤 정확도 ≥ 0.85, 시작 모델 ≤ 0.4',
  'RL in Korean fails where reasoning does not answer to Korean; tuning Korean neurons of early layers first lets it work':
    '추론이 한국어에 답하지 않으면 한국어 RL은 실패하며, 앞 층의 한국어 뉴런을 먼저 조정하면 됩니다',
  'RL alone ≤ .02 with ≥ .99 of its groups dead; early-layer neurons ≥ .25 and ≥ late + .2 after fine-tuning, ≥ .95 after RL; every other weight bit-identical':
    'RL만: ≤ .02, 그룹의 ≥ .99가 죽음. 앞 층 뉴런: 미세 조정 뒤 ≥ .25 그리고 ≥ 뒤 층 + .2, RL 뒤 ≥ .95. 다른 가중치는 모두 비트까지 그대로',
  'a new token begins best as the mean of the tokens that wrote it; embedding first, the rest frozen':
    '새 토큰은 그것을 쓰던 토큰들의 평균에서 시작하는 것이 가장 좋습니다. 임베딩을 먼저, 나머지는 고정',
  'bits per character: subtoken mean < random − 1.5 at the beginning, < random after training; every tensor but the embedding bit-identical after the first stage':
    '글자당 비트: 하위 토큰 평균이 처음에는 < 무작위 − 1.5, 학습 뒤에는 < 무작위. 첫 단계 뒤에 임베딩 말고는 모든 텐서가 비트까지 그대로',
  'adapters of a low rank reach what full training reaches, with the weights frozen':
    '낮은 랭크의 어댑터는 가중치를 고정한 채 전체 학습만큼 이릅니다',
  'accuracy with adapters ≥ full training − 0.05 and ≥ base + 0.3; every frozen weight bit-identical':
    '어댑터의 정확도 ≥ 전체 학습 − 0.05, ≥ 시작 모델 + 0.3. 고정된 가중치는 모두 비트까지 그대로',
  'a reward per token learnt from expert traces ranks samples of a policy and finds the first wrong step':
    '전문가 풀이에서 배운 토큰별 보상은 정책의 샘플을 줄 세우고 처음 틀린 단계를 찾습니다',
  'AUC of right against wrong samples ≥ 0.7; best of 8 by reward ≥ 1.4 × pass@1; lowest token is the first wrong step more often than chance':
    '옳은 샘플과 틀린 샘플의 AUC ≥ 0.7. 보상으로 고른 8개 중 최선 ≥ 1.4 × pass@1. 가장 낮은 토큰이 처음 틀린 단계인 경우가 우연보다 많음',
})
