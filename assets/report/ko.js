// The page's Korean, by its English. Terms and style: docs/ko/glossary.md; names of metrics stay as they are.

export const KOREAN = {
  // results.js
  'finished in {seconds} s': '{seconds}초 만에 끝남',
  'under way or stopped': '진행 중이거나 멈춤',
  'seed {seed}, steps: {steps}; {state}': '시드 {seed}, 스텝: {steps}, {state}',
  'none yet': '아직 없음',
  'Runs compared': '실행 비교',
  run: '실행',
  model: '모델',
  accuracy: '정확도',
  '95 % interval': '95 % 구간',
  'thinks in Korean': '한국어로 생각',
  format: '형식',
  'mean length': '평균 길이',
  'Held-out results': '평가용 문제의 결과',
  'Table of results': '결과 표',
  '{name}: {points} points of accuracy (95 %: {low} … {high}, n = {n})':
    '{name}: 정확도 {points}점 (95 %: {low} … {high}, n = {n})',
  'inside the noise': '오차 범위 안',
  'best of {stage}: step {step}, {metric} {value}':
    '{stage} 단계의 최고: {step}스텝, {metric} {value}',
  'judge: right': '심판: 맞음',
  'judge: wrong': '심판: 틀림',
  'checker: right': '채점기: 맞음',
  'checker: wrong': '채점기: 틀림',
  'rule {rule}: agreement {agreement}, kappa {kappa}; {calls} verdicts asked for, {failures} failed':
    '규칙 {rule}: 일치 {agreement}, 카파 {kappa}, 판정 요청 {calls}개, 실패 {failures}개',
  'Checker and judge': '채점기와 심판',
  'Counts by checker and judge': '채점기와 심판의 판정 수',
  'step {step}: {action}': '{step}스텝: {action}',
  'Decisions of the guards': '가드의 결정',
  // main.js
  Curves: '곡선',
  Stage: '단계',
  Smoothing: '평활',
  'Recipe of {name}': '{name} 레시피',
  Recipe: '레시피',
  // charts.js
  '{label} from {first} to {last}': '{label}: {first}에서 {last}까지',
  'step {step}': '{step}스텝',
  'Where the time goes': '시간이 드는 곳',
  'A step takes {seconds} s in the mean.': '한 스텝에 평균 {seconds}초가 걸립니다.',
  // metrics.js
  Reward: '보상',
  'Mean over the completions of a step: the weighted sum, and each part before its weight.':
    '한 스텝의 응답 평균: 가중합, 그리고 가중치를 곱하기 전의 각 부분.',
  'Held-out evaluation': '평가용 문제로 평가',
  'Greedy answers to problems that are never trained on.':
    '학습에 쓰지 않는 문제에 탐욕적으로 답한 결과.',
  'Accuracy, by whom': '누가 본 정확도인가',
  'What the rule checker alone would have rewarded, and what the oracle made of it.':
    '규칙 채점기만 있었다면 준 보상과, 오라클이 고친 보상.',
  'Checker against judge': '채점기와 심판의 판정',
  'Completions by verdict. fp: the checker said right, the judge wrong (the loophole); fn: the reverse.':
    '판정별 응답 수. fp: 채점기는 맞다, 심판은 틀리다고 한 것(빈틈). fn: 그 반대.',
  'Agreement and failures of the judge': '심판의 일치와 실패',
  'Share of agreement, Cohen’s kappa, share of judgements that failed.':
    '일치 비율, 코헨의 카파, 실패한 판정의 비율.',
  'What judging costs': '심판의 비용',
  'Judgements asked for, those known already, requests to the endpoint, failures.':
    '요청한 판정, 이미 알던 것, 엔드포인트에 보낸 요청, 실패.',
  'Tokens of the judge': '심판의 토큰',
  'Read and written by the judge.': '심판이 읽고 쓴 것.',
  Guards: '가드',
  'Where each moving average stands: 0 at its baseline, above 1 beyond its limit.':
    '이동 평균의 위치: 기준선에서 0, 한계를 넘으면 1보다 큼.',
  Korean: '한국어',
  'Share of completions that think in Korean, and of Korean in the text.':
    '한국어로 생각한 응답의 비율과, 글 가운데 한국어의 비율.',
  'Other languages': '다른 언어',
  'Share of completions with words of another language, and changes of language.':
    '다른 언어의 낱말이 있는 응답의 비율과, 언어가 바뀐 횟수.',
  'Spread of the rewards': '보상의 퍼짐',
  'Standard deviation over the completions of a step, of each part before its weight.':
    '한 스텝의 응답에 걸친, 가중치를 곱하기 전 각 부분의 표준 편차.',
  'Numbers in the answer': '답에 있는 수의 개수',
  'In the mean. More than one or two: the answer may be a list of guesses.':
    '평균. 한두 개보다 많으면 답이 여러 추측을 늘어놓은 것일 수 있음.',
  Entropy: '엔트로피',
  'Mean over the trained tokens, in nats.': '학습된 토큰의 평균, 단위 nat.',
  'Length of the completions': '응답의 길이',
  'Tokens.': '토큰 수.',
  'Cut off': '잘린 응답',
  'Share of completions without an end, cut at max_completion_length.':
    '끝맺지 못하고 max_completion_length에서 잘린 응답의 비율.',
  Groups: '그룹',
  'Share of groups whose rewards are all equal (nothing to learn), and the spread in the others.':
    '보상이 모두 같아 배울 것이 없는 그룹의 비율과, 나머지의 표준 편차.',
  Loss: '손실',
  'Of the step; of held-out data where there is some.':
    '그 스텝의 손실. 평가용 데이터가 있으면 그 손실도.',
  'Token accuracy': '토큰 정확도',
  'Share of trained tokens that were the likeliest.':
    '학습된 토큰 가운데 가장 그럴듯했던 것의 비율.',
  'Gradient norm': '그래디언트 크기',
  'Global, before clipping.': '전체, 자르기 전.',
  'Learning rate': '학습률',
  'Of the step.': '그 스텝의 값.',
  'Policy ratio, clipping, KL': '정책 비율, 클리핑, KL',
  'Exactly 1, 0 and absent where every step is on-policy.':
    '모든 스텝이 on-policy이면 정확히 1, 0이고 KL은 없음.',
  'Sampler against trainer': '샘플러와 학습기',
  'Absolute difference of their log-probs for the same token. Zero is exact.':
    '같은 토큰에 대한 로그 확률의 절대 차이. 0이면 정확히 같음.',
  Throughput: '처리 속도',
  'Tokens a second through the model.': '모델을 지나는 초당 토큰 수.',
  Memory: '메모리',
  'Gigabytes of the process.': '프로세스가 쓰는 기가바이트.',
  'Further metrics': '그 밖의 측정값',
  // tokens.js
  'log-prob': '로그 확률',
  'The stronger the colour, the less likely the token was to the model.':
    '색이 진할수록 모델이 덜 그럴듯하게 본 토큰입니다.',
  advantage: '어드밴티지',
  'Green was made likelier, red less likely: the stronger, the more the update moves the token (|advantage| × (1 − probability)).':
    '초록은 더 그럴듯해지고 빨강은 덜 그럴듯해집니다. 진할수록 갱신이 그 토큰을 많이 움직입니다(|어드밴티지| × (1 − 확률)).',
  nothing: '색 없음',
  'log-prob {logprob}': '로그 확률 {logprob}',
  // completions.js
  'any verdict': '모든 판정',
  'checker right, judge wrong': '채점기 맞음, 심판 틀림',
  'checker wrong, judge right': '채점기 틀림, 심판 맞음',
  'both right': '둘 다 맞음',
  'both wrong': '둘 다 틀림',
  'no verdict of the judge': '심판의 판정 없음',
  Completions: '응답',
  'Completions of {name}': '{name}의 응답',
  'Pages of: {title}': '쪽: {title}',
  '{found} of {kept} completions': '응답 {kept}개 중 {found}개',
  "{found} of {kept} completions (an even selection of the run's {total})":
    '응답 {kept}개 중 {found}개(실행의 {total}개에서 고르게 뽑음)',
  'Marked: words that came and went since the completion before.':
    '표시: 앞의 응답과 비교해 생긴 말과 사라진 말.',
  '← earlier': '← 앞으로',
  'later →': '뒤로 →',
  'page {page} of {pages}': '{pages}쪽 중 {page}쪽',
  'All prompts again': '모든 프롬프트 보기',
  'Colour tokens by': '토큰 색',
  all: '모두',
  Verdict: '판정',
  'From step': '스텝 시작',
  'To step': '스텝 끝',
  first: '처음',
  last: '끝',
  'Reward from': '보상 최소',
  'Reward to': '보상 최대',
  least: '최소',
  most: '최대',
  Text: '글',
  right: '맞음',
  wrong: '틀림',
  'reward {value}': '보상 {value}',
  'advantage {value}': '어드밴티지 {value}',
  '{count} tokens': '{count}토큰',
  'cut off': '잘림',
  completion: '응답',
  'reference {answer}': '정답 {answer}',
  'This prompt through time': '이 프롬프트의 변화',
}
