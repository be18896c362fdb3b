/** What is wrong with a recipe, in Korean. */
import { catalogue } from '../catalogue.ts'

export const config = catalogue({
  'expected small letters, digits and "_", a letter first':
    '소문자와 숫자와 "_"만 쓰고 글자로 시작해야 합니다',
  'expected a JavaScript module (.mjs or .js)': 'JavaScript 모듈(.mjs나 .js)이어야 합니다',
  'expected at least one function, e.g. - { name: brief, path: brief.mjs }':
    '함수가 하나 이상 있어야 합니다. 예: - { name: brief, path: brief.mjs }',
  '"{name}" is the name of another reward; choose another':
    '"{name}": 다른 보상의 이름입니다. 다른 이름을 고르세요',
  'cannot be loaded: {reason}': '불러올 수 없습니다: {reason}',
  'has no function as its default export; begin it with: export default ({ completions, columns }, options) =>':
    '기본 내보내기가 함수가 아닙니다. 이렇게 시작하세요: export default ({ completions, columns }, options) =>',
  '{file}: expected a recipe (keys such as model, sft, grpo, eval), found {found}':
    '{file}: 레시피(model, sft, grpo, eval 같은 키)가 있어야 하는데 {found}입니다',
  '{file}: cannot be read as YAML: {reason}': '{file}: YAML로 읽을 수 없습니다: {reason}',
  '{file}: a recipe does not have {count} characters': '{file}: 레시피가 {count}자일 수는 없습니다',
  '{place}: not YAML: {problem}\n  {line} | {text}':
    '{place}: YAML 문법에 맞지 않습니다: {problem}\n  {line} | {text}',
  'A closing bracket is missing, or stands too far left': '닫는 괄호가 없거나 너무 왼쪽에 있습니다',
  'Indent with spaces': '들여쓰기는 공백으로 하세요',
  'Keys that belong together begin in one column; what belongs to a key stands further in':
    '함께 묶이는 키는 같은 칸에서 시작하고, 키에 딸린 것은 더 들여 쓰세요',
  'A bracket, a quote, or the space behind a colon is missing':
    '괄호나 따옴표, 또는 콜론 뒤의 공백이 빠졌습니다',
  'A colon behind a key is missing': '키 뒤에 콜론이 빠졌습니다',
  'Put quotes around text that holds a colon and a space':
    '콜론과 공백이 든 텍스트는 따옴표로 감싸세요',
  'Put quotes around the text': '텍스트를 따옴표로 감싸세요',
  'Put quotes around text that begins with * or &':
    '* 또는 & 문자로 시작하는 텍스트는 따옴표로 감싸세요',
  'Keep one of them': '하나만 남기세요',
  '{place}: a list or mapping stands where a key must; keys are words':
    '{place}: 키가 올 자리에 목록이나 매핑이 있습니다. 키는 단어여야 합니다',
  nothing: '빈 값',
  'something else': '다른 내용',
  'has no effect with loss_type {loss_type}, which does not clip; remove it':
    'loss_type {loss_type}에서는 클리핑을 하지 않아 아무 효과가 없습니다. 지우세요',
  'is of loss_type: sapo only; remove it': 'loss_type: sapo에서만 쓰입니다. 지우세요',
  'has no effect with loss_type sapo; remove it':
    'loss_type sapo에서는 아무 효과가 없습니다. 지우세요',
  'estimates the KL penalty, which beta 0 turns off; set beta':
    'KL 페널티를 추정하는 키인데, beta가 0이면 페널티가 꺼집니다. beta를 설정하세요',
  'needs sync_ref_model: true': 'sync_ref_model: true가 필요합니다',
  'needs importance_sampling_correction': 'importance_sampling_correction이 필요합니다',
  '"{scale_rewards}" cannot be had with multi_objective_aggregation: normalize_then_sum, which divides each reward by its standard deviation in the group and the sum by that of the batch; remove scale_rewards':
    '"{scale_rewards}" 값은 multi_objective_aggregation: normalize_then_sum과 함께 쓸 수 없습니다. 각 보상을 그룹 안 표준편차로, 그 합을 배치의 표준편차로 이미 나누기 때문입니다. scale_rewards를 지우세요',
  'Dr. GRPO does not divide advantages by a standard deviation (that is the bias it removes)':
    'Dr. GRPO는 어드밴티지를 표준편차로 나누지 않습니다(없애려는 편향이 바로 그것입니다)',
  '{why}, but {key} is "{value}"; use {key}: {other}, or loss_type: grpo. To mix the two on purpose, write loss_type: dr_grpo beside it':
    '{why}. 그런데 {key}의 값이 "{value}"입니다. {key}: {other} 또는 loss_type: grpo를 쓰세요. 일부러 섞으려면 loss_type: dr_grpo를 함께 쓰세요',
  '{why}; with {key} "{value}" this run is not Dr. GRPO':
    '{why}. {key} "{value}" 설정이면 이 실행은 Dr. GRPO가 아닙니다',
  'expected more than 1, got {high}: with cispo it is the absolute cap of the ratio, and the ratio of fresh samples is 1; leave it out for 5':
    '1보다 커야 하는데 {high}입니다. cispo에서는 비율의 절대 상한이고, 방금 뽑은 샘플의 비율은 1입니다. 빼면 5가 됩니다',
  'expected more than 1 + epsilon_high = {least}, got {delta}: it bounds the ratio beyond the clip range':
    '1 + epsilon_high = {least}보다 커야 하는데 {delta}입니다. 클리핑 범위를 벗어난 비율을 막는 값입니다',
  'with loss_type {loss_type} every token of a completion carries the ratio of the whole, so long completions weigh more; GSPO is loss_type: grpo':
    'loss_type {loss_type}에서는 응답의 모든 토큰이 응답 전체의 비율을 지니므로 긴 응답일수록 무거워집니다. GSPO는 loss_type: grpo입니다',
  'the gradient of k1 is 0 on average over samples, so as a loss it adds noise and holds nothing back; k2 has the gradient of the divergence':
    'k1의 그래디언트는 샘플 평균이 0이어서, 손실로 쓰면 잡음만 더하고 아무것도 붙잡지 못합니다. 발산의 그래디언트를 주는 것은 k2입니다',
  'and sync_ref_model both move the reference model; keep one of them (a reset is a synchronisation with ref_model_mixup_alpha: 1)':
    'sync_ref_model과 함께 둘 다 참조 모델을 옮깁니다. 하나만 남기세요(초기화는 ref_model_mixup_alpha: 1인 동기화입니다)',
  'has no reference model to move, because beta is 0; set beta, or remove it':
    'beta가 0이어서 옮길 참조 모델이 없습니다. beta를 설정하거나 이 키를 지우세요',
  'expected less than max_steps {max_steps}, got {steps}: the reference model would never move':
    'max_steps({max_steps})보다 작아야 하는데 {steps}입니다. 참조 모델이 한 번도 움직이지 않습니다',
  'expected less than importance_sampling_clip_max {max}, got {min}':
    'importance_sampling_clip_max({max})보다 작아야 하는데 {min}입니다',
  '{value} samples from another distribution than the one that is trained, which biases the probability ratio and the gradient; remove it, or set importance_sampling_correction (e.g. token_truncate)':
    '{value} 값이면 학습하는 분포와 다른 분포에서 샘플을 뽑게 되어 확률 비율과 그래디언트가 치우칩니다. 지우거나 importance_sampling_correction(예: token_truncate)을 설정하세요',
  'needs mode: resample': 'mode: resample이 필요합니다',
  'needs mode: mask or resample': 'mode: mask나 mode: resample이 필요합니다',
  'expected one of {names}, got "{metric}"': '{names} 중 하나여야 합니다. 받은 값: "{metric}"',
  'the recipes of kogrpo are missing; install it again':
    'kogrpo의 레시피가 없습니다. 다시 설치하세요',
  'is a directory, not a recipe file': '레시피 파일이 아니라 디렉터리입니다',
  'not found': '찾을 수 없습니다',
  'recipe "{recipe}" {what} (looked at {path}){hint} Give a .yaml or .json file, or one of the built-in recipes: {builtins}':
    '레시피 "{recipe}": {what} (찾아본 곳: {path}){hint} .yaml이나 .json 파일, 또는 내장 레시피의 이름을 주세요: {builtins}',
  '(none)': '(없음)',
  'a list': '목록',
  'an object': '객체',
  'a whole number': '정수',
  'a number': '수',
  text: '텍스트',
  'true or false': 'true 또는 false',
  'keys (an object)': '키(객체)',
  'more than {limit}': '{limit} 초과',
  'at most {limit}': '{limit} 이하',
  'less than {limit}': '{limit} 미만',
  'is required: one of {words}': '필수입니다. {words} 중 하나를 쓰세요',
  'expected one of {words}, got {value}{hint}':
    '{words} 중 하나여야 합니다. 받은 값: {value}{hint}',
  ' in {key}': '({key} 안)',
  'unknown key{where}{hint}': '알 수 없는 키입니다{where}{hint}',
  '; known keys: {known}': '. 쓸 수 있는 키: {known}',
  'is required ({expected})': '필수입니다(형식: {expected})',
  'expected {expected}, got {value}': '형식이 다릅니다. 필요한 값: {expected}, 받은 값: {value}',
  'expected some text, got ""': '빈 값("")은 쓸 수 없습니다',
  'expected {range}, got {value}': '{range}여야 합니다. 받은 값: {value}',
  'expected a URL such as http://localhost:8000/v1':
    'http://localhost:8000/v1 같은 URL이어야 합니다',
  '{expected}, got {value}': '{expected}. 받은 값: {value}',
  '{title}: {count} errors\n  {errors}': '{title}: 오류 {count}개\n  {errors}',
  'cannot read recipe {file}: {reason}': '레시피 {file}: 읽을 수 없습니다: {reason}',
  '; did you mean "{word}"?': '. 혹시 "{word}"입니까?',
  'expected a number, got "{text}"': '수여야 합니다. 받은 값: "{text}"',
  'expected true or false, got "{text}"': 'true나 false여야 합니다. 받은 값: "{text}"',
  'cannot read "{text}" as YAML: {reason}': '"{text}": YAML로 읽을 수 없습니다: {reason}',
  'expected a list such as \'[…]\', got "{text}"':
    '\'[…]\' 같은 목록이어야 합니다. 받은 값: "{text}"',
  "expected keys such as '{key: value}', or one of its keys: --{key}.KEY":
    "'{key: value}' 같은 키들이나, 그중 한 키여야 합니다: --{key}.키",
  'is empty: start with 0': '비어 있습니다. 0부터 시작하세요',
  'has entries 0 to {last}': '항목은 0부터 {last}까지 있습니다',
  '"{segment}" is no entry of the list {path}, which {range}':
    '"{segment}": 목록 {path}에 없는 항목입니다. 이 목록: {range}',
  'unknown key "{name}"{hint}': '알 수 없는 키 "{name}"{hint}',
  '"{path}" has no keys below it': '"{path}" 아래에는 키가 없습니다',
  '"{prefix}{segment}" is a single value and has no keys below it':
    '"{prefix}{segment}": 값 하나이므로 그 아래에 키가 없습니다',
  'the recipe has a single value at "{prefix}{segment}"; correct it there first':
    '레시피의 "{prefix}{segment}" 자리에 값 하나가 있습니다. 먼저 그곳을 고치세요',
  'must not exceed max_completion_length, {limit}':
    'max_completion_length({limit})를 넘을 수 없습니다',
  'with {limit} the punishment begins above {start} tokens, but the stage stops completions at {reach}; lower it, or raise soft_punish_cache':
    '{limit} 설정이면 벌점이 {start}토큰을 넘어야 시작되는데, 이 단계는 응답을 {reach}토큰에서 자릅니다. 값을 낮추거나 soft_punish_cache를 높이세요',
  'no sequence of {ngram_size} tokens can come twice in max_completion_length {reach}; lower it':
    'max_completion_length {reach} 안에서는 {ngram_size}토큰 길이의 열이 두 번 나올 수 없습니다. 값을 낮추세요',
  'expected at least 2: the advantage is the reward minus the mean of its group, which is 0 for every completion of a group of one, so nothing would be learned':
    '2 이상이어야 합니다. 어드밴티지는 보상에서 그룹 평균을 뺀 값이라, 응답이 하나뿐인 그룹에서는 언제나 0이고 아무것도 배우지 못합니다',
  '{rows} completions × gradient_accumulation_steps {accumulation} = {completions} completions per optimizer step, which is not a multiple of num_generations {group}; nearest valid: {remedies}':
    '응답 {rows}개 × gradient_accumulation_steps {accumulation} = 옵티마이저 스텝당 응답 {completions}개인데, num_generations({group})의 배수가 아닙니다. 가장 가까운 올바른 설정: {remedies}',
  ', or ': ', 또는 ',
  '"{name}" stands in the list twice; keep one and add up the weights':
    '"{name}": 목록에 두 번 있습니다. 하나만 남기고 가중치를 합치세요',
  'every weight is 0, so every advantage would be 0; give one of them a weight':
    '가중치가 모두 0이어서 모든 어드밴티지가 0이 됩니다. 하나에는 가중치를 주세요',
  'is never asked, because oracle.rule is none; set rule: observe (to measure it) or appeal (or another)':
    'oracle.rule이 none이어서 한 번도 묻지 않습니다. rule: observe(재기만 함)나 appeal 등으로 설정하세요',
  '"{rule}" needs a judge; add judge: { kind: program } or { kind: openai, base_url, model }, or set rule: none':
    '"{rule}" 규칙에는 심판이 필요합니다. judge: { kind: program }이나 { kind: openai, base_url, model }을 넣거나 rule: none으로 설정하세요',
  '"{rule}" is about the accuracy reward, which is not in grpo.rewards; add - name: accuracy, or set rule: none':
    '"{rule}" 규칙은 정확도 보상에 대한 것인데 grpo.rewards에 없습니다. - name: accuracy를 넣거나 rule: none으로 설정하세요',
  'has no effect with lr_scheduler_type "{lr_scheduler_type}"; use cosine_with_min_lr':
    'lr_scheduler_type "{lr_scheduler_type}"에서는 아무 효과가 없습니다. cosine_with_min_lr을 쓰세요',
  'needs evaluations between the steps to choose from; set {name}.eval_steps':
    '고르려면 스텝 사이의 평가가 필요합니다. {name}.eval_steps를 설정하세요',
  'has no effect without metric_for_best_model':
    'metric_for_best_model 없이는 아무 효과가 없습니다',
  'cannot be had with lora, which freezes the model and trains its adapters; keep one':
    'lora와 함께 쓸 수 없습니다. lora는 모델을 고정하고 어댑터만 학습합니다. 하나만 남기세요',
  'and train_only both say what is trained; keep one':
    'train_only와 함께 쓸 수 없습니다. 둘 다 무엇을 학습할지 정합니다. 하나만 남기세요',
  'names nothing, so nothing would be trained; set embed, head, norm or layers':
    '아무것도 고르지 않아 학습할 것이 없습니다. embed, head, norm, layers 가운데 하나를 설정하세요',
  'needs weights that an adapter can name as its base, and those of init: {init} are in no file; train them first, without lora':
    '어댑터가 바탕으로 삼을 가중치가 필요한데, init: {init} 가중치는 파일에 없습니다. 먼저 lora 없이 학습하세요',
  'there is nothing to do; add a stage (pretrain, sft or grpo) or eval':
    '할 일이 없습니다. 단계(pretrain, sft, grpo)나 eval을 넣으세요',
  'changes the geometry that the weights have; set init: random or expanded':
    '가중치의 구조를 바꿉니다. init: random이나 init: expanded로 설정하세요',
  '"expanded" needs the new depth: model.config: { num_hidden_layers: … }':
    '"expanded"에는 새 깊이가 필요합니다: model.config: { num_hidden_layers: … }',
  'are those of a built-in set, and "{path}" is a file; remove them, or name a built-in set such as mini:sft':
    '내장 데이터의 옵션인데 "{path}": 파일입니다. 지우거나 mini:sft 같은 내장 데이터를 쓰세요',
  'is a share of training data, and held-out data is evaluated whole; remove it, or set size to take fewer samples':
    '학습 데이터에서의 비중인데, 평가용 데이터는 전부 평가합니다. 지우거나 size로 샘플 수를 줄이세요',
  'counts the prompts of grpo.data only; remove it': 'grpo.data의 프롬프트만 셉니다. 지우세요',
  'needs held-out data; add {name}.eval_data, or set eval_steps: 0':
    '평가용 데이터가 필요합니다. {name}.eval_data를 넣거나 eval_steps: 0으로 설정하세요',
  'needs held-out problems; add eval with its data, or set eval_steps: 0':
    '평가용 문제가 필요합니다. eval과 그 데이터를 넣거나 eval_steps: 0으로 설정하세요',
  'expected a built-in such as "mini:sft", or a path that ends in .jsonl, .jsonl.gz or .parquet':
    '"mini:sft" 같은 내장 데이터이거나, .jsonl, .jsonl.gz, .parquet로 끝나는 경로여야 합니다',
  'expected at least one source, e.g. - path: FILE.jsonl':
    '소스가 하나 이상 있어야 합니다(예: - path: FILE.jsonl)',
  'expected at least one reward, e.g. - name: accuracy':
    '보상이 하나 이상 있어야 합니다(예: - name: accuracy)',
  'model.dtype: int8 weights are multiplied on the CPU only; plan with --gpus CPU-64GB or with bfloat16':
    'model.dtype: int8 가중치는 CPU에서만 곱합니다. --gpus CPU-64GB나 bfloat16으로 계획하세요',
  'int8 weights are not trained; use float32 or bfloat16, or train adapters over them (lora: {braces})':
    'int8 가중치는 학습하지 않습니다. float32나 bfloat16을 쓰거나 그 위에 어댑터를 학습하세요(lora: {braces})',
  'expected one weight above 0: the risk is the weighted mean':
    '0보다 큰 가중치가 하나는 있어야 합니다. 위험도는 가중 평균입니다',
  'has no effect with value: share; leave it out, or use value: threshold':
    'value: share에서는 아무 효과가 없습니다. 빼거나 value: threshold를 쓰세요',
  'must not exceed max_completion_length': 'max_completion_length를 넘을 수 없습니다',
  'expected a URL such as http://localhost:8000/v1, without user, password or query (a key belongs in api_key_env or api_key_file)':
    '사용자 이름, 비밀번호, 쿼리가 없는 http://localhost:8000/v1 같은 URL이어야 합니다(키는 api_key_env나 api_key_file에 둡니다)',
})
