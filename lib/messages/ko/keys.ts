/** What the keys of a recipe mean (`kogrpo train --keys`), in Korean: the run, the model, pretrain and sft. */
import { catalogue } from '../catalogue.ts'

export const keys = catalogue({
  'name of the run; part of the default output directory':
    '실행의 이름. 기본 출력 디렉터리 이름에 들어갑니다',
  'every random number follows from it': '모든 난수가 이 값에서 나옵니다',
  'CPU threads (0 = one per core); results do not depend on it':
    'CPU 스레드 수(0 = 코어마다 하나). 결과는 여기에 좌우되지 않습니다',
  'where the engine computes: the processor, or a GPU by its number (cuda: the first)':
    '엔진이 계산하는 곳: 프로세서, 또는 번호로 고른 GPU(cuda: 첫째)',
  'on a GPU: results do not depend on the batch, to the bit, as always on the CPU; slower':
    'GPU에서: 결과가 CPU에서 늘 그렇듯 배치에 비트까지 좌우되지 않습니다. 느려집니다',
  'what several ranks (kogrpo launch) hold in pieces instead of whole: nothing, the moments of AdamW, also the gradients, or also the weights (ZeRO 1 to 3); no bit of the result changes':
    '여러 랭크(kogrpo launch)가 통째로 두지 않고 나누어 갖는 것: 없음, AdamW의 모멘트, 그래디언트까지, 또는 가중치까지(ZeRO 1~3). 결과는 비트까지 같습니다',
  'with shard: parameters, where the weights are while completions are sampled: whole on every rank, or gathered layer by layer in every step, which needs less memory and more time; auto: whole if they fit':
    'shard: parameters일 때 응답을 생성하는 동안 가중치를 두는 방식: 모든 랭크에 통째로, 또는 매 단계 층마다 모으기(메모리는 적게, 시간은 더 듭니다). auto: 들어가면 통째로',
  'experimental, not for Qwen3: fill in masked tokens instead of predicting the next; for small bidirectional models (config.json: is_causal false)':
    '실험용, Qwen3에는 쓰지 않음: 다음 토큰을 예측하는 대신 가린 토큰을 채웁니다. 작은 양방향 모델용(config.json: is_causal false)',
  "the tokenizer's token that stands for a masked one": '가린 토큰을 나타내는 토크나이저의 토큰',
  'run directory (default: runs/NAME-DATE-TIME)': '실행 디렉터리(기본값: runs/이름-날짜-시각)',
  'the model to start from': '시작할 모델',
  '"builtin:mini", or a Hugging Face directory (config.json, *.safetensors, tokenizer)':
    '"builtin:mini", 또는 Hugging Face 디렉터리(config.json, *.safetensors, 토크나이저)',
  'read the weights, draw them at random (only config.json and tokenizer are read), or read them into a deeper model whose further layers at first add nothing (LLaMA Pro)':
    '가중치를 읽거나, 무작위로 뽑거나(config.json과 토크나이저만 읽음), 처음에는 아무것도 더하지 않는 층을 덧붙인 더 깊은 모델에 읽어 넣습니다(LLaMA Pro)',
  'keys of config.json that differ, for a model of another size (init random), or of more layers (init expanded: num_hidden_layers)':
    'config.json과 다른 키. 크기가 다른 모델(init random)이나 층이 더 많은 모델(init expanded: num_hidden_layers)에 씁니다',
  'what matrix products multiply; bfloat16 is faster, sums and the trained weights stay float32; int8 is smallest, on the CPU, for adapters alone (lora)':
    '행렬 곱이 곱하는 수. bfloat16이 더 빠르고, 합과 학습되는 가중치는 float32로 남습니다. int8은 가장 작고 CPU에서 어댑터(lora)를 학습할 때만 됩니다',
  "AdamW's moments on a GPU with dtype bfloat16; float32 on the CPU always":
    'dtype bfloat16인 GPU에서 AdamW의 모멘트. CPU에서는 늘 float32',
  'recompute activations in the backward pass: less memory, same results':
    '역전파에서 활성값을 다시 계산합니다. 메모리는 줄고 결과는 같습니다',
  'tokens whose logits exist at a time; memory is this × vocabulary × 4 bytes':
    '로짓이 동시에 있는 토큰 수. 메모리는 이 값 × 어휘 × 4바이트',
  'a checkpoint of more is written in several files of whole layers, which ranks share; KB, MB, GB, TB':
    '이보다 큰 체크포인트는 층 단위의 여러 파일로 쓰며, 랭크들이 나누어 씁니다; KB, MB, GB, TB',
  'number format of the checkpoints (float32: exactly the weights in training)':
    '체크포인트의 수 형식(float32: 학습 중의 가중치 그대로)',
  'scale the logits of Chinese tokens, in sampling and in training alike ({} for the defaults)':
    '샘플링과 학습에서 똑같이 중국어 토큰의 로짓을 줄입니다(기본값은 {})',
  'factor on the logits of Chinese tokens (1 = none)': '중국어 토큰의 로짓에 곱하는 수(1 = 그대로)',
  'base of the logarithm by which a broken token is scaled for its risk':
    '깨진 토큰을 위험도에 따라 줄이는 로그의 밑',
  'weights of the risks within 2, 3 and 4 tokens in the risk of a broken token':
    '깨진 토큰의 위험도에서 2, 3, 4토큰 안의 위험이 갖는 가중치',
  'leave alone the symbols of Korean text (「」 ㈜ ㎏ …) and broken tokens with which no Chinese character begins':
    '한국어 글의 기호(「」 ㈜ ㎏ …)와 한자의 첫 부분이 아닌 깨진 토큰은 그대로 둡니다',
  'further characters to leave alone, e.g. "韓國"': '그 밖에 그대로 둘 글자. 예: "韓國"',
  'train low-rank adapters beside the frozen weights in every stage ({} for the defaults); checkpoints are adapters in the format of PEFT':
    '모든 단계에서 가중치는 얼리고 저랭크 어댑터를 학습합니다(기본값은 {}). 체크포인트는 PEFT 형식의 어댑터입니다',
  'rank of the adapters (PEFT: 8)': '어댑터의 랭크(PEFT: 8)',
  'the adapters are scaled by lora_alpha / r (PEFT: 8; TRL: 32)':
    '어댑터에 lora_alpha / r을 곱합니다(PEFT: 8, TRL: 32)',
  "share of the adapters' inputs that is left out in training, at random; the rest is scaled by 1 / (1 − it)":
    '학습할 때 무작위로 빼는 어댑터 입력의 비율 p. 나머지에는 1 / (1 − p)를 곱합니다',
  'projections that get an adapter (PEFT: q_proj and v_proj; here all seven)':
    '어댑터를 붙일 투영(PEFT: q_proj와 v_proj, 여기서는 일곱 모두)',
  'scale by lora_alpha / √r instead (arXiv 2312.03732)':
    '대신 lora_alpha / √r을 곱합니다(arXiv 2312.03732)',
  "seed of the adapters' first values and of lora_dropout (default: the recipe's)":
    '어댑터 첫 값과 lora_dropout의 시드(기본값: 레시피의 것)',
  'next-token training from whole texts': '글 전체로 다음 토큰을 학습합니다',
  'training data, a mixture of sources': '학습 데이터, 소스의 혼합',
  'a built-in set ("mini:sft"), or a .jsonl, .jsonl.gz or .parquet file':
    '내장 데이터셋("mini:sft"), 또는 .jsonl, .jsonl.gz, .parquet 파일',
  'share of this source in the mixture, relative to the others':
    '혼합에서 이 소스가 차지하는, 다른 소스에 견준 몫',
  'take only this many samples (default: all of them)': '이만큼의 샘플만 씁니다(기본값: 모두)',
  'which column of the file holds what, when it is not named so itself':
    '열 이름이 다를 때, 파일의 어느 열에 무엇이 있는가',
  'grpo: what the source is counted under in the metrics domain/NAME/…':
    'grpo: 측정값 domain/NAME/…에서 이 소스를 세는 이름',
  'options of a built-in set (of its generator)': '내장 데이터셋(생성기)의 옵션',
  'held-out data for eval_loss and eval_mean_token_accuracy':
    'eval_loss와 eval_mean_token_accuracy에 쓸 평가용 데이터',
  'tokens in a packed row; the longest sample allowed':
    '묶은 한 행의 토큰 수. 허용되는 가장 긴 샘플',
  'fill a row with several samples; attention never crosses between them':
    '한 행을 여러 샘플로 채웁니다. 어텐션은 샘플 사이를 넘지 않습니다',
  'what to do with a sample of more than max_length tokens': 'max_length토큰보다 긴 샘플의 처리',
  'train only on what the assistant says (with its stop token)':
    '어시스턴트의 말(멈춤 토큰 포함)만 학습합니다',
  'packed rows of max_length tokens in a micro-batch':
    '마이크로배치에 들어가는 max_length토큰짜리 행의 수',
  'micro-batches in an optimizer step': '옵티마이저 한 스텝의 마이크로배치 수',
  'train these tensors, freeze the rest to the bit (no gradient, no moments, no decay)':
    '이 텐서만 학습하고 나머지는 비트까지 얼립니다(그래디언트, 모멘트, 감쇠 없음)',
  'the embedding (of a tied model the head too)': '임베딩(가중치를 공유하는 모델이면 헤드도)',
  'the LM head (of a tied model the embedding too)': 'LM 헤드(가중치를 공유하는 모델이면 임베딩도)',
  'the final norm': '마지막 정규화',
  'whole layers, counted from 0 as in the names of tensors: layer 0 is even':
    '층 전체. 텐서 이름처럼 0부터 세므로 0번 층은 짝수입니다',
  'a mask file of kogrpo neurons: train these rows and columns, freeze the rest':
    'kogrpo neurons의 마스크 파일: 이 행과 열만 학습하고 나머지는 얼립니다',
  'peak learning rate of AdamW': 'AdamW의 최고 학습률',
  'shape of the learning rate after the warm-up (every shape has the warm-up)':
    '워밍업 뒤 학습률의 모양(어느 모양에나 워밍업이 있음)',
  'cosine_with_min_lr: the last learning rate as a share of the peak':
    'cosine_with_min_lr: 최고 학습률에 대한 마지막 학습률의 비율',
  'share of the steps in which the learning rate rises linearly from 0':
    '학습률이 0에서 곧게 오르는 스텝의 비율',
  'number of warm-up steps; goes before warmup_ratio':
    '워밍업 스텝 수. warmup_ratio보다 먼저 봅니다',
  'decay of the mean of the gradient': '그래디언트 평균의 감쇠',
  'decay of the mean of the squared gradient': '그래디언트 제곱 평균의 감쇠',
  'added to the root of the second moment': '둘째 모멘트의 제곱근에 더하는 값',
  'decoupled decay of matrices (norm weights are never decayed)':
    '행렬의 분리된 감쇠(정규화 가중치는 감쇠하지 않음)',
  'clip the gradient to this global norm (0 = no clipping)':
    '그래디언트를 이 전체 크기로 자릅니다(0 = 자르지 않음)',
  'what to do when a reward, the loss or the gradient is NaN or infinite, after the batch is saved for kogrpo replay':
    '보상, 손실, 그래디언트가 NaN이나 무한대일 때, kogrpo replay에 쓸 배치를 저장한 뒤 할 일',
  'number of optimizer steps; goes before num_train_epochs':
    '옵티마이저 스텝 수. num_train_epochs보다 먼저 봅니다',
  'passes over the data': '데이터를 보는 횟수',
  "seed of this stage (default: the recipe's)": '이 단계의 시드(기본값: 레시피의 것)',
  'evaluate every so many steps, and before the first (0 = only at the end of the stage)':
    '이만큼의 스텝마다, 그리고 첫 스텝 전에 평가합니다(0 = 단계 끝에서만)',
  'keep the model that is best by this metric in checkpoints/STAGE-best':
    '이 측정값으로 가장 좋은 모델을 checkpoints/STAGE-best에 둡니다',
  'metric_for_best_model: more of it is better (default: not of losses, entropies, lengths)':
    'metric_for_best_model: 클수록 좋은가(기본값: 손실, 엔트로피, 길이는 아님)',
  'end the stage with the best model (by eval_loss where no metric is named)':
    '단계를 가장 좋은 모델로 끝냅니다(측정값을 정하지 않으면 eval_loss 기준)',
  'write a checkpoint every so many steps (0 = only at the end of the stage)':
    '이만큼의 스텝마다 체크포인트를 씁니다(0 = 단계 끝에서만)',
  'checkpoints of the stage to keep, the latest ones (default: every model, one state to resume from)':
    '단계에서 남길 최근 체크포인트의 수(기본값: 모델은 모두, 이어 갈 상태는 하나)',
  'supervised fine-tuning': '지도 미세조정',
  // eval, watchdog, logging
  'held-out evaluation of the model before training, after sft and after grpo':
    '학습 전, sft 뒤, grpo 뒤의 모델을 평가용 문제로 평가합니다',
  'held-out problems with an answer column': 'answer 열이 있는 평가용 문제',
  'number of problems, taken from the front': '앞에서부터 쓰는 문제의 수',
  'sampling temperature (0 = greedy)': '샘플링 온도(0 = 탐욕적)',
  'sample among the k likeliest tokens (0 = all)': '가장 그럴듯한 k개 토큰에서 뽑습니다(0 = 모두)',
  'sample among the likeliest tokens that hold this much probability':
    '이만큼의 확률을 차지하는 가장 그럴듯한 토큰들에서 뽑습니다',
  'longest completion in tokens': '가장 긴 응답의 토큰 수',
  'completions generated at a time (default: as fits)':
    '한꺼번에 생성하는 응답 수(기본값: 맞는 만큼)',
  'completions of one problem shown at the end': '끝에 응답을 보여 줄 문제의 수',
  'seconds without a sign of life after which a phase ends the run (0 = never)':
    '이만큼의 초 동안 살아 있다는 표시가 없으면 실행을 끝냅니다(0 = 끝내지 않음)',
  'sampling: no further token': '샘플링: 다음 토큰이 없음',
  'reward functions': '보상 함수',
  'the judge: no further verdict': '심판: 다음 판정이 없음',
  'forward, backward, optimizer, loading': '순전파, 역전파, 옵티마이저, 불러오기',
  checkpoints: '체크포인트',
  'evaluation: no further token': '평가: 다음 토큰이 없음',
  'what is reported': '무엇을 보고하는가',
  'print a line every so many steps when not on a terminal (metrics.jsonl has all)':
    '터미널이 아니면 이만큼의 스텝마다 한 줄을 씁니다(metrics.jsonl에는 모두 있음)',
  'write completions.jsonl': 'completions.jsonl을 씁니다',
  "write each token's log-prob with its completion; the report colours by it":
    '응답과 함께 토큰마다 로그 확률을 씁니다. 보고서가 그것으로 색을 입힙니다',
  'write report.html at most this often between evaluations (needs no network)':
    '평가 사이에 많아야 이만큼의 초마다 report.html을 씁니다(네트워크가 필요 없음)',
  'write the metrics to tensorboard/ as event files too':
    '측정값을 tensorboard/에 이벤트 파일로도 씁니다',
  'without a terminal: print a line at least this often':
    '터미널이 아니면 적어도 이만큼의 초마다 한 줄을 씁니다',
})
