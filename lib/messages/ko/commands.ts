/** What commands say while they work and when they are done, in Korean. */
import { catalogue } from '../catalogue.ts'

export const commands = catalogue({
  '{count} {rule}': '{rule} {count}',
  'wrote {output} in {dtype}: {merged} matrices of {base} with the adapter added':
    '{output}: {dtype} 형식으로 썼습니다. 행렬 {merged}개에 어댑터를 더했습니다(바탕 모델: {base})',
  'wrote {output} in {dtype}{head}': '{output}: {dtype} 형식으로 썼습니다{head}',
  ', with an LM head of its own (the embeddings were tied to it)':
    '. LM 헤드가 따로 생겼습니다(원래는 임베딩과 하나였습니다)',
  '{count} tokens in the tokenizer': '토크나이저의 토큰 {count}개',
  '{count} Chinese tokens × {scale}{listed}': '중국어 토큰 {count}개 × {scale}{listed}',
  '{count} broken-UTF-8 tokens × {low} to {high}{listed}':
    'UTF-8이 끊긴 토큰 {count}개 × {low}–{high}{listed}',
  'left alone: {count} tokens of Korean symbols{kept}{listed}':
    '그대로 둠: 한국어 기호의 토큰 {count}개{kept}{listed}',
  ' and of "{kept}"': '("{kept}" 포함)',
  'left alone: {count} broken tokens that begin no Chinese character':
    '그대로 둠: 한자의 시작이 아닌 끊긴 토큰 {count}개',
  'wrote {output} in {dtype}: {count} new tokens, ids {first} to {last}, each in place of {parts} tokens':
    '{output}: {dtype} 형식으로 썼습니다. 새 토큰 {count}개, ID {first}–{last}, 하나가 평균 {parts}토큰을 대신합니다',
  '{count} words were tokens already': '이미 토큰인 단어 {count}개',
  'the padding of the vocabulary had room: still {rows} rows, {rest} of them unused':
    '어휘의 여분에 자리가 있었습니다. 그대로 {rows}행이고 {rest}행이 비어 있습니다',
  'vocab_size grew from {before} to {rows} ({rest} rows unused)':
    'vocab_size: {before}에서 {rows}까지 늘었습니다({rest}행이 비어 있음)',
  'What this breaks:\n  the new tokens are found in a text before it is split and merged, wherever their characters\n  stand, also inside longer words; no merge leads to them, vocab.json and merges.txt do not have them\n  {who}; token ids of prepared data, caches and judges of the original are of another text\n  the rows are a beginning: train embedding and head first (train_only: { embed: true, head: true })':
    '달라지는 것:\n  새 토큰은 텍스트를 나누고 병합하기 전에, 더 긴 단어 안까지 포함해 그 글자가 있는 곳 어디서나 찾습니다.\n  이들에 이르는 병합 규칙은 없고, vocab.json과 merges.txt에도 없습니다\n  {who}. 원래 모델로 준비한 데이터와 캐시, 심판의 토큰 ID는 다른 텍스트의 것입니다\n  새 행은 시작일 뿐입니다. 임베딩과 헤드부터 학습하세요(train_only: { embed: true, head: true })',
  'servers and trainers must load this tokenizer': '서버와 학습기는 이 토크나이저를 읽어야 합니다',
  'servers that keep a template of the original shapes, and quantised copies, do not fit':
    '원래 크기를 고정해 둔 서버와 양자화한 사본은 맞지 않습니다',
  'wrote {output}: in {layers} layers {q} rows of q, {k} of k, {v} of v, {ffn} channels of the feed-forward{random}\ntrain them with  trainable_neurons: {output}  in a stage':
    '{output}: 썼습니다. 층 {layers}개에서 q의 행 {q}개, k의 행 {k}개, v의 행 {v}개, feed-forward의 채널 {ffn}개{random}\n단계에  trainable_neurons: {output}  라고 써서 이들을 학습합니다',
  ', drawn at random in these numbers': '(같은 수만큼 무작위로 뽑음)',
  '{output}: {kept} of {records} records, {keptMB} of {allMB} MB':
    '{output}: 레코드 {records}개 중 {kept}개, {allMB} MB 중 {keptMB} MB',
  'perplexities below which lie {quantiles}': '퍼플렉시티의 분위수: {quantiles}',
  kept: '남김',
  'too short': '너무 짧음',
  'broken text': '깨진 텍스트',
  'not korean': '한국어 아님',
  'few letters': '글자 부족',
  jamo: '낱자모',
  'repeated lines': '반복되는 줄',
  'repeated text': '반복되는 글',
  'few sentences': '문장 부족',
  duplicate: '중복',
  perplexity: '퍼플렉시티',
  repetitive: '반복',
  leaked: '벤치마크와 겹침',
  '{file}: {count} records': '{file}: 레코드 {count}개',
  'dropped: {dropped}': '뺀 것: {dropped}',
  '{count} samples in {output}': '{output}: 샘플 {count}개',
  '; left out: {refused}': '. 뺀 것: {refused}',
  'no solution': '풀이 없음',
  'solution not korean': '풀이가 한국어 아님',
  'no english solution': '영어 풀이 없음',
  'steps do not match': '단계가 서로 다름',
  'attempt not different': '시도가 풀이와 같음',
  '{stage} step {step}: the {what} was not finite. {batches} micro-batches of {tokens} tokens are computed again':
    '{stage} 단계 {step}스텝: {what}의 값이 유한하지 않았습니다. {tokens}토큰의 마이크로배치 {batches}개를 다시 계산합니다',
  'every value is finite now: with these weights and this batch the engine does not make it again':
    '이제는 모든 값이 유한합니다. 이 가중치와 이 배치로는 엔진이 같은 값을 다시 내지 않습니다',
  'first:': '처음:',
  'then:': '그다음:',
  '{where}: {message}': '{where}: {message}',
  '{where}, micro-batch {batch}: {message}': '{where}, 마이크로배치 {batch}: {message}',
  weights: '가중치',
  rewards: '보상',
  forward: '순전파',
  'log-probs': '로그 확률',
  backward: '역전파',
  gradient: '그래디언트',
  "reward '{reward}' was {value} for sample {sample}: {completion}":
    "보상 '{reward}': 샘플 {sample}에서 {value}였습니다: {completion}",
  'parameter {name}[{at}] is {value}, as are {more} more of its {length}':
    '파라미터 {name}[{at}]의 값이 {value}입니다. {length}개 중 그런 것이 {more}개 더 있습니다',
  'sample {sample}, token {token} (id {id})': '샘플 {sample}, 토큰 {token} (ID {id})',
  '{tensor} is {value} at {place}, column {column}; {count} of its values are not finite':
    '{tensor}: {place}, {column}번째 열의 값이 {value}입니다. 유한하지 않은 값은 {count}개입니다',
  '{name} is {value} at {place}; {count} tokens in all':
    '{name}: {place}에서 {value}입니다. 그런 토큰은 모두 {count}개입니다',
  'the log-prob': '로그 확률',
  'the sampled log-prob': '샘플링할 때의 로그 확률',
  'the old log-prob': '이전 로그 확률',
  'the reference log-prob': '참조 모델의 로그 확률',
  'the importance weight': '중요도 가중치',
  'the advantage of {whose} {index} is {value}': '{whose} {index}의 어드밴티지가 {value}입니다',
  token: '토큰',
  sample: '샘플',
  'the loss is {loss}': '손실이 {loss}입니다',
  'the gradient of {name}[{at}] is {value}, the first in the order of the backward pass; {count} of its {length} values are not finite':
    '{name}[{at}]의 그래디언트가 {value}입니다. 역전파 순서에서 처음입니다. {length}개 중 유한하지 않은 값은 {count}개입니다',
  '{title}, {model}{shots}, by {mode}{form}': '{title}, {model}{shots}, 방식 {mode}{form}',
  '{model} at {endpoint}': '{model} ({endpoint})',
  ', {shots}-shot': ', 예시 {shots}개',
  ', as HRET': ', HRET과 같게',
  'distinct correct per solved prompt': '푼 프롬프트마다 서로 다른 정답',
  'token entropy (nats)': '토큰 엔트로피(nat)',
  'answer entropy (nats)': '답의 엔트로피(nat)',
  likelihood: '우도',
  'RL keeps held-out pairs (at least SFT − 0.05)': 'RL이 평가용 쌍을 지킵니다(SFT − 0.05 이상)',
  'without KL it narrows (distinct paths ≤ 0.75 × SFT)':
    'KL이 없으면 좁아집니다(서로 다른 경로 ≤ 0.75 × SFT)',
  'with KL it stays open (≥ 1.25 × without)': 'KL이 있으면 열려 있습니다(없을 때의 1.25배 이상)',
  'there is no program wandb (pip install wandb)': 'wandb 프로그램이 없습니다(pip install wandb)',
  'WANDB_API_KEY is set, but {why}; to send it later: {again}':
    'WANDB_API_KEY가 있지만 보내지 못했습니다: {why}. 나중에 보내려면: {again}',
  'wandb ended with {code}: {last}; to send it later: {again}':
    'wandb가 코드 {code} 상태로 끝났습니다: {last}. 나중에 보내려면: {again}',
  'Korean commonsense in steps': '단계별 한국어 상식',
  'GSM8K in Korean': '한국어 GSM8K',
})
