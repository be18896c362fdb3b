/** What is wrong with a model's files, in Korean. */
import { catalogue } from '../catalogue.ts'

export const model = catalogue({
  'there is no model {path}{hint}; {remedy}': '{path}: 그런 모델이 없습니다{hint}. {remedy}',
  'a model is a Hugging Face directory: config.json, tokenizer files, safetensors':
    '모델은 config.json, 토크나이저 파일, safetensors가 있는 Hugging Face 디렉터리입니다',
  'download it: hf download Qwen/{name} --local-dir {dir}':
    '이렇게 내려받으세요: hf download Qwen/{name} --local-dir {dir}',
  '{dir} is not there: planned with the published sizes of {name}':
    '{dir}: 아직 없으므로 공개된 {name}의 크기로 계산합니다',
  '{dir} is not an adapter, so it has no base model to name':
    '{dir}: 어댑터가 아니므로 바탕 모델을 지정할 수 없습니다',
  '"peft_type" is {peft_type}; only LORA is supported':
    '"peft_type"의 값이 {peft_type}입니다. LORA만 지원합니다',
  '"{key}" is {value}, which is not supported': '"{key}"의 값 {value}: 지원하지 않습니다',
  '"bias" must be "none"': '"bias"의 값은 "none"이어야 합니다',
  '"target_modules" must be a list of {targets}, or "all-linear"':
    '"target_modules"의 값은 다음의 목록이거나 "all-linear"여야 합니다: {targets}',
  '"target_modules" has {unknown}; adapters are on {known}':
    '"target_modules"에 {unknown} 값이 있습니다. 어댑터를 붙일 수 있는 곳: {known}',
  '{path}: the model it belongs to, {base}, is not a directory with a config.json here; put its path into "base_model_name_or_path", or name it with --base-model DIR':
    '{path}: 바탕 모델 {base}: 여기에는 config.json이 있는 그런 디렉터리가 없습니다. 경로를 "base_model_name_or_path"에 쓰거나 --base-model DIR로 지정하세요',
  '"{name}" is missing': '"{name}": 없습니다',
  '"{name}" has shape [{shape}], expected [{shape2}]':
    '"{name}": 모양이 [{shape}]인데 [{shape2}]여야 합니다',
  '"{name}" is unexpected': '"{name}": 있을 수 없는 텐서입니다',
  '{file} does not fit {config} and the model: {problems}':
    '{file}: {config} 및 모델과 맞지 않습니다: {problems}',
  'model.path {path} is an adapter, whose weights belong to its base; use init: pretrained':
    'model.path {path}: 어댑터이며 가중치는 바탕 모델의 것입니다. init: pretrained를 쓰세요',
  'model.path {path} is an adapter of {found}, but lora asks for {wanted}; leave lora out to go on with the adapter, or merge it first (kogrpo merge) to train another on top':
    'model.path {path}: {found} 어댑터인데 lora는 {wanted} 설정입니다. 이 어댑터로 계속하려면 lora를 빼고, 그 위에 다른 것을 학습하려면 먼저 합치세요(kogrpo merge)',
  '{dir} is a model without an adapter: there is nothing to merge; give the directory that holds adapter_config.json':
    '{dir}: 어댑터가 없는 모델이어서 합칠 것이 없습니다. adapter_config.json이 있는 디렉터리를 주세요',
  '{value} only': '{value}만',
  '"{key}" is {found}; the engine supports {supported}':
    '"{key}"의 값이 {found}입니다. 엔진이 지원하는 값: {supported}',
  'unquantised weights': '양자화하지 않은 가중치',
  'multiples of 16': '16의 배수',
  'its sizes make {parameters} parameters; the engine counts to {most}':
    '이 크기로는 매개변수가 {parameters}개가 됩니다. 엔진은 {most}개까지 셉니다',
  'divisors of num_attention_heads ({heads})': 'num_attention_heads({heads})의 약수',
  '{file}: "rope_theta" is {top} but "rope_parameters.rope_theta" is {nested}; keep one':
    '{file}: "rope_theta"의 값은 {top}인데 "rope_parameters.rope_theta"의 값은 {nested}입니다. 하나만 남기세요',
  '{file}: neither "rope_theta" nor "rope_parameters.rope_theta" is given (Qwen3: 1000000)':
    '{file}: "rope_theta"도 "rope_parameters.rope_theta"도 없습니다(Qwen3는 1000000)',
  '{file} is not valid JSON: {reason}': '{file}: 올바른 JSON이 아닙니다: {reason}',
  'model.config.{unknown}: {file} has no such key; it has {keys}':
    'model.config.{unknown}: {file}에 없는 키입니다. 있는 키: {keys}',
  '{path} does not exist; give the directory that holds the tokenizer files':
    '{path}: 없는 파일입니다. 토크나이저 파일이 있는 디렉터리를 주세요',
  'cannot write {dir}: {reason}': '{dir}: 쓸 수 없습니다: {reason}',
  '{dir} exists and is not a model directory; choose another or remove it':
    '{dir}: 이미 있지만 모델 디렉터리가 아닙니다. 다른 곳을 고르거나 지우세요',
  '{file} has {size} bytes, expected {expected}':
    '{file}: {size}바이트인데 {expected}바이트여야 합니다',
  '… and {more} more': '… 그리고 {more}개 더',
  'the weights in {files} do not fit config.json: {problems}':
    '{files}의 가중치가 config.json과 맞지 않습니다: {problems}',
  'tensor "{name}" [{shape}] is missing': '텐서 "{name}" [{shape}]: 없습니다',
  'tensor "{name}" in {file} has shape [{shape}], expected [{expected}]':
    '{file}의 텐서 "{name}": 모양이 [{shape}]인데 [{expected}]여야 합니다',
  'tensor "{name}" in {file} is {dtype}; F32, BF16 and F16 are supported':
    '{file}의 텐서 "{name}": 자료형이 {dtype}입니다. F32, BF16, F16만 지원합니다',
  'tensor "{name}" in {file} is unexpected': '{file}의 텐서 "{name}": 있을 수 없는 텐서입니다',
  ' (and {more} more files)': ' (그리고 파일 {more}개 더)',
  'an empty file': '빈 파일',
  '{where} is not described by an object': '{where}: 객체로 기술되어 있지 않습니다',
  '{where} has unknown dtype {dtype}': '{where}: 알 수 없는 자료형 {dtype}',
  '{where}: "shape" is not a list of sizes': '{where}: "shape"가 크기의 목록이 아닙니다',
  '{where}: "data_offsets" is not a pair of byte offsets':
    '{where}: "data_offsets"가 바이트 위치의 쌍이 아닙니다',
  '{where}: data_offsets [{begin}, {end}] end before they begin':
    '{where}: data_offsets [{begin}, {end}]의 끝이 시작보다 앞에 있습니다',
  '{where}: {dtype} [{shape}] takes {size} bytes but data_offsets [{begin}, {end}] hold {held}':
    '{where}: {dtype} [{shape}]에는 {size}바이트가 필요한데 data_offsets [{begin}, {end}]의 길이는 {held}바이트입니다',
  '"__metadata__" is not an object of strings': '"__metadata__"가 문자열로 된 객체가 아닙니다',
  '"__metadata__" value of "{key}" is not a string':
    '"__metadata__"에서 "{key}"의 값이 문자열이 아닙니다',
  'tensor {name} begins at data offset {at} where {expected} was expected ({kind})':
    '텐서 {name}의 시작 위치가 {at}인데 {expected}여야 합니다({kind})',
  overlap: '겹침',
  hole: '빈틈',
  'the tensors end at byte {end} but the file has {size} bytes ({why})':
    '텐서는 {end}바이트에서 끝나는데 파일은 {size}바이트입니다({why})',
  'truncated download?': '내려받다가 끊겼습니까?',
  'data that no tensor describes': '어느 텐서에도 속하지 않는 데이터',
  'the header is not valid UTF-8 JSON: {reason}': '헤더가 올바른 UTF-8 JSON이 아닙니다: {reason}',
  'the header is not a JSON object': '헤더가 JSON 객체가 아닙니다',
  'cannot open {file}: {reason}': '{file}: 열 수 없습니다: {reason}',
  '{size} bytes are too few for a safetensors header':
    '{size}바이트는 safetensors 헤더로는 너무 짧습니다',
  'header of {length} bytes exceeds the limit of {most}':
    '헤더가 {length}바이트로 한도 {most}바이트를 넘습니다',
  'the header needs {needed} bytes but the file has {size}':
    '헤더에는 {needed}바이트가 필요한데 파일은 {size}바이트입니다',
  'the file became shorter while its header was read': '헤더를 읽는 동안 파일이 짧아졌습니다',
  'weight_map of "{tensor}" is {shard}; it must be the plain name of a file in the same directory':
    'weight_map에서 "{tensor}"의 값이 {shard}입니다. 같은 디렉터리에 있는 파일의 이름이어야 합니다',
  'has no "weight_map" object': '"weight_map" 객체가 없습니다',
  'holds tensor "{name}", which {index} places in {shard}':
    '텐서 "{name}": 이 파일에 있는데 {index}에는 {shard}에 있다고 적혀 있습니다',
  'places tensor "{tensor}" in {shard}, which does not hold it':
    '텐서 "{tensor}": {shard}에 있다고 적혀 있지만 그 파일에 없습니다',
  '{dir} holds neither {single} nor {index}; give a Hugging Face model directory with safetensors weights, or ask for random weights':
    '{dir}: {single}도 {index}도 없습니다. safetensors 가중치가 있는 Hugging Face 모델 디렉터리를 주거나 무작위 가중치를 요청하세요',
  'tensor name {name} is not usable': '텐서 이름 {name}: 쓸 수 없는 이름입니다',
  'tensor "{name}" has no whole size in bytes':
    '텐서 "{name}": 크기가 바이트 단위로 떨어지지 않습니다',
  'tensor "{name}" ({dtype}) would be misaligned; order wider dtypes first':
    '텐서 "{name}" ({dtype}): 정렬이 어긋납니다. 넓은 자료형을 먼저 두세요',
  'header of {length} bytes exceeds {most}': '헤더가 {length}바이트로 {most}바이트를 넘습니다',
  // lib/neurons
  '"{key}": {message}; make the file with kogrpo neurons':
    '"{key}": {message}. kogrpo neurons로 파일을 만드세요',
  'is for a model of sizes {sizes}, this one has {own}':
    '다른 크기의 모델에 맞는 파일입니다. 파일의 크기: {sizes}, 이 모델의 크기: {own}',
  '"{name}" is no matrix of the model': '"{name}": 모델의 행렬이 아닙니다',
  '"{name}": index {last} is beyond its {size}':
    '"{name}": 번호 {last}, 크기 {size}: 번호가 너무 큽니다',
  'names no neuron, so nothing would be trained': '뉴런이 하나도 없어 학습할 것이 없습니다',
  'no neuron recurs in the language and is absent from the others; raise the numbers kept per document (--top-attention, --top-ffn), lower the share in which a neuron must recur (--min-share), or give longer documents':
    '이 언어에 되풀이되고 다른 언어에는 없는 뉴런이 없습니다. 문서마다 남기는 수(--top-attention, --top-ffn)를 늘리거나, 뉴런이 나와야 하는 비율(--min-share)을 낮추거나, 더 긴 문서를 주세요',
  // lib/vocab
  'stands in line {before} already; each token once':
    '이미 {before}번째 줄에 있습니다. 토큰은 한 번씩만 쓰세요',
  'is not in the normal form (NFC) of the texts it would be found in':
    '글을 읽을 때의 정규형(NFC)이 아닙니다',
  'begins or ends with a space; the spaces belong to the text':
    '앞이나 뒤에 공백이 있습니다. 공백은 글의 것입니다',
  '{file}: all {count} words are tokens already; nothing to add':
    '{file}: 낱말 {count}개가 모두 이미 토큰입니다. 더할 것이 없습니다',
  '{file}: holds no word; nothing to add': '{file}: 낱말이 없습니다. 더할 것이 없습니다',
})
