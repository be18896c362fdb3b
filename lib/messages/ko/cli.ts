/** What is wrong with a command line, in Korean. */
import { catalogue } from '../catalogue.ts'

export const cli = catalogue({
  '--{option}: expected a URL such as http://localhost:8000/v1, without user, password or query, got "{word}"':
    '--{option}: http://localhost:8000/v1 같은 URL이어야 하며 사용자, 비밀번호, 쿼리가 없어야 합니다. 받은 값: "{word}"',
  '--{name}: has no effect without --endpoint; remove it':
    '--{name}: --endpoint가 없으면 효과가 없습니다. 빼세요',
  'is the model that is read; name another directory':
    '읽고 있는 모델 자신입니다. 다른 디렉터리를 지정하세요',
  'is a file; name a directory': '파일입니다. 디렉터리를 지정하세요',
  'is not empty; name another directory, or add --overwrite to replace a model':
    '비어 있지 않습니다. 다른 디렉터리를 지정하거나, 모델을 바꾸려면 --overwrite를 붙이세요',
  '--{name}: --mode {mode} does not have it{hint}':
    '--{name}: --mode {mode}에는 없는 옵션입니다{hint}',
  '; it has {names}': '. 쓸 수 있는 옵션: {names}',
  '--m, --n and --k go together: --{missing} is missing':
    '--m, --n, --k는 함께 주어야 합니다. 빠진 옵션: --{missing}',
  '--columns: expected NAME=COLUMN,…, e.g. prompt=question, got "{word}"':
    '--columns: 이름=열,… 꼴이어야 합니다(예: prompt=question). 받은 값: "{word}"',
  '{mistakes} records make no sample; mend or remove them':
    '샘플로 만들 수 없는 레코드가 {mistakes}개 있습니다. 고치거나 지우세요',
  '{from} to {to}': '{from} 이상 {to} 이하',
  'required: --output': '필수 옵션: --output',
  '{input}: no record is left for training; {dropped}':
    '{input}: 학습에 쓸 레코드가 하나도 남지 않았습니다. 제외된 레코드: {dropped}',
  'training cannot run here; see {failed} above':
    '이 컴퓨터에서는 학습할 수 없습니다. 위에서 다음 항목을 확인하세요: {failed}',
  'the run failed with code {code}': '실행이 코드 {code}번으로 실패했습니다',
  'kogrpo: unexpected error': 'kogrpo: 예상하지 못한 오류',
  ' (KOGRPO_DEBUG=1 shows where)': ' (KOGRPO_DEBUG=1로 실행하면 발생한 위치가 보입니다)',
  '--judge {judge}: has no grpo.oracle.judge':
    '--judge {judge}: 레시피에 grpo.oracle.judge가 없습니다',
  '--{name}: has no effect with --mode likelihood, which samples nothing; remove it':
    '--{name}: --mode likelihood에서는 아무것도 생성하지 않으므로 효과가 없습니다. 지우세요',
  '--judge: has no effect, because this decides: {what}; leave one out':
    '--judge: 아무 효과가 없습니다. 다음이 정답을 정합니다: {what}. 하나를 빼세요',
  'the unit tests of the benchmark': '벤치마크의 단위 테스트',
  '--compat and --judge read answers': '--compat과 --judge는 생성된 답을 읽습니다',
  '{title} has no options': '{title}에는 선택지가 없습니다',
  '--mode likelihood: {why}; use --mode generation':
    '--mode likelihood: {why}. --mode generation을 쓰세요',
  '--num-samples above 1 needs --mode generation and a temperature above 0: equal samples say nothing':
    '--num-samples를 1보다 크게 하려면 --mode generation과 0보다 큰 온도가 필요합니다. 똑같은 샘플은 알려 주는 것이 없습니다',
  'give --model DIR or --endpoint URL, one of them\nSee: kogrpo eval --help':
    '--model DIR와 --endpoint URL 중 하나만 주세요\n도움말: kogrpo eval --help',
  '--endpoint needs --endpoint-model, the name that the server knows':
    '--endpoint에는 서버가 아는 모델 이름인 --endpoint-model이 필요합니다',
  '--output -: the figures need a file; name one':
    '--output -: 수치를 쓸 파일이 필요합니다. 파일 이름을 주세요',
  '--num-fewshot: {title} publishes no examples; name a file of its format by --fewshot-data':
    '--num-fewshot: {title}에는 공개된 예시가 없습니다. 같은 형식의 파일을 --fewshot-data로 지정하세요',
  "the prompt has {length} tokens and leaves no room in the model's context of {context} (max_position_embeddings)":
    '프롬프트가 {length}토큰이어서 모델의 문맥 길이 {context}(max_position_embeddings)에 응답이 들어갈 자리가 없습니다',
  'a prompt and a completion (or messages)': '프롬프트와 응답(prompt와 completion, 또는 messages)',
  'a prompt and an answer': '프롬프트와 정답(prompt와 answer)',
  '{path}: found no columns for {needs} among {columns}; rename them, or write the recipe\'s "columns" by hand':
    '{path}: {needs}에 해당하는 열을 찾지 못했습니다(있는 열: {columns}). 열 이름을 바꾸거나 레시피의 "columns"를 직접 쓰세요',
  'the file holds no records': '파일에 레코드가 없습니다',
  '{file}: expected a name that ends in .yaml': '{file}: 이름이 .yaml로 끝나야 합니다',
  'Model to start from (a Hugging Face directory)': '시작할 모델 (Hugging Face 디렉터리)',
  'Examples to learn from (.jsonl or .parquet; empty: none)':
    '배울 예시 (.jsonl 또는 .parquet, 비우면 없음)',
  'Problems with answers for reinforcement learning (empty: none)':
    '강화 학습에 쓸, 답이 있는 문제 (비우면 없음)',
  'stopped before the last answer; nothing was written':
    '마지막 답 전에 멈추어 아무것도 쓰지 않았습니다',
  '{file} exists; choose another name, or add --overwrite':
    '{file}: 이미 있는 파일입니다. 다른 이름을 고르거나 --overwrite를 붙이세요',
  '--judge and --judge-model go together': '--judge와 --judge-model은 함께 주어야 합니다',
  'nothing to train on: give --data (examples to learn from), --problems (questions with answers), or both; the miniature needs no recipe: npx kogrpo train':
    '학습할 데이터가 없습니다. --data(배울 예시)나 --problems(정답이 있는 문제), 또는 둘 다 주세요. 미니어처는 레시피 없이 돌아갑니다: npx kogrpo train',
  'cannot write {file}: {reason}': '{file}: 쓸 수 없습니다: {reason}',
  'which judge? Give --config RECIPE, or --judge.kind openai --judge.base_url URL --judge.model NAME':
    '어느 심판입니까? --config 레시피를 주거나, --judge.kind openai --judge.base_url URL --judge.model 이름을 주세요',
  '{config} has no grpo.oracle.judge to calibrate': '{config}: 측정할 grpo.oracle.judge가 없습니다',
  'needs a value': '값이 필요합니다',
  '--{name} must be a whole number of at least {least}': '--{name}: {least} 이상의 정수여야 합니다',
  'kogrpo launch starts ranks of a training: kogrpo launch --nproc-per-node 4 train recipe.yaml':
    'kogrpo launch는 학습의 랭크들을 시작합니다: kogrpo launch --nproc-per-node 4 train recipe.yaml',
  '--nnodes needs --rdzv-endpoint host:port, an address of node 0':
    '--nnodes에는 0번 노드의 주소인 --rdzv-endpoint 호스트:포트가 필요합니다',
  '--node-rank must be below --nnodes {nnodes}':
    '--node-rank는 --nnodes({nnodes})보다 작아야 합니다',
  '--max-restarts takes the run up from its directory: give train an --output-dir (and a recipe with save_steps)':
    '--max-restarts는 실행 디렉터리에서 이어 갑니다. train에 --output-dir을 주세요(레시피에는 save_steps)',
  'required: {options}': '필수 옵션: {options}',
  'unknown option --{name}{hint}': '알 수 없는 옵션 --{name}{hint}',
  'unexpected arguments: {words}': '예상하지 못한 인수: {words}',
  'unexpected argument: {words}': '예상하지 못한 인수: {words}',
  'Not enough non-option arguments: got {got}, need at least {need}':
    '옵션이 아닌 인수가 모자랍니다: {got}개를 받았고 {need}개 이상 필요합니다',
  '{name}: expected one of {actions}': '{name}: 다음 중 하나가 와야 합니다: {actions}',
  'expected a command before {name}: one of {commands}':
    '{name} 앞에 명령이 와야 합니다: {commands}',
  'unknown command "{name}"{hint}': '알 수 없는 명령 "{name}"{hint}',
  '; commands: {commands}': '. 명령: {commands}',
  '{message}\nSee: kogrpo {name} --help': '{message}\n도움말: kogrpo {name} --help',
  '--model {model}: cannot be read: {reason}; give a Hugging Face directory or builtin:mini':
    '--model {model}: 읽을 수 없습니다: {reason}. Hugging Face 디렉터리나 builtin:mini를 주세요',
  'at least {limit}': '{limit} 이상',
  '--{option}: expected a whole number, {range}, got "{word}"':
    '--{option}: {range}의 정수여야 합니다. 받은 값: "{word}"',
  '{name}: expected one of {words}, got "{word}"{hint}':
    '{name}: {words} 중 하나여야 합니다. 받은 값: "{word}"{hint}',
  '--{option}: expected some text, got ""': '--{option}: 빈 값("")은 쓸 수 없습니다',
  '{stage} needs {bytes} of {capacity}; kogrpo plan says what for, and how long a step takes':
    '{stage}: 필요한 메모리 {bytes}, 이 컴퓨터 {capacity}. 무엇에 쓰이고 한 스텝이 얼마나 걸리는지는 kogrpo plan이 알려 줍니다',
  '--ranks is of this machine; write e.g. --gpus 4xCPU-16GB':
    '--ranks는 이 컴퓨터의 것입니다. 예를 들어 --gpus 4xCPU-16GB라고 쓰세요',
  '{recipe} has no sft and no grpo': '{recipe}: sft도 grpo도 없습니다',
  '--input {path}: cannot be read: {reason}': '--input {path}: 읽을 수 없습니다: {reason}',
  'required: {options}\nSee: kogrpo {command} --help':
    '필수 옵션: {options}\n도움말: kogrpo {command} --help',
  '--{option} {path} is the same file as {other}; name another':
    '--{option} {path}: {other} 파일과 같은 파일입니다. 다른 파일을 지정하세요',
  'the reader has gone': '읽는 쪽이 닫혔습니다',
  'cannot be written: {reason}; what is done is kept in {partial}, and the same command goes on from there':
    '쓸 수 없습니다: {reason}. 마친 것은 {partial} 파일에 두었으며, 같은 명령을 다시 주면 거기서 이어 갑니다',
  'cannot be written: {reason}': '쓸 수 없습니다: {reason}',
  'is a directory; name a file in it': '디렉터리입니다. 그 안의 파일을 지정하세요',
  '--port: goes with --watch': '--port: --watch와 함께 씁니다',
  '--output: name the file that the comparison of several runs is written to':
    '--output: 여러 실행을 비교한 결과를 쓸 파일을 지정하세요',
  'cannot write {output}: {reason}': '{output}: 쓸 수 없습니다: {reason}',
  '--output: does not go with --watch': '--output: --watch와 함께 쓸 수 없습니다',
  '--{option}: expected a number, {range}, got "{word}"':
    '--{option}: {range}의 수여야 합니다. 받은 값: "{word}"',
  'above {low} and at most {high}': '{low} 초과 {high} 이하',
  "the log-probability of token {odd} is {logprob}; the model's weights hold NaN or overflow":
    '{odd}번 토큰의 로그 확률이 {logprob}입니다. 모델의 가중치에 NaN이 있거나 오버플로가 났습니다',
  'above {low}': '{low} 초과',
  '"{column}" is not a list of token ids': '"{column}" 열이 토큰 ID의 목록이 아닙니다',
  '"{column}"[{i}] is {id}; expected a token id below {limit}{remedy}':
    '"{column}"[{i}]의 값이 {id}입니다. {limit}보다 작은 토큰 ID여야 합니다{remedy}',
  '"tokens" is empty; a prompt needs a token':
    '"tokens"가 비어 있습니다. 프롬프트에는 토큰이 하나라도 있어야 합니다',
  'plain "text" is no prompt; give "prompt", "messages" or "tokens"':
    '"text"만으로는 프롬프트가 되지 않습니다. "prompt", "messages", "tokens" 중 하나를 주세요',
  'the messages end with the assistant; leave its answer out, or give "tokens" to continue it':
    '메시지가 assistant로 끝납니다. 그 답을 빼거나, 이어 쓰게 하려면 "tokens"를 주세요',
  ' (--vocab full allows all of the model)': ' (--vocab full은 모델의 모든 ID를 허용합니다)',
  '"tokens" is empty; there is nothing to score': '"tokens"가 비어 있어 점수를 매길 것이 없습니다',
  'the text is empty; there is nothing to score': '텍스트가 비어 있어 점수를 매길 것이 없습니다',
  'required: a model directory or builtin:mini': '모델 디렉터리나 builtin:mini가 필요합니다',
  'KOGRPO_API_KEY is empty; unset it or give a key':
    'KOGRPO_API_KEY가 비어 있습니다. 변수를 없애거나 키를 넣으세요',
  '--smooth: expected nothing, a number (min_scale), or keys such as \'{min_scale: 0.4}\', got "{word}"':
    '--smooth: 값 없이 쓰거나, 수(min_scale)나 \'{min_scale: 0.4}\' 같은 키를 주어야 합니다. 받은 값: "{word}"',
  '--ngram-weights: expected numbers such as 0.5,0.3,0.2, got "{word}"':
    '--ngram-weights: 0.5,0.3,0.2 같은 수들이어야 합니다. 받은 값: "{word}"',
  'required: --output DIR (or --dry-run, to see what would be scaled)':
    '필수 옵션: --output DIR (무엇이 바뀌는지만 보려면 --dry-run)',
  '--layers: expected first:N, last:N, all or a list of layers below {count}, got "{word}"':
    '--layers: first:N, last:N, all, 또는 {count}보다 작은 층 번호의 목록이어야 합니다. 받은 값: "{word}"',
  '--tokens {file}: cannot be read: {reason}': '--tokens {file}: 읽을 수 없습니다: {reason}',
  '{model} is an adapter; merge it first (kogrpo merge), then extend the merged model':
    '{model}: 어댑터입니다. 먼저 병합한 뒤(kogrpo merge) 병합한 모델을 늘리세요',
  '--output-dir: the run goes on in {path}, where it is; remove it':
    '--output-dir: 실행은 있던 곳 {path}에서 이어집니다. 이 옵션을 빼세요',
  '--{name}: a recipe says it itself; remove it':
    '--{name}: 레시피에 이미 있는 설정입니다. 이 옵션을 빼세요',
  '--stage {stage}: {input} has no such stage': '--stage {stage}: {input}에는 없는 단계입니다',
  '{input} has no stage whose data could be checked': '{input}: 데이터를 확인할 단계가 없습니다',
  '--{name}: has no effect with --endpoint; remove it':
    '--{name}: --endpoint와 함께 쓰면 아무 효과가 없습니다. 이 옵션을 빼세요',
})
