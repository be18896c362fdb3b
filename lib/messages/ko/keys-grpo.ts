/** What the keys of a recipe mean (`kogrpo train --keys`), in Korean: the stage grpo. */
import { catalogue } from '../catalogue.ts'

export const keysGrpo = catalogue({
  'reward functions of your own, beside these: JavaScript modules':
    '이것들과 함께 쓰는 자기 보상 함수: JavaScript 모듈',
  'what it is called in metrics and completions: rewards/NAME/mean':
    '측정값과 응답 파일에서 부르는 이름: rewards/NAME/mean',
  'JavaScript module whose default export rates completions: ({ completions, columns, … }, options) => numbers':
    '기본 내보내기가 응답을 채점하는 JavaScript 모듈: ({ completions, columns, … }, options) => 수의 배열',
  'handed to the function as its second argument': '함수의 두 번째 인수로 건네집니다',
  'oracle-guided Dr. GRPO': '오라클이 이끄는 Dr. GRPO',
  'prompts (with an answer column for the accuracy reward)':
    '프롬프트(정확도 보상에는 answer 열이 필요)',
  'completions per prompt (the group), at least 2': '프롬프트마다 응답 수(그룹), 2 이상',
  'completions in a micro-batch': '마이크로배치의 응답 수',
  "compute a group's prompt once in a micro-batch: same values, same gradient, faster":
    '마이크로배치에서 그룹의 프롬프트를 한 번만 계산합니다. 값과 그래디언트는 같고 더 빠릅니다',
  'longest prompt in tokens': '가장 긴 프롬프트의 토큰 수',
  'what to do with a prompt of more than max_prompt_length tokens':
    'max_prompt_length토큰보다 긴 프롬프트의 처리',
  'longest completion in tokens; the constant length in the Dr. GRPO denominator':
    '가장 긴 응답의 토큰 수. Dr. GRPO 분모의 상수 길이',
  'sampling temperature, also that of the log-probs': '샘플링 온도. 로그 확률의 온도이기도 합니다',
  'another temperature for sampling alone; needs importance_sampling_correction':
    '샘플링에만 쓰는 다른 온도. importance_sampling_correction이 필요합니다',
  'sample among the k likeliest tokens (0 = all); needs importance_sampling_correction':
    '가장 그럴듯한 k개 토큰에서 뽑습니다(0 = 모두). importance_sampling_correction이 필요합니다',
  'sample among the likeliest tokens that hold this much probability; needs importance_sampling_correction':
    '이만큼의 확률을 차지하는 가장 그럴듯한 토큰들에서 뽑습니다. importance_sampling_correction이 필요합니다',
  'sample among tokens of at least this share of the likeliest; needs importance_sampling_correction':
    '가장 그럴듯한 토큰의 이 비율 이상인 토큰에서 뽑습니다. importance_sampling_correction이 필요합니다',
  'the loss of a token and how tokens are averaged (TRL: dapo)':
    '토큰의 손실과 토큰을 평균하는 방법(TRL: dapo)',
  'divide advantages by a standard deviation (default: none with dr_grpo, for which TRL keeps group; group otherwise)':
    '어드밴티지를 표준 편차로 나눕니다(기본값: dr_grpo에서는 none이고 TRL은 group, 그 밖에는 group)',
  'what a completion is compared with: the mean of its group, or of the others in it (ESPO, RLOO)':
    '응답을 견주는 것: 그룹의 평균, 또는 그룹의 나머지의 평균(ESPO, RLOO)',
  'normalize_then_sum: each reward divided by its standard deviation in the group before the weighted sum (GDPO)':
    'normalize_then_sum: 가중합을 하기 전에 보상마다 그룹 안의 표준 편차로 나눕니다(GDPO)',
  'lower clip range of the probability ratio': '확률 비율을 자르는 아래쪽 범위',
  'upper clip range (default: epsilon); with cispo the absolute cap of the ratio (default: 5, where TRL falls back to epsilon)':
    '위쪽 범위(기본값: epsilon). cispo에서는 비율의 절대 상한(기본값: 5, TRL은 epsilon을 씀)',
  'upper bound of the ratio when A < 0 (two-sided clip)': 'A < 0일 때 비율의 상한(양쪽 클리핑)',
  'weight of the KL penalty (0 = no reference model is held; it is a second copy of the weights)':
    'KL 페널티의 가중치(0 = 참조 모델을 두지 않음. 참조 모델은 가중치 한 벌을 더 차지합니다)',
  'how the divergence is estimated from one token (TRL: k3)':
    '토큰 하나에서 발산을 추정하는 방법(TRL: k3)',
  'penalty per token, or one per completion over its length (ESPO; with kl_estimator k2)':
    '토큰마다의 페널티, 또는 응답마다 하나를 길이로 나눈 것(ESPO, kl_estimator k2와 함께)',
  'move the reference model towards the policy as training goes on':
    '학습이 나아가면서 참조 모델을 정책 쪽으로 옮깁니다',
  'sync_ref_model: every so many optimizer steps': 'sync_ref_model: 이만큼의 옵티마이저 스텝마다',
  'sync_ref_model: reference ← (1 − alpha) · reference + alpha · policy':
    'sync_ref_model: 참조 ← (1 − alpha) · 참조 + alpha · 정책',
  'make the reference a copy of the policy every so many optimizer steps (ProRL)':
    '이만큼의 옵티마이저 스텝마다 참조 모델을 정책의 복사본으로 만듭니다(ProRL)',
  'the same where an evaluation metric no longer rises (needs eval_steps)':
    '평가 측정값이 더 오르지 않을 때 같은 일을 합니다(eval_steps가 필요)',
  'the metric of the evaluations between steps': '스텝 사이 평가의 측정값',
  'evaluations in a row without a gain that make a plateau':
    '나아지지 않은 평가가 이만큼 이어지면 정체로 봅니다',
  'what counts as a gain: more than this': '이보다 크게 올라야 나아진 것으로 봅니다',
  "ref_reset_steps, ref_reset_plateau: forget AdamW's moments and step count too":
    'ref_reset_steps, ref_reset_plateau: AdamW의 모멘트와 스텝 수도 잊습니다',
  'on_policy = each round is sampled by the weights that it is trained on; one_step_off = by those of a round earlier, while the judge still rates that round':
    'on_policy = 라운드마다 학습할 가중치로 샘플링, one_step_off = 심판이 앞 라운드를 매기는 동안 그 라운드의 가중치로 샘플링',
  "compare hashes of the sampler's and the trainer's weights every so many steps (0 = never)":
    '이만큼의 스텝마다 샘플러와 학습기의 가중치 해시를 견줍니다(0 = 하지 않음)',
  'optimizer passes over one batch of completions': '한 배치의 응답으로 학습하는 횟수',
  'ratio per token, or one per completion (GSPO, with loss_type grpo)':
    '토큰마다의 비율, 또는 응답마다 하나(GSPO, loss_type grpo와 함께)',
  'sapo: how sharply the ratio is gated where the advantage is positive':
    'sapo: 어드밴티지가 양수일 때 비율을 얼마나 날카롭게 거르는가',
  'sapo: the same where the advantage is negative': 'sapo: 어드밴티지가 음수일 때의 같은 값',
  'weigh the policy term by trainer over sampler probability, per token or completion; beyond the caps: clamped or left out':
    '정책 항에 학습기 확률 / 샘플러 확률을 토큰이나 응답마다 곱합니다. 상한과 하한을 벗어나면 자르거나 뺍니다',
  'importance_sampling_correction: upper cap of the weight':
    'importance_sampling_correction: 가중치의 상한',
  'importance_sampling_correction: lower cap of the weight (default: none)':
    'importance_sampling_correction: 가중치의 하한(기본값: 없음)',
  'what becomes of groups whose completions all have the same reward':
    '응답의 보상이 모두 같은 그룹의 처리',
  'off = they stay, with advantage 0; mask = left out of the loss and its denominators; resample = replaced by other prompts':
    'off = 어드밴티지 0으로 남김, mask = 손실과 분모에서 뺌, resample = 다른 프롬프트로 바꿈',
  'resample: further generations at most; what is missing then is left out':
    'resample: 더 생성하는 최대 횟수. 그래도 모자라면 뺍니다',
  'the reward that must differ in a group: "reward" (the sum) or the name of one':
    '그룹 안에서 달라야 하는 보상: "reward"(합) 또는 보상 하나의 이름',
  'train the policy on this share of the tokens, those of highest entropy':
    '엔트로피가 가장 높은 이 비율의 토큰으로만 정책을 학습합니다',
  'weight of the entropy bonus (mean entropy of the trained tokens)':
    '엔트로피 보너스의 가중치(학습된 토큰의 평균 엔트로피)',
  'leave completions without a stop token out of the loss':
    '멈춤 토큰이 없는 응답은 손실에서 뺍니다',
  'system message put before every prompt': '모든 프롬프트 앞에 놓는 시스템 메시지',
  'structured: the system message asks for thinking in sections 계획, 이해, 풀이, 정리 (SARI); free: for nothing':
    'structured: 시스템 메시지가 계획, 이해, 풀이, 정리의 네 부분으로 생각하라고 합니다(SARI). free: 아무것도 요구하지 않습니다',
  'chat template: let the model think': '대화 템플릿: 모델이 생각하게 합니다',
  'reward functions and their weights; the reward is the weighted sum':
    '보상 함수와 가중치. 보상은 가중합입니다',
  'reward function': '보상 함수',
  'factor of this reward in the sum': '합에서 이 보상에 곱하는 수',
  'options of this reward function': '이 보상 함수의 옵션',
  'data column with the gold answer': '정답이 있는 데이터 열',
  'how an answer is held against the gold answer': '답을 정답과 견주는 방법',
  'data column that names another kind for its sample, where it is present':
    '있으면 그 샘플의 다른 종류를 정하는 데이터 열',
  'math: where the answer may stand: anywhere, after a marker, in \\boxed{} only':
    'math: 답이 있을 수 있는 곳: 어디나, 표지 뒤, \\boxed{} 안에만',
  'math: decimal places to which a decimal must agree with the gold value':
    'math: 소수가 정답과 일치해야 하는 자릿수',
  'a completion without a closed thinking block scores 0': '닫힌 생각 블록이 없는 응답은 0점입니다',
  'what ends the thinking, where a model uses other marks than <think> (TRL)':
    '모델이 <think>가 아닌 표시를 쓸 때 생각을 끝내는 것(TRL)',
  'regex: search time': 'regex: 찾는 시간',
  'code: data column with unit tests': 'code: 단위 시험이 있는 데이터 열',
  'code: time of one run': 'code: 한 번 실행하는 시간',
  'share of Korean from which a part counts as Korean (default: 0.8)':
    '한국어로 치는 한국어의 비율(기본값: 0.8)',
  '1 at the threshold and else 0, or the share itself':
    '문턱 이상이면 1, 아니면 0. 또는 비율 그대로',
  'share of letters, of words, or the smaller of the two':
    '글자의 비율, 낱말의 비율, 또는 둘 중 작은 것',
  'what has to be Korean': '무엇이 한국어여야 하는가',
  'foreign text in quotation marks, or in parentheses behind a Korean word, is exempt':
    '따옴표 안이나 한국어 낱말 뒤 괄호 안의 외국어는 봐줍니다',
  'foreign words of the prompt, and a language that it asks for, are exempt':
    '프롬프트에 있는 외국어 낱말과 프롬프트가 요구한 언어는 봐줍니다',
  'share of Chinese and Japanese letters above which the reward is 0 (default: off)':
    '중국어와 일본어 글자가 이 비율을 넘으면 보상이 0입니다(기본값: 끔)',
  "L in tokens: from here on −1 (default: the stage's max_completion_length)":
    'L(토큰): 여기부터 −1(기본값: 단계의 max_completion_length)',
  'C in tokens: width of the soft zone before L (default: a fifth of L)':
    'C(토큰): L 앞 완만한 구간의 너비(기본값: L의 5분의 1)',
  'tokens of the sequences that should not come again': '다시 나오면 안 되는 토큰열의 길이',
  'reward of a completion that is nothing but repetition': '온통 반복뿐인 응답의 보상',
  'titles that stand in the thinking on lines of their own, in this order':
    '생각 안에 한 줄씩 이 순서로 있어야 하는 제목',
  'how a judge corrects the checker of the accuracy reward':
    '심판이 정확도 보상의 채점기를 고치는 방법',
  "how checker and judge make the accuracy: none = checker alone, observe = checker alone, the judge is asked and logged but decides nothing, override = judge alone, appeal = judge re-examines the checker's failures, veto = its passes, both = wherever it gave a verdict":
    '채점기와 심판이 정확도를 정하는 방법: none = 채점기만, observe = 채점기만(심판은 묻고 기록할 뿐), override = 심판만, appeal = 채점기가 틀렸다 한 것을 심판이 다시 봄, veto = 맞다 한 것을 다시 봄, both = 심판이 판정한 곳 모두',
  'who judges; required unless rule is none': '심판. rule이 none이 아니면 필수입니다',
  'a function of the task, an OpenAI-compatible endpoint, or a second model here':
    '과제의 함수, OpenAI 호환 엔드포인트, 또는 여기서 도는 둘째 모델',
  'which program (default: the one of the data source)':
    '어느 프로그램인가(기본값: 데이터 소스의 것)',
  'endpoint, e.g. http://localhost:8000/v1': '엔드포인트. 예: http://localhost:8000/v1',
  'model name sent to the endpoint; in the cache it stands for the model':
    '엔드포인트에 보내는 모델 이름. 캐시에서 모델을 가리킵니다',
  'name of the environment variable with the key': '키가 든 환경 변수의 이름',
  'file that holds the key and nothing else': '키만 들어 있는 파일',
  'seconds after which one attempt has failed':
    '이만큼의 초가 지나면 한 번의 시도가 실패한 것입니다',
  'further attempts after a failed one': '실패한 뒤 더 시도하는 횟수',
  'judgements in flight at a time': '동시에 진행하는 판정 수',
  'requests in any minute (default: no limit)': '1분 동안의 요청 수(기본값: 제한 없음)',
  'tokens in any minute, of questions and replies (default: no limit)':
    '1분 동안 질문과 답의 토큰 수(기본값: 제한 없음)',
  'failed attempts in a row after which the judge is left alone for a while':
    '잇달아 이만큼 실패하면 심판을 잠시 내버려 둡니다',
  'how long it is then left alone, in seconds': '그때 내버려 두는 시간(초)',
  'tokens the judge may write, its thinking included': '생각을 포함해 심판이 쓸 수 있는 토큰 수',
  'sent with each question; also makes the fences and the jitter':
    '질문마다 보내는 시드. 울타리와 흔들림도 여기서 나옵니다',
  'replaces the grading instruction, the system message (empty: none)':
    '채점 지시, 곧 시스템 메시지를 대신합니다(비우면 없음)',
  'replaces the question: text with {reference}, {answer}, {question}, {nonce}':
    '질문을 대신합니다: {reference}, {answer}, {question}, {nonce} 자리가 있는 글',
  'show the judge the thinking as well (a template then needs {thinking})':
    '심판에게 생각도 보여 줍니다(템플릿에는 {thinking} 자리가 필요)',
  'keep verdicts on disk, by the hash of what was asked': '물은 것의 해시로 판정을 디스크에 둡니다',
  'where verdicts are kept (default: judge-cache.jsonl in the run directory)':
    '판정을 두는 곳(기본값: 실행 디렉터리의 judge-cache.jsonl)',
  'Hugging Face directory of the judge, e.g. a checkpoint of another run':
    '심판의 Hugging Face 디렉터리. 예: 다른 실행의 체크포인트',
  'chat template: let the judge think': '대화 템플릿: 심판이 생각하게 합니다',
  "what the judge's products multiply; int8 is smallest, on the CPU only":
    '심판의 행렬 곱이 곱하는 수. int8이 가장 작고 CPU에서만 됩니다',
  'stop the run, with its state saved, when a larger share of the judgements failed (1 = never)':
    '판정이 이 비율보다 많이 실패하면 상태를 저장하고 실행을 멈춥니다(1 = 멈추지 않음)',
  'rounds of completions over which max_failure_rate is measured':
    'max_failure_rate를 재는 응답 라운드 수',
  'rewards above 0 of completions without an end are multiplied by this (ProRL)':
    '끝맺지 못한 응답의 0보다 큰 보상에 이 값을 곱합니다(ProRL)',
  'a reward for short right and long wrong answers ({} for the defaults)':
    '짧게 맞은 답과 길게 틀린 답에 주는 보상(기본값은 {})',
  'a wrong answer at once, or one cut off': '바로 틀린 답, 또는 잘린 답',
  'a wrong answer at the length limit': '길이 한계에서 틀린 답',
  'a right answer at the length limit': '길이 한계에서 맞은 답',
  'a right answer at once': '바로 맞은 답',
  'optimizer steps with it, then …': '이것을 쓰는 옵티마이저 스텝 수, 그다음 …',
  '… steps without (ProRL v2: 100 and 500)': '… 쓰지 않는 스텝 수(ProRL v2: 100과 500)',
  'order of the prompts by measured difficulty (SARI)': '잰 난이도에 따른 프롬프트의 순서(SARI)',
  'of the buckets of prompts; within a bucket the order is random':
    '프롬프트 묶음의 순서. 묶음 안에서는 무작위입니다',
  'of about equal size, by pass rate': '통과율에 따라 크기가 비슷하게 나눈 묶음 수',
  'data column with the pass rate (kogrpo data difficulty writes it)':
    '통과율이 있는 데이터 열(kogrpo data difficulty가 씁니다)',
  'leave out prompts with pass rate 0': '통과율이 0인 프롬프트는 뺍니다',
  'a bonus for right answers that follow from their reasoning under a slow reference (GRPO-CARE)':
    '느린 참조 모델이 보기에 추론에서 나온 맞은 답에 주는 보너스(GRPO-CARE)',
  'the bonus, as a share of the accuracy reward': '정확도 보상에 대한 보너스의 비율',
  'how far below the mean of the right ones the confidence may be':
    '확신이 맞은 답들의 평균보다 얼마나 낮아도 되는가',
  'upper clamp of the confidence, against a race for it': '확신을 다투지 않도록 자르는 상한',
  'whose log-probs count: all that follows the thinking, or the last box in it':
    '누구의 로그 확률을 세는가: 생각 뒤 전부, 또는 그 안의 마지막 상자',
  'advantages per token from a frozen reward model, beside those of the rewards (R-AIRL)':
    '보상의 어드밴티지에 더하는, 얼린 보상 모델에서 나온 토큰마다의 어드밴티지(R-AIRL)',
  'reward model (kogrpo reward train), with the tokenizer of the policy':
    '보상 모델(kogrpo reward train). 토크나이저는 정책과 같아야 합니다',
  'factor of its advantages beside those of the rewards':
    '보상의 어드밴티지 옆에서 여기에 곱하는 수',
  'how much of a later token counts for an earlier one': '뒤 토큰이 앞 토큰에 얼마나 반영되는가',
  'divide by the standard deviation over the tokens of a group':
    '그룹의 토큰에 걸친 표준 편차로 나눕니다',
  'refinements written after a critique, as members of the group (Critique-GRPO)':
    '비평을 듣고 고쳐 쓴 풀이를 그룹에 넣습니다(Critique-GRPO)',
  "what is said: the verdict, also the answer, also the worked solution; or the verdict and the judge's own words":
    '무엇을 말해 주는가: 판정, 정답까지, 풀이까지. 또는 판정과 심판의 말',
  'refinements that take the place of a wrong completion in its group':
    '그룹에서 틀린 응답을 대신하는 고쳐 쓴 풀이의 수',
  'refinements that are sampled for a group; the best one is kept':
    '그룹마다 뽑는 고쳐 쓴 풀이의 수. 가장 좋은 것을 남깁니다',
  'shaping p / (p + gamma) of the tokens of a refinement':
    '고쳐 쓴 풀이의 토큰에 주는 가중 p / (p + gamma)',
  'refine only where no completion of the group is right':
    '그룹에 맞은 응답이 없을 때만 고쳐 씁니다',
  'type text: data column with the worked solution': 'type text: 풀이가 있는 데이터 열',
  'whether the model can learn from these prompts, looked at before the first update':
    '모델이 이 프롬프트에서 배울 수 있는지를 첫 갱신 전에 봅니다',
  'before the first update: say what a model that is not ready needs, or end the run':
    '첫 갱신 전에: 준비되지 않은 모델에 무엇이 필요한지 말하거나 실행을 끝냅니다',
  'prompts that are sampled for the check alone (default: none, the first round of the stage is looked at)':
    '이 확인에만 쓰는 프롬프트 수(기본값: 없음. 단계의 첫 라운드를 봅니다)',
  'share of groups with equal rewards above which a model is not ready':
    '보상이 모두 같은 그룹이 이 비율을 넘으면 준비되지 않은 모델입니다',
  'the warning that pass@1 rises while pass@k falls: narrower, not more able':
    'pass@1은 오르고 pass@k는 떨어진다는 경고: 나아지지 않고 좁아지는 것',
  'whether it is said': '말하는가',
  'rounds of the moving averages of pass@1 and pass@k': 'pass@1과 pass@k 이동 평균의 라운드 수',
  'how far pass@k has to be below its highest average':
    'pass@k가 최고 평균보다 얼마나 낮아야 하는가',
  'what is watched for a collapse, and what then happens':
    '붕괴의 조짐으로 무엇을 보고 무엇을 하는가',
  'on a trip: only say so, end the stage, or go back to the last good state with a lower learning rate':
    '걸리면: 말하기만, 단계를 끝내기, 또는 마지막 좋은 상태로 돌아가 학습률을 낮추기',
  'optimizer rounds of the moving averages that are compared with their limits':
    '한계와 견주는 이동 평균의 라운드 수',
  'rounds before the baselines begin; nothing trips in them':
    '기준선을 잡기 전의 라운드 수. 그동안은 걸리지 않습니다',
  'rounds in a row beyond a limit that make a trip': '이만큼 이어서 한계를 넘으면 걸립니다',
  'rollback: optimizer steps between two good states, kept only while every watch is calm':
    'rollback: 좋은 상태 사이의 옵티마이저 스텝 수. 모두 잠잠할 때만 남깁니다',
  'rollback: factor of the learning rate from then on': 'rollback: 그때부터 학습률에 곱하는 수',
  'rollback: trips after this many end the stage instead':
    'rollback: 이만큼 걸린 뒤에는 단계를 끝냅니다',
  'what is watched, and its limits': '무엇을 보는가와 그 한계',
  'falls: the accuracy reward of the groups, against its own peak':
    '떨어지면: 그룹의 정확도 보상, 자기 최고와 견주어',
  'whether this is watched': '이것을 보는가',
  'limit = baseline × factor ± margin': '한계 = 기준선 × factor ± margin',
  'distance of the limit beyond the factor': 'factor 밖으로 한계까지의 거리',
  "rises: the share of the checker's passes that the judge rejects; needs a judge that is asked there":
    '오르면: 채점기가 맞다 한 것 가운데 심판이 거절한 비율. 거기서 묻는 심판이 필요합니다',
  'rises: numbers in the answer of a completion; lists of numbers pass lenient checkers':
    '오르면: 응답의 답에 있는 수의 개수. 수를 늘어놓으면 느슨한 채점기를 통과합니다',
  'rises: share of completions without an end': '오르면: 끝맺지 못한 응답의 비율',
  'rises: share of groups whose rewards are all equal, from which nothing is learned':
    '오르면: 보상이 모두 같아 배울 것이 없는 그룹의 비율',
  'falls: entropy of the policy, nats a token': '떨어지면: 정책의 엔트로피, 토큰마다 nat',
  'rises: entropy of the policy, nats a token': '오르면: 정책의 엔트로피, 토큰마다 nat',
  'rises: divergence from the reference; needs beta above 0':
    '오르면: 참조 모델과의 발산. beta가 0보다 커야 합니다',
  'rises: norm of the gradient before clipping': '오르면: 자르기 전 그래디언트의 크기',
  'end the stage with the best model (by eval_accuracy where no metric is named)':
    '단계를 가장 좋은 모델로 끝냅니다(측정값을 정하지 않으면 eval_accuracy 기준)',
})
