/** What is wrong with data, tokenizers and chat templates, in Korean. */
import { catalogue } from '../catalogue.ts'

export const data = catalogue({
  '; one of this name is there whose letters are composed otherwise (Unicode NFD, as macOS writes Hangul): complete it with Tab, or rename it':
    '. 글자 조합만 다른 같은 이름의 파일이 있습니다(macOS가 한글을 쓰는 방식인 유니코드 NFD). Tab으로 완성하거나 이름을 바꾸세요',
  '{input}: no sample could be made of {length} wrong attempts{why}; a correction needs a right solution of the same question':
    '{input}: 틀린 시도 {length}개로 샘플을 하나도 만들지 못했습니다{why}. 고쳐 쓰려면 같은 질문의 올바른 풀이가 필요합니다',
  '"{name}" is a {type}; expected text': '"{name}"의 형식이 {type}입니다. 텍스트여야 합니다',
  'has no "{name}"; an attempt needs question, attempt, answer and solution (or give a completions.jsonl)':
    '"{name}" 열이 없습니다. 시도에는 question, attempt, answer, solution이 필요합니다(또는 completions.jsonl을 주세요)',
  '{path}: cannot be read: {reason}': '{path}: 읽을 수 없습니다: {reason}',
  '{file}: cannot be read: {reason}': '{file}: 읽을 수 없습니다: {reason}',
  '{file}: is not a file; name the data file': '{file}: 파일이 아닙니다. 데이터 파일을 지정하세요',
  '{file}: has an unknown extension; .jsonl, .jsonl.gz and .parquet are read':
    '{file}: 알 수 없는 확장자입니다. 읽을 수 있는 것은 .jsonl, .jsonl.gz, .parquet입니다',
  '{file}: a line is longer than {most} bytes; is this JSONL?':
    '{file}: {most}바이트보다 긴 줄이 있습니다. JSONL 파일이 맞습니까?',
  '{name}: needs --model, under which the perplexity is measured':
    '{name}: 퍼플렉시티를 재는 데 쓸 --model이 필요합니다',
  '--min-perplexity: expected less than --max-perplexity {max}, got {min}':
    '--min-perplexity: --max-perplexity({max})보다 작아야 합니다. 받은 값: {min}',
  '--similarity: has no effect with --dedup {dedup}; remove it':
    '--similarity: --dedup {dedup} 설정에서는 아무 효과가 없습니다. 지우세요',
  'the index of duplicates is full: {added} keys in {mebibytes} MiB, so that {share} % of unknown keys look known; start again with a larger --index-memory (about 10 bits a key)':
    '중복 색인이 가득 찼습니다. {mebibytes} MiB에 키가 {added}개여서, 모르는 키의 {share} %가 아는 키로 보입니다. --index-memory를 늘려(키당 약 10비트) 다시 시작하세요',
  '{beside} is missing; build the package (npm run build:ts), or give --threads 0 to do without threads':
    '{beside}: 없습니다. 패키지를 빌드하거나(npm run build:ts), --threads 0으로 스레드 없이 실행하세요',
  "the perplexity of the text {start} is {value}; the model's weights hold NaN or overflow":
    '텍스트 {start}의 퍼플렉시티가 {value}입니다. 모델의 가중치에 NaN이 있거나 오버플로가 났습니다',
  'there is no directory {path}': '{path}: 그런 디렉터리가 없습니다',
  'there is no such file (looked at {path}){hint}': '그런 파일이 없습니다(찾아본 곳: {path}){hint}',
  'no permission to read {path}': '{path}: 읽을 권한이 없습니다',
  'the disk is full; free some space, or write elsewhere (--output-dir, --output)':
    '디스크가 가득 찼습니다. 공간을 비우거나 다른 곳에 쓰세요(--output-dir, --output)',
  'no permission to write there ({message}); write elsewhere (--output-dir, --output)':
    '쓸 권한이 없습니다({message}). 다른 곳에 쓰세요(--output-dir, --output)',
  'the texts give only {length} merges of {merges}: give more varied text or a smaller vocabulary':
    '이 텍스트에서는 병합이 {merges}개 중 {length}개만 나옵니다. 더 다양한 텍스트를 주거나 어휘를 줄이세요',
  'has no chat template; add chat_template.jinja or "chat_template"':
    '채팅 템플릿이 없습니다. chat_template.jinja나 "chat_template"을 넣으세요',
  'the chat template does not parse: {reason}': '채팅 템플릿의 문법이 틀렸습니다: {reason}',
  'the chat template failed: {reason}': '채팅 템플릿을 적용하지 못했습니다: {reason}',
  'the training template failed: {reason}': '학습용 템플릿을 적용하지 못했습니다: {reason}',
  'the chat template is not the Qwen3 format, so the tokens of the assistant cannot be told apart; mark them with {% generation %} … {% endgeneration %} in the template':
    '채팅 템플릿이 Qwen3 형식이 아니어서 assistant의 토큰을 가려낼 수 없습니다. 템플릿에서 {% generation %} … {% endgeneration %} 으로 표시하세요',
  'the tokens of a conversation do not spell its text (a combining character directly at the border of an assistant turn?)':
    '대화의 토큰을 이어도 원래 텍스트가 되지 않습니다(assistant 차례의 경계에 결합 문자가 있습니까?)',
  '{where}.content is neither text nor a list of text parts':
    '{where}.content: 텍스트도 텍스트 조각의 목록도 아닙니다',
  '{where} is not a message { role, content }': '{where}: { role, content } 꼴의 메시지가 아닙니다',
  '{where}.role is {role}; expected {roles}':
    '{where}.role: {role} 값은 쓸 수 없습니다. 쓸 수 있는 값: {roles}',
  '{where}.reasoning_content is not text': '{where}.reasoning_content: 텍스트가 아닙니다',
  '{where} is empty: nothing to learn from': '{where}: 비어 있어 배울 것이 없습니다',
  '{where} has no content': '{where}: content가 없습니다',
  'column "{column}" is not a list of messages': '"{column}" 열: 메시지의 목록이 아닙니다',
  'column "{column}" ({name}) is null': '"{column}" 열({name}): null입니다',
  'column "{column}" ({name}) is missing{hint} (columns: {columns})':
    '"{column}" 열({name}): 없습니다{hint} (있는 열: {columns})',
  'column "{column}" ({name}) is not text': '"{column}" 열({name}): 텍스트가 아닙니다',
  '"{name}" is mapped to column "{column}" but the record also has a column "{name}"':
    '"{name}" 이름은 "{column}" 열에 이어졌는데, 레코드에 "{name}" 열도 따로 있습니다',
  'column "{column}" needs one plain completion':
    '"{column}" 열을 쓰려면 응답이 하나의 텍스트여야 합니다',
  'both {names} are given; say which to use with "columns"':
    '{names} 열이 함께 있습니다. 어느 것을 쓸지 "columns"로 정하세요',
  ' and ': ', ',
  'no "messages", "prompt" or "text" (columns: {names}); map one with "columns"':
    '"messages", "prompt", "text" 중 아무것도 없습니다(있는 열: {names}). "columns"로 열을 이어 주세요',
  'the conversation has a system message besides "{column}"':
    '"{column}" 열 말고도 대화에 system 메시지가 있습니다',
  'plain text has no system message for think_template; give conversations, or free':
    '글만 있는 기록에는 think_template을 적을 시스템 메시지가 없습니다. 대화를 주거나 free로 두세요',
  'column "tools" is not a list': '"tools" 열: 목록이 아닙니다',
  'a mixture needs a source': '혼합에는 소스가 필요합니다',
  'seed is {seed}; it must be a whole number': 'seed의 값이 {seed}입니다. 정수여야 합니다',
  'two sources are named "{name}"': '"{name}" 이름의 소스가 둘입니다',
  'source "{name}" is empty': '소스 "{name}": 비어 있습니다',
  'weight of source "{name}" is {weight}; give a positive number':
    '소스 "{name}"의 가중치가 {weight}입니다. 양수를 주세요',
  'cannot resume: {what} was {saved} and is now {now}; resume with the same data and seed, or start a new run':
    '이어 갈 수 없습니다. {what}: 저장된 값 {saved}, 지금 값 {now}. 같은 데이터와 시드로 이어 가거나 새로 시작하세요',
  'sequence {i} has {length} tokens; micro-batches hold 1 to {maxTokens}':
    '시퀀스 {i}번이 {length}토큰입니다. 마이크로배치에는 1에서 {maxTokens}토큰까지 들어갑니다',
  'sequence {member} has {length} tokens but a mask of {mask}':
    '시퀀스 {member}번은 {length}토큰인데 마스크의 길이가 {mask}입니다',
  'the line is not valid UTF-8; convert the file (of Korean Windows: iconv -f CP949 -t UTF-8)':
    '올바른 UTF-8이 아닌 줄입니다. 파일을 변환하세요(한국어 Windows의 파일이면: iconv -f CP949 -t UTF-8)',
  '"~" is the home directory to a shell alone: write the whole path':
    '"~"를 홈 디렉터리로 읽는 것은 셸뿐입니다. 전체 경로를 쓰세요',
  'it is not valid UTF-8; convert it (of Korean Windows: iconv -f CP949 -t UTF-8)':
    '올바른 UTF-8이 아닙니다. 변환하세요(한국어 Windows의 파일이면: iconv -f CP949 -t UTF-8)',
  'the line is not valid JSON: {reason}': '올바른 JSON이 아닌 줄입니다: {reason}',
  'the line is not a JSON object; JSONL has one object per line':
    'JSON 객체가 아닌 줄입니다. JSONL은 한 줄에 객체 하나입니다',
  'the line is longer than {limit} bytes; is this JSONL?':
    '줄이 {limit}바이트보다 깁니다. JSONL 파일이 맞습니까?',
  'cannot be read: {reason}': '읽을 수 없습니다: {reason}',
  'integer {value} does not fit a double; store it as text':
    '정수 {value}: 배정밀도 수에 들어가지 않습니다. 텍스트로 저장하세요',
  'a binary column cannot be used; store it as text':
    '바이너리 열은 쓸 수 없습니다. 텍스트로 저장하세요',
  'cannot be read as Parquet: {reason}': 'Parquet로 읽을 수 없습니다: {reason}',
  'is not a file; name the data file itself': '파일이 아닙니다. 데이터 파일 자체를 지정하세요',
  'has an unknown extension; .jsonl, .jsonl.gz and .parquet are read':
    '알 수 없는 확장자입니다. 읽을 수 있는 것은 .jsonl, .jsonl.gz, .parquet입니다',
  'the sample has {length} tokens, more than max_length {maxLength}; raise max_length, or set overlong: skip or truncate (kogrpo data check shows how long all are)':
    '샘플이 {length}토큰으로 max_length {maxLength}토큰을 넘습니다. max_length를 높이거나 overlong: skip 또는 truncate로 설정하세요(전체 길이는 kogrpo data check가 보여 줍니다)',
  'the prompt has {length} tokens, more than max_prompt_length {maxLength}; raise max_prompt_length, or set overlong: skip (kogrpo data check shows how long all are)':
    '프롬프트가 {length}토큰으로 max_prompt_length {maxLength}토큰을 넘습니다. max_prompt_length를 높이거나 overlong: skip으로 설정하세요(전체 길이는 kogrpo data check가 보여 줍니다)',
  'nothing to train: the sample has no assistant message; add one, or map the column to learn from with columns: { completion: … } (columns: {columns})':
    '학습할 것이 없습니다. 샘플에 assistant 메시지가 없습니다. 메시지를 넣거나, 배울 열을 columns: { completion: … } 으로 이으세요(있는 열: {columns})',
  'prompts cannot be truncated; set "overlong" to error or skip':
    '프롬프트는 자를 수 없습니다. "overlong"을 error나 skip으로 설정하세요',
  'GRPO needs a prompt, not plain "text"': 'GRPO에는 "text"가 아니라 프롬프트가 필요합니다',
  'the prompt ends with an assistant message; give the question alone as "prompt"':
    '프롬프트가 assistant 메시지로 끝납니다. 질문만 "prompt"로 주세요',
  'the data files hold no records': '데이터 파일에 레코드가 없습니다',
  '{file}: all {count} samples were too long and skipped; raise the limit':
    '{file}: 샘플 {count}개가 모두 너무 길어 건너뛰었습니다. 한도를 높이세요',
  'cannot read {file}: {reason}': '{file}: 읽을 수 없습니다: {reason}',
  '{path}: "chat_template" is neither a string nor a list of { name, template }':
    '{path}: "chat_template"이 문자열도 { name, template } 의 목록도 아닙니다',
  'not a tokenizer of the kind Qwen3 uses: {problems}':
    'Qwen3가 쓰는 종류의 토크나이저가 아닙니다: {problems}',
  'id of "{token}" is not an id': '"{token}"의 ID가 올바르지 않습니다',
  'has no token "{name}" named by tokenizer_config.json':
    'tokenizer_config.json에 적힌 토큰 "{name}": 없는 토큰입니다',
  'eos_token_id {id} is not an id of the tokenizer':
    'eos_token_id {id}: 토크나이저에 없는 ID입니다',
  'no end-of-sequence token: set "eos_token" in tokenizer_config.json':
    '끝을 알리는 토큰이 없습니다. tokenizer_config.json에 "eos_token"을 설정하세요',
  'they do not belong together: take tokenizer.json and tokenizer_config.json from where the model came from':
    '서로 맞지 않는 짝입니다. tokenizer.json과 tokenizer_config.json을 모델을 받은 곳에서 가져오세요',
  "the tokenizer has {size} ids, the model's vocab_size is {vocabSize}; {remedy}":
    '토크나이저의 ID는 {size}개인데 모델의 vocab_size는 {vocabSize}입니다. {remedy}',
  'config.json ends a turn with token {id} (eos_token_id), which is no special token of the tokenizer; {remedy}':
    'config.json은 차례를 토큰 {id}(eos_token_id)번으로 끝내는데, 토크나이저의 특수 토큰이 아닙니다. {remedy}',
  'the vocabulary cannot spell {word}': '어휘로 {word} 문자열을 쓸 수 없습니다',
  'token id {id} does not exist; the tokenizer in {dir} has ids below {size}':
    '토큰 ID {id}: 없는 ID입니다. {dir}의 토크나이저에는 {size}보다 작은 ID만 있습니다',
})
