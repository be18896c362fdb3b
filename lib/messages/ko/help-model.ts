/** Help of the commands that compute with a model, in Korean. */
import { catalogue } from '../catalogue.ts'

export const helpModel = catalogue({
  'Complete the prompts of a JSONL file': 'JSONL 파일의 프롬프트에 응답을 생성합니다',
  'Completes the prompts of a file. A line has "prompt" (text or messages), "messages", or "tokens" (ids, used as they are); its other columns are copied to the output, and an object "sampling" ({"temperature": 0.6, "max_new_tokens": 64, …}) changes the options for it.':
    '파일의 프롬프트에 응답을 생성합니다. 한 줄에는 "prompt"(텍스트나 메시지), "messages", "tokens"(ID 그대로) 중 하나가 있습니다. 다른 열은 출력에 그대로 옮기고, "sampling" 객체({"temperature": 0.6, "max_new_tokens": 64, …})는 그 줄의 옵션을 바꿉니다.',
  'Output, in the order of the input: index, generation (with --num-generations above 1), prompt_tokens (a number), prompt_ids, tokens, logprobs (under the distribution sampled from), text (without special tokens), finish_reason (stop or length).':
    '출력은 입력 순서대로 index, generation(--num-generations가 1보다 클 때), prompt_tokens(수), prompt_ids, tokens, logprobs(샘플링한 분포에서의 값), text(특수 토큰 제외), finish_reason(stop 또는 length)입니다.',
  'Completion g of line i takes stream i · num-generations + g of the seed: it does not depend on the other lines. A stopped run is taken up again by the same command.':
    'i번째 줄의 g번째 응답은 시드의 i · num-generations + g번 난수열을 쓰므로 다른 줄에 따라 달라지지 않습니다. 멈춘 실행은 같은 명령으로 이어 갑니다.',
  'Hugging Face model directory, a LoRA adapter, or builtin:mini':
    'Hugging Face 모델 디렉터리, LoRA 어댑터, 또는 builtin:mini',
  'Replace the model that is there': '그곳에 있는 모델을 바꿉니다',
  'Hugging Face model directory, or builtin:mini': 'Hugging Face 모델 디렉터리 또는 builtin:mini',
  "The model of an adapter, if it is not where the adapter's config says":
    '어댑터의 바탕 모델(어댑터의 설정에 적힌 곳에 없을 때)',
  "pretrained: the directory's weights; random: weights made from --seed":
    'pretrained: 디렉터리의 가중치, random: --seed로 만든 가중치',
  'What products multiply: float32, bfloat16 (faster), or int8 (smaller; the CPU)':
    '행렬 곱의 자료형: float32, bfloat16(더 빠름), int8(더 작음, CPU 전용)',
  "Suppress Chinese tokens as kogrpo smooth does, without changing weights; a number is min_scale, '{…}' further settings":
    "kogrpo smooth처럼 중국어 토큰을 억제하되 가중치는 그대로 둡니다. 수를 주면 min_scale, '{…}'를 주면 더 자세한 설정입니다",
  'A .jsonl, .jsonl.gz or .parquet file, or - for stdin':
    '.jsonl, .jsonl.gz, .parquet 파일, 또는 표준 입력은 -',
  'File to write, or - for stdout': '쓸 파일, 또는 표준 출력은 -',
  'Logits are divided by it; 0 takes the likeliest token':
    '로짓을 이 값으로 나눕니다. 0이면 가장 그럴듯한 토큰을 고릅니다',
  'Logits are divided by it': '로짓을 이 값으로 나눕니다',
  'Sample from the k likeliest tokens (0: all)': '가장 그럴듯한 k개 토큰에서 뽑습니다(0: 전부)',
  'Sample from the likeliest tokens that together have this share':
    '합친 확률이 이만큼 되는 가장 그럴듯한 토큰에서 뽑습니다',
  'Sample from tokens at least this likely, relative to the likeliest':
    '가장 그럴듯한 토큰에 견주어 확률이 이 비율 이상인 토큰에서 뽑습니다',
  "Longest completion; the model's context ends it too":
    '응답의 최대 길이. 모델의 문맥이 끝나도 끝납니다',
  'Completions of each line': '줄마다의 응답 수',
  'Passed to the chat template; --no-enable-thinking asks for no thinking':
    '채팅 템플릿에 넘깁니다. --no-enable-thinking은 생각 없이 답하게 합니다',
  'System message for conversations that have none':
    '시스템 메시지가 없는 대화에 넣을 시스템 메시지',
  'System message': '시스템 메시지',
  'Completions running at once; results do not depend on it':
    '한꺼번에 생성하는 응답 수. 결과는 이 값에 따라 달라지지 않습니다',
  'Completions running at once': '한꺼번에 생성하는 응답 수',
  'one completion a line': '줄마다 응답 하나',
  'Log-probabilities and entropies of the tokens of a JSONL file':
    'JSONL 파일에 있는 토큰의 로그 확률과 엔트로피를 계산합니다',
  'Log-probabilities and entropies of the tokens of a file. A line has "tokens" (ids), "messages" (put into the chat template, without a generation prompt) or "text"; "tokens" win over the others, and follow "prompt_ids" where the line has these, as the output of generate does. Other columns are copied to the output.':
    '파일에 있는 토큰의 로그 확률과 엔트로피를 계산합니다. 한 줄에는 "tokens"(ID), "messages"(채팅 템플릿에 넣되 생성 프롬프트는 없음), "text" 중 하나가 있습니다. "tokens"가 우선하며, generate의 출력처럼 "prompt_ids"가 있으면 그 뒤에 이어집니다. 다른 열은 출력에 그대로 옮깁니다.',
  'Output, in the order of the input: index, tokens, logprobs and entropies (nats), one of each per token; the first of both is null where nothing precedes the token.':
    '출력은 입력 순서대로 index, tokens, 그리고 토큰마다 하나씩인 logprobs와 entropies(nat)입니다. 앞에 아무것도 없는 첫 토큰의 두 값은 null입니다.',
  "Ids that share the probability: full (the model's) or tokenizer (as in sampling)":
    '확률을 나누어 갖는 ID: full(모델 전체) 또는 tokenizer(샘플링할 때처럼)',
  'Tokens computed at a time; results do not depend on it':
    '한 번에 계산하는 토큰 수. 결과는 이 값에 따라 달라지지 않습니다',
  'Evaluate a model on a benchmark': '벤치마크로 모델을 평가합니다',
  'Benchmarks, as published (docs/eval.md has a row of each):':
    '공개된 형식 그대로의 벤치마크(각각의 한 줄은 docs/eval.md에 있습니다):',
  'Multiple choice is scored by log-likelihood, or by the answers with --mode generation; mathematics by the verifier of the accuracy reward, code in the sandbox. With --num-samples n: avg@n, pass@k, the vote and the likeliest. kogrpo eval compare puts several such files on one table.':
    '객관식은 로그 우도로, --mode generation이면 생성한 답으로 채점합니다. 수학은 정확도 보상의 검증기로, 코드는 샌드박스에서 채점합니다. --num-samples n이면 avg@n, pass@k, 다수결, 가장 그럴듯한 답을 냅니다. kogrpo eval compare는 이런 파일 여럿을 한 표에 놓습니다.',
  'Name of the benchmark': '벤치마크의 이름',
  'Its directory or file, as published': '공개된 그대로의 디렉터리나 파일',
  'JSONL file of rows to write': '행을 쓸 JSONL 파일',
  'OpenAI-compatible endpoint instead, e.g. http://localhost:8000/v1':
    '모델 대신 쓸 OpenAI 호환 엔드포인트(예: http://localhost:8000/v1)',
  'Model name sent to the endpoint': '엔드포인트에 보낼 모델 이름',
  'Environment variable that holds the key of the endpoint': '엔드포인트의 키가 든 환경 변수',
  'Seconds that one reply of the endpoint may take':
    '엔드포인트의 응답 하나가 걸려도 되는 시간(초)',
  'Requests in flight at the endpoint': '엔드포인트에 한꺼번에 보내는 요청 수',
  'Part of the data to ask': '물어볼 데이터의 분할',
  "the benchmark's": '벤치마크의 값',
  'Questions of each subset': '하위 집합마다의 문제 수',
  'Of multiple choice: likelihood or generation': '객관식 채점: likelihood 또는 generation',
  'Examples above each question': '문제 앞에 놓을 예시 수',
  'File of examples': '예시 파일',
  'the few-shot split of --data': '--data의 퓨샷 분할',
  "hret: the HAE-RAE toolkit's prompts, extraction and matching":
    'hret: HAE-RAE 도구의 프롬프트, 추출, 대조 방식',
  'Recipe whose grpo.oracle.judge decides what is right':
    '맞고 틀림을 정할 grpo.oracle.judge가 있는 레시피',
  'Samples of each question': '문제마다의 샘플 수',
  '0; 0.6 for samples': '0, 샘플이 여럿이면 0.6',
  'five-shot KMMLU by likelihood': '우도로 채점하는 5-shot KMMLU',
  'avg@8, pass@k and the vote': 'avg@8, pass@k, 다수결',
  'Put evaluations of several checkpoints on one table':
    '여러 체크포인트의 평가를 한 표에 놓습니다',
  'Compares files that kogrpo eval wrote (--output) with the first of them, question by question. A difference that chance alone would make is called so.':
    'kogrpo eval이 쓴 파일(--output)들을 첫 파일과 문제마다 짝지어 비교합니다. 우연만으로도 생길 차이는 그렇다고 말합니다.',
  'three checkpoints': '체크포인트 셋',
  'Files of rows, of the same benchmark and data': '같은 벤치마크와 데이터의 행 파일들',
  'JSON file to write as well': '함께 쓸 JSON 파일',
  'pass@1 to pass@k, distinct right answers, entropies of a model':
    '모델의 pass@1에서 pass@k까지, 서로 다른 정답의 수, 엔트로피를 잽니다',
  'Samples k completions of prompts of the grpo stage: pass@1, 2, 4 … k, how many different right completions a solved prompt has, entropy of the tokens and of the answers. RL that raises pass@1 while pass@k falls has only become narrower.':
    'grpo 단계의 프롬프트에서 응답을 k개씩 뽑아 pass@1, 2, 4 … k, 푼 프롬프트에서 서로 다른 맞은 응답의 수, 토큰과 답의 엔트로피를 잽니다. pass@1은 오르는데 pass@k가 내려가면 강화학습으로 폭만 좁아진 것입니다.',
  'Write a model with a LoRA adapter in its weights': 'LoRA 어댑터를 가중치에 합친 모델을 씁니다',
  "Adds scale · B · A to each matrix that the adapter is on (PEFT's merge_and_unload) and writes an ordinary checkpoint, which needs no adapter. The sum is made in fp32 and rounded once, so in bf16 it is not quite the model that was trained; kogrpo itself runs adapters as they are.":
    '어댑터가 붙은 행렬마다 scale · B · A를 더해(PEFT의 merge_and_unload) 어댑터가 필요 없는 보통 체크포인트를 씁니다. 합은 fp32로 계산해 한 번만 반올림하므로, bf16에서는 학습한 모델과 아주 조금 다릅니다. kogrpo 자신은 어댑터를 그대로 실행합니다.',
  'Directory of the adapter (adapter_config.json, adapter_model.safetensors)':
    '어댑터의 디렉터리(adapter_config.json, adapter_model.safetensors)',
  "The adapter's model, if it is not where its config says":
    '어댑터의 바탕 모델(설정에 적힌 곳에 없을 때)',
  'float32 or bfloat16': 'float32 또는 bfloat16',
  'Write a model that hardly writes Chinese': '중국어를 거의 쓰지 않는 모델을 씁니다',
  'Scales the LM-head rows of Chinese tokens (Smoothie-Qwen, arXiv 2507.05686), and of tokens that are half a character by their risk of becoming a Chinese one. Every other weight stays as it is. To have the same without changing weights: model.smooth in a recipe, --smooth of generate and score.':
    '중국어 토큰의 LM 헤드 행을 줄이고(Smoothie-Qwen, arXiv 2507.05686), 글자의 일부인 토큰은 중국어 글자가 될 위험만큼 줄입니다. 다른 가중치는 그대로입니다. 가중치를 바꾸지 않고 같은 효과를 얻으려면 레시피의 model.smooth나 generate와 score의 --smooth를 쓰세요.',
  'Model directory to write': '쓸 모델 디렉터리',
  'Factor on the logits of Chinese tokens': '중국어 토큰의 로짓에 곱할 계수',
  'Base of the logarithm by which a broken token is scaled': '깨진 토큰을 줄이는 로그의 밑',
  'Weights of the risks within 2, 3 and 4 tokens': '2, 3, 4토큰 안의 위험에 주는 가중치',
  'leave alone the symbols of Korean text (「」 ㈜ ㎏ …) and broken tokens with which no Chinese character begins':
    '한국어 글의 기호(「」 ㈜ ㎏ …)와 중국어 글자가 시작될 수 없는 깨진 토큰은 그대로 둡니다',
  'true; --no-keep-korean: as published': 'true, --no-keep-korean이면 논문 그대로',
  'further characters to leave alone, e.g. "韓國"': '더 그대로 둘 글자(예: "韓國")',
  'Print what would be scaled, write nothing': '무엇을 줄일지 출력만 하고 쓰지 않습니다',
  'the starting point of the paper': '논문의 출발점',
  'only say what it would touch': '무엇을 건드리는지만 알아봄',
  "A model over HTTP, in OpenAI's protocol": '모델을 OpenAI 프로토콜의 HTTP로 제공합니다',
  'Serves /v1/completions, /v1/chat/completions, /v1/models, /health and /metrics. Completions do not depend on what else is asked for at the same time. Stops on SIGTERM or Ctrl-C.':
    '/v1/completions, /v1/chat/completions, /v1/models, /health, /metrics를 제공합니다. 응답은 동시에 들어온 다른 요청에 따라 달라지지 않습니다. SIGTERM이나 Ctrl-C로 멈춥니다.',
  'A model directory, or builtin:mini': '모델 디렉터리 또는 builtin:mini',
  'Address to listen on': '연결을 받을 주소',
  '127.0.0.1, this machine only': '127.0.0.1, 이 컴퓨터에서만',
  'Port (0: any)': '포트(0: 아무거나)',
  'Key that clients must send (better: KOGRPO_API_KEY)':
    '클라이언트가 보내야 하는 키(KOGRPO_API_KEY가 더 좋습니다)',
  'Name of the model': '모델의 이름',
  "the directory's": '디렉터리의 이름',
  'Prompt tokens read per step': '스텝마다 읽는 프롬프트 토큰 수',
  'Completions that may wait': '기다릴 수 있는 응답 수',
  'Longest completion': '응답의 최대 길이',
  "the model's context": '모델의 문맥 길이',
  'Largest request': '요청의 최대 크기',
  'Keys and values': '키와 값의 캐시',
  'half of what is free': '남은 메모리의 절반',
  'Seconds a request may take': '요청 하나에 허용하는 시간(초)',
  'Seconds to finish requests when stopped': '멈출 때 요청을 마칠 시간(초)',
  'Measure the engine on this machine': '이 컴퓨터에서 엔진을 잽니다',
  'Measures the engine; a JSON object a line.': '엔진을 잽니다. 한 줄에 JSON 객체 하나입니다.',
  'What to measure: gemm, attention, lm_head, train, score, generate, grpo, shared_prefix, decode':
    '무엇을 잴지: gemm, attention, lm_head, train, score, generate, grpo, shared_prefix, decode',
  'A config.json': 'config.json 파일',
  'hidden 256, 4 layers, vocabulary 2,048': '은닉 256, 4층, 어휘 2,048',
  'Sequences (generate: prompts, each with one completion; grpo: prompts)':
    '시퀀스 수(generate: 응답이 하나씩인 프롬프트 수, grpo: 프롬프트 수)',
  'Tokens of a sequence': '시퀀스의 토큰 수',
  'Tokens of a prompt': '프롬프트의 토큰 수',
  'Tokens of a completion': '응답의 토큰 수',
  'Completions of a prompt': '프롬프트마다의 응답 수',
  'grpo: sequences of a micro-batch (0 = all at once)':
    'grpo: 마이크로배치의 시퀀스 수(0 = 한꺼번에)',
  'gemm: rows of x in y[m,n] = x[m,k]·wᵀ (with --n and --k; without: a list of shapes)':
    'gemm: y[m,n] = x[m,k]·wᵀ에서 x의 행 수(--n, --k와 함께. 없으면 여러 모양)',
  'gemm: columns of y': 'gemm: y의 열 수',
  'gemm: columns of x': 'gemm: x의 열 수',
  'Timed runs after the warm-up': '예열 뒤에 시간을 잴 횟수',
  'one matrix product': '행렬 곱 하나',
  'a whole GRPO step': 'GRPO 스텝 전체',
  'Find the neurons of a language, for a stage that trains these alone':
    '한 언어의 뉴런을 찾아, 그것만 학습하는 단계에 쓸 마스크를 만듭니다',
  'Scores every neuron by what it adds to its layer on a document (2402.18815), keeps the highest of each matrix, and of these the ones that recur in the documents of the language and belong to no contrast language. The file says which rows of q, k, v and up_proj and which columns of down_proj a stage with trainable_neurons trains; everything else is frozen to the bit.':
    '문서마다 각 뉴런이 층의 출력에 더하는 몫을 점수로 매기고(2402.18815), 행렬마다 점수가 높은 것 가운데 그 언어의 문서에 거듭 나오면서 대조 언어에는 속하지 않는 것을 고릅니다. 파일에는 trainable_neurons 단계가 학습할 q, k, v, up_proj의 행과 down_proj의 열이 담깁니다. 나머지는 한 비트도 바뀌지 않습니다.',
  'Documents of the language (JSONL or Parquet: text or messages)':
    '그 언어의 문서(JSONL이나 Parquet의 text 또는 messages)',
  'Documents of another language, whose neurons are taken out; may be given again':
    '뉴런을 빼낼 다른 언어의 문서. 여러 번 줄 수 있습니다',
  'The mask file to write': '쓸 마스크 파일',
  'Columns of other names, e.g. text=body': '이름이 다른 열. 예: text=body',
  'Documents of each language': '언어마다 읽을 문서 수',
  'Tokens of a document that are read': '문서에서 읽을 토큰 수',
  'Highest rows of each of q, k and v kept per document':
    '문서마다 남길 q, k, v 각각의 점수가 높은 행의 수',
  'Highest channels of a feed-forward kept per document':
    '문서마다 남길 피드포워드의 점수가 높은 채널의 수',
  "Share of a language's documents in which a neuron must recur":
    '뉴런이 거듭 나와야 하는 그 언어 문서의 비율',
  'first:N, last:N, all, or a list such as 0,1,2': 'first:N, last:N, all 또는 0,1,2 같은 목록',
  'At most so many neurons of a matrix, the highest by mean score':
    '행렬마다 평균 점수가 높은 뉴런을 많아야 이만큼 고릅니다',
  'Write as many neurons of the same matrices drawn by --seed instead: the control':
    '같은 행렬에서 같은 수의 뉴런을 --seed로 무작위로 뽑아 씁니다(대조군)',
  'early layers only': '앞쪽 층만',
  'Write a model with new tokens': '새 토큰을 더한 모델을 씁니다',
  'Adds tokens to a model (RedWhale, arXiv 2408.11294): each new row of embedding and LM head begins as the mean of the rows of the tokens that wrote it so far. Everything else keeps its bits. Qwen3 has Korean tokens; whether more of them pay is to be measured first (kogrpo data check shows tokens per character).':
    '모델에 토큰을 더합니다(RedWhale, arXiv 2408.11294). 임베딩과 LM 헤드의 새 행은 지금까지 그 낱말을 적던 토큰들의 행의 평균에서 시작하고, 나머지는 한 비트도 바뀌지 않습니다. Qwen3에는 한국어 토큰이 이미 있으므로, 더 넣을 값어치가 있는지 먼저 재 보세요(kogrpo data check가 글자당 토큰 수를 보여 줍니다).',
  'File with one new token a line': '한 줄에 새 토큰 하나씩 적은 파일',
  'subtoken_mean, mean (of all rows) or random': 'subtoken_mean, mean(모든 행의 평균) 또는 random',
  'Rows are a multiple of it where the padding does not suffice':
    '여분의 행이 모자라면 행 수를 이 값의 배수로 늘립니다',
  'Learn a reward per token from expert traces': '전문가 풀이에서 토큰별 보상을 배웁니다',
  'Learns to tell expert traces (prompt and completion, or messages) from samples of a policy (the output of kogrpo generate) and from copies with a planted mistake, at every token. The result ranks samples (kogrpo rerank). See docs/reward-model.md.':
    '전문가 풀이(prompt와 completion, 또는 messages)를 정책의 샘플(kogrpo generate의 출력)과 일부러 틀리게 고친 사본에서 토큰마다 구별하도록 배웁니다. 결과로 샘플의 순위를 매깁니다(kogrpo rerank). docs/reward-model.md를 보세요.',
  'Language model or reward model to begin with': '시작할 언어 모델 또는 보상 모델',
  'Expert traces': '전문가 풀이',
  'Samples of the policy': '정책의 샘플',
  'Directory to write': '쓸 디렉터리',
  'Columns of the expert traces: prompt=question,completion=solution':
    '전문가 풀이의 열: prompt=question,completion=solution',
  'What is trained: all, or the head on frozen weights':
    '학습 대상: all(전부) 또는 head(가중치를 얼리고 헤드만)',
  'Optimizer steps': '최적화 스텝 수',
  'Experts, and samples of the policy, in a step':
    '한 스텝의 전문가 풀이 수(정책의 샘플도 같은 수)',
  'Copies with a mistake per expert and step': '스텝마다 풀이 하나에서 만드는 틀린 사본의 수',
  'Kinds of mistakes: numeral, operation, answer, particle, ending, or none':
    '틀리게 고치는 종류: numeral, operation, answer, particle, ending, 또는 none',
  'Uncertainty of the labels': '라벨의 불확실성',
  'AdamW learning rate; of the head alone 1e-3': 'AdamW 학습률. 헤드만 학습하면 1e-3',
  'AdamW weight decay': 'AdamW 가중치 감쇠',
  'Longer traces are left out, in tokens': '이보다 긴 풀이는 뺍니다(토큰 수)',
  'Share held out to measure on': '평가용으로 떼어 둘 비율',
  'Print the figures as JSON': '수치를 JSON으로 출력합니다',
  'Choose the best of several samples by a reward model':
    '보상 모델로 여러 샘플 중 가장 좋은 것을 고릅니다',
  'Reads the output of kogrpo generate --num-generations N and writes, for each prompt, the sample that the reward model scores highest, with columns reward, rewards (of all), chosen and token_rewards (log-odds that an expert wrote the token).':
    'kogrpo generate --num-generations N의 출력을 읽어 프롬프트마다 보상 모델의 점수가 가장 높은 샘플을 씁니다. reward, rewards(모든 샘플), chosen, token_rewards(그 토큰을 전문가가 썼을 로그 오즈) 열이 붙습니다.',
  'Reward model': '보상 모델',
  Samples: '샘플',
  'File to write, or -': '쓸 파일 또는 -',
  'Samples of each prompt': '프롬프트마다의 샘플 수',
  'Score of a sample from its tokens: mean, min or last':
    '토큰의 보상에서 샘플의 점수를 내는 방법: mean, min, last',
  'Prompts whose chosen sample is shown token by token': '고른 샘플을 토큰별로 보여 줄 프롬프트 수',
  'of each 8 samples the best; three of them token by token':
    '샘플 8개 중 가장 좋은 것. 그중 셋은 토큰별로',
  'samples: the output of kogrpo generate': 'samples: kogrpo generate의 출력',
})
