/** What a run notes as it goes (resumed, guarded, left out, not ready …), in Korean. */
import { catalogue } from '../catalogue.ts'

export const notes = catalogue({
  'held out': '평가용',
  save: '저장',
  evaluation: '평가',
  'evaluation of {stage}': '{stage} 평가',
  stopped: '멈췄습니다',
  'opening the model': '모델 여는 중',
  '{what}: {done} of at most {total} tokens': '{what}: 최대 {total}토큰 중 {done}',
  "step {step}: {metric} has not risen for {patience} evaluations; the reference model is now the policy, AdamW's moments are forgotten":
    '{step}스텝: {metric} 값이 평가 {patience}번 동안 오르지 않아 참조 모델을 지금의 정책으로 바꾸고 AdamW의 모멘트를 잊었습니다',
  'step {step}: {metric} has not risen for {patience} evaluations; the reference model is now the policy':
    '{step}스텝: {metric} 값이 평가 {patience}번 동안 오르지 않아 참조 모델을 지금의 정책으로 바꾸었습니다',
  'grpo.ref_reset_plateau.metric: the evaluation has no "{metric}"; it has {has}':
    'grpo.ref_reset_plateau.metric: 평가에 "{metric}" 값이 없습니다. 있는 것: {has}',
  'model.smooth: {what}, in sampling and training; checkpoints hold the weights without it (kogrpo smooth writes it into them)':
    'model.smooth: {what}. 샘플링과 학습에 쓰고, 체크포인트의 가중치에는 넣지 않습니다(kogrpo smooth가 넣어 줍니다)',
  '{count} Chinese tokens × {scale}': '중국어 토큰 {count}개 × {scale}',
  '{count} broken tokens {range}': '깨진 토큰 {count}개 {range}',
  '{path}: of {records} samples {skipped} were skipped and {truncated} truncated (longer than {limit} tokens)':
    '{path}: 샘플 {records}개 중 {skipped}개를 건너뛰고 {truncated}개를 잘랐습니다({limit}토큰보다 김)',
  'line {line} = {earlier}': '{line}번 줄 = {earlier}',
  '{repeated} of {all} samples stand there twice ({examples}) and are trained on that much more; kogrpo data prepare leaves them out':
    '샘플 {all}개 중 {repeated}개가 두 번 나와({examples}) 그만큼 더 학습됩니다. kogrpo data prepare가 빼 줍니다',
  '{repeated} of {all} prompts stand there twice ({examples}) and are trained on that much more; kogrpo data prepare leaves them out':
    '프롬프트 {all}개 중 {repeated}개가 두 번 나와({examples}) 그만큼 더 학습됩니다. kogrpo data prepare가 빼 줍니다',
  '{path}: {dropped} of {all} prompts were never solved and are left out (curriculum.drop_zero_pass)':
    '{path}: 프롬프트 {all}개 중 한 번도 풀지 못한 {dropped}개를 뺍니다(curriculum.drop_zero_pass)',
  '{file}:{line}: curriculum needs the column "{column}" with a pass rate of 0 to 1, got {value}; kogrpo data difficulty writes it':
    '{file}:{line}: curriculum에는 0에서 1까지의 통과율이 있는 "{column}" 열이 필요합니다. 받은 값: {value}. kogrpo data difficulty가 써 줍니다',
  'model.path is an adapter ({what}): training goes on with it':
    'model.path가 어댑터입니다({what}). 이어서 학습합니다',
  'step {step}: the policy narrows: pass@1 rose from {low} to {high} while pass@{k} fell from {best} to {now} (moving averages). beta above 0 (with ref_reset_steps) keeps solutions open; kogrpo eval diversity measures it':
    '{step}스텝: 정책이 좁아집니다. 이동 평균으로 pass@1: {low} → {high}, pass@{k}: {best} → {now}. beta를 0보다 크게 하면(ref_reset_steps와 함께) 풀이가 넓게 남습니다. kogrpo eval diversity로 잴 수 있습니다',
  '{source} at sample {at} of {size}, epoch {epoch}':
    '{source}: 샘플 {size}개 중 {at}번째, {epoch}에폭',
  'weights, moments and every hash are those of {stage} step {step}':
    '가중치, 모멘트, 모든 해시가 {stage} {step}스텝의 것과 같습니다',
  '{num_tokens} tokens seen': '본 토큰 {num_tokens}개',
  'evaluations {evaluated}': '평가 {evaluated}',
  'guards with {count} decisions': '가드의 결정 {count}개',
  'oracle with {count} verdicts': '오라클의 판정 {count}개',
  'judge cache of {bytes} bytes': '심판 캐시 {bytes}바이트',
  'passed over: {problem}': '지나침: {problem}',
  '{size} ranks, {local} of them on this machine; shard: {shard}':
    '랭크 {size}개(이 컴퓨터에 {local}개), shard: {shard}',
  '{size} ranks, {local} of them on this machine; shard: parameters, and completions are sampled on weights gathered layer by layer (rollout_weights: streamed)':
    '랭크 {size}개(이 컴퓨터에 {local}개), shard: parameters. 응답은 층마다 모은 가중치로 생성합니다(rollout_weights: streamed)',
  '{size} ranks, {local} of them on this machine; shard: parameters, and completions are sampled on weights gathered whole (rollout_weights: gathered)':
    '랭크 {size}개(이 컴퓨터에 {local}개), shard: parameters. 응답은 통째로 모은 가중치로 생성합니다(rollout_weights: gathered)',
  'resumed from {path}: {what}': '{path}에서 이어 갑니다: {what}',
  'the best model of {stage}: {metric} {value} at step {step}, in {directory}':
    '{stage} 단계의 가장 좋은 모델: {step}스텝의 {metric} {value}, 저장한 곳: {directory}',
  'the best model of {stage}: {metric} {value} at step {step}, in {directory}; the stage ends with it':
    '{stage} 단계의 가장 좋은 모델: {step}스텝의 {metric} {value}, 저장한 곳: {directory}. 단계를 이 모델로 끝냅니다',
  '{name}: {trained} of {total} parameters are trained ({share} %), in {part} of {tensors} tensors; the rest keeps its bits':
    '{name}: 파라미터 {total}개 중 {trained}개({share} %), 텐서 {tensors}개 중 {part}개에서 학습합니다. 나머지는 비트까지 그대로입니다',
  '{name}.train_only.layers: there is no layer {beyond}; the model has {layers}, counted from 0':
    '{name}.train_only.layers: {beyond}번 층이 없습니다. 모델의 층은 {layers}개이고 0부터 셉니다',
  'readiness for RL ({figures}): {problem}': '강화학습 준비({figures}): {problem}',
  unknown: '모름',
  '{groups} prompts × {k}: pass@1 {one}, pass@{k} {any}, groups of equal rewards {dead}, Korean in the thinking {korean}':
    '프롬프트 {groups}개 × {k}: pass@1 {one}, pass@{k} {any}, 보상이 모두 같은 그룹 {dead}, 생각의 한국어 {korean}',
  'in {share} of the groups all rewards are equal (limit {limit}), so nothing is learned from them':
    '그룹의 {share}에서 보상이 모두 같아(한계 {limit}) 배울 것이 없습니다',
  'none of {k} attempts at any prompt is right': '어느 프롬프트도 {k}번의 시도에서 맞지 않았습니다',
  'the prompts may be too easy: take harder ones (kogrpo data difficulty), or dynamic_sampling: { mode: resample }':
    '프롬프트가 너무 쉬울 수 있습니다. 더 어려운 것을 쓰거나(kogrpo data difficulty) dynamic_sampling: { mode: resample } 설정을 쓰세요',
  'train the skill first (sft, e.g. on kogrpo data self-correct), take easier prompts (kogrpo data difficulty, curriculum.drop_zero_pass), or raise num_generations':
    '먼저 기술을 학습하거나(sft, 예: kogrpo data self-correct), 더 쉬운 프롬프트를 쓰거나(kogrpo data difficulty, curriculum.drop_zero_pass), num_generations를 늘리세요',
  '{reasons}. Remedy: {remedy}': '{reasons}. 할 일: {remedy}',
  "{stage} step {step}: reward '{reward}' is {value} for sample {sample}: the step is skipped. The batch: {saved}":
    "{stage} 단계 {step}스텝: 샘플 {sample}번의 보상 '{reward}' 값이 {value}이므로 이 스텝을 건너뜁니다. 배치: {saved}",
  '{stage} step {step}: the {what} is not finite ({value}): the step is skipped. The batch: {saved}':
    '{stage} {step}스텝: {what} 값이 유한하지 않아({value}) 이 스텝을 건너뜁니다. 배치: {saved}',
  'resumed with changes that were accepted:\n{differences}':
    '받아들인 변경과 함께 이어 갑니다:\n{differences}',
  'no share of failures stops the run': '얼마나 실패해도 실행을 멈추지 않습니다',
  'the run stops when more than {share} % of the verdicts of a round fail':
    '한 라운드의 판정 가운데 {share} %보다 많이 실패하면 실행을 멈춥니다',
  'the run stops when more than {share} % of the verdicts of {rounds} rounds fail':
    '라운드 {rounds}개의 판정 가운데 {share} %보다 많이 실패하면 실행을 멈춥니다',
  "oracle {rule}: {meaning}. Judge: {judge}. A failed verdict keeps the checker's value; {limit}":
    '오라클 {rule}: {meaning}. 심판: {judge}. 판정이 실패하면 채점기의 값을 씁니다. {limit}',
  'the judge is asked wherever the checker has a verdict and decides nothing':
    '채점기가 판정한 곳마다 심판에게 묻지만 결정에는 쓰지 않습니다',
  'the judge is asked about every completion, and its verdict is the accuracy':
    '모든 응답을 심판에게 묻고 그 판정이 정확도가 됩니다',
  'the judge is asked where the checker says 0 and may turn that into 1':
    '채점기가 0이라 한 것을 심판에게 묻고 1로 바꿀 수 있습니다',
  'the judge is asked where the checker says 1 and may turn that into 0':
    '채점기가 1이라 한 것을 심판에게 묻고 0으로 바꿀 수 있습니다',
  'the judge is asked wherever the checker has a verdict, and its own is the accuracy':
    '채점기가 판정한 곳마다 심판에게 묻고 심판의 판정이 정확도가 됩니다',
  'guard at step {step}: {reasons}: warning only': '가드, {step}스텝: {reasons}. 경고만 합니다',
  'guard at step {step}: {reasons}: the stage ends here':
    '가드, {step}스텝: {reasons}. 단계를 여기서 끝냅니다',
  'guard at step {step}: {reasons}: the stage ends here (after {spent} rollbacks)':
    '가드, {step}스텝: {reasons}. 롤백 {spent}번 뒤이므로 단계를 여기서 끝냅니다',
  'guard at step {step}: {reasons}: back to the weights and optimizer of step {good}, learning rate × {factor}':
    '가드, {step}스텝: {reasons}. {good}스텝의 가중치와 옵티마이저로 돌아갑니다. 학습률 × {factor}',
  '{watch}: the {title} falls to {now} in the moving average, beyond the limit {edge} (baseline {best})':
    '{watch}: 떨어짐({title}), 이동 평균 {now}, 한계 {edge}, 기준선 {best}',
  '{watch}: the {title} rises to {now} in the moving average, beyond the limit {edge} (baseline {best})':
    '{watch}: 오름({title}), 이동 평균 {now}, 한계 {edge}, 기준선 {best}',
  'accuracy reward': '정확도 보상',
  "share of the checker's passes that the judge rejects":
    '채점기가 맞다 한 것 가운데 심판이 거절한 비율',
  'numbers in an answer': '답에 있는 수의 개수',
  'share of completions without an end': '끝맺지 못한 응답의 비율',
  'share of groups with equal rewards': '보상이 모두 같은 그룹의 비율',
  entropy: '엔트로피',
  'divergence from the reference': '참조 모델과의 발산',
  'norm of the gradient': '그래디언트의 크기',
  // Comments of the recipes that init writes.
  'Made by kogrpo init. Every key: npx kogrpo train --keys':
    'kogrpo init이 만들었습니다. 모든 키: npx kogrpo train --keys',
  "{millions} million parameters: {weights} for weights, gradients and AdamW's moments in fp32, about {peak} at the peak with the batches below.":
    '파라미터 {millions}백만 개: fp32 가중치, 그래디언트, AdamW의 모멘트에 {weights}, 아래 배치로 최대 약 {peak}.',
  'Recompute activations in the backward pass: less memory, more time, the same bits.':
    '역전파에서 활성값을 다시 계산합니다. 메모리는 줄고 시간은 늘며 비트는 같습니다.',
  "Stage 1: learn to think in Korean from examples (loss on the assistant's tokens only).":
    '1단계: 예시에서 한국어로 생각하기를 배웁니다(어시스턴트의 토큰에만 손실).',
  'The longest sample has {longest} tokens; rows of this length are filled with several samples.':
    '가장 긴 샘플은 {longest}토큰입니다. 이 길이의 행을 여러 샘플로 채웁니다.',
  'The judge re-examines what the checker called wrong.':
    '채점기가 틀렸다고 한 것을 심판이 다시 봅니다.',
  'The rule checker alone. It is wrong in both directions: a judge makes the training stable':
    '규칙 채점기만 씁니다. 채점기는 양쪽으로 틀리므로 심판이 있으면 학습이 안정됩니다',
  'Stage 2: reinforcement learning (Dr. GRPO) on problems with an answer to check.':
    '2단계: 답을 확인할 수 있는 문제로 강화학습(Dr. GRPO)을 합니다.',
  '{prompts} prompts × {group} completions in a step.':
    '한 스텝에 프롬프트 {prompts}개 × 응답 {group}개.',
  'The same held-out problems before training and after each stage, compared pairwise.':
    '같은 평가용 문제로 학습 전과 각 단계 뒤를 짝지어 견줍니다.',
  '--seeds: expected different whole numbers, e.g. 1,2,3, got "{word}"':
    '--seeds: 1,2,3처럼 서로 다른 정수여야 합니다. 받은 값: "{word}"',
  '{name}  {what} (about {seconds} s)': '{name}  {what} (약 {seconds}초)',
  'claim: {claim}': '주장: {claim}',
  'gate: {gate}': '기준: {gate}',
  'measured: {measured}': '측정: {measured}',
  'result: {outcome} ({seconds} s)': '결과: {outcome} ({seconds}초)',
  pass: '통과',
  FAIL: '실패',
  'the gate is not met by: {names}': '기준에 미치지 못한 실험: {names}',
})
