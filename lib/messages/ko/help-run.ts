/** Help of train, init, launch, plan, report, doctor and of what all commands share, in Korean. */
import { catalogue } from '../catalogue.ts'

export const helpRun = catalogue({
  'Commands:': '명령:',
  'Options:': '옵션:',
  'Positionals:': '인수:',
  'Examples:': '예:',
  boolean: '켜고 끔',
  string: '문자열',
  number: '수',
  array: '여러 개',
  required: '필수',
  'default:': '기본값:',
  'Show help': '도움말을 봅니다',
  'Show version number': '버전을 봅니다',
  '[required]': '[필수]',
  '[default: {value}]': '[기본값: {value}]',
  'kogrpo teaches Qwen3 to think in Korean.': 'kogrpo는 Qwen3가 한국어로 생각하도록 가르칩니다.',
  '$0 <command> [options]': '$0 <명령> [옵션]',
  'kogrpo <command> --help shows the options of a command.':
    'kogrpo <명령> --help로 명령의 옵션을 볼 수 있습니다.',
  'Language of messages: en or ko': '메시지의 언어: en 또는 ko',
  'by locale': '로캘에 따름',
  all: '전부',
  'all of them': '전부',
  "the recipe's": '레시피의 값',
  'as the recipe says': '레시피의 값',
  "the model's": '모델의 값',
  'Every random number follows from it': '모든 난수가 이 값에서 나옵니다',
  'CPU threads (0 = one per core); results do not depend on it':
    'CPU 스레드 수(0 = 코어마다 하나). 결과는 스레드 수에 따라 달라지지 않습니다',
  'Where the engine computes: cpu, cuda or cuda:N': '엔진이 계산하는 곳: cpu, cuda 또는 cuda:N',
  'Directory to write to': '결과를 쓸 디렉터리',
  'Directory to write': '쓸 디렉터리',
  'Train a model by a recipe (without one: the miniature, in a few minutes)':
    '레시피대로 모델을 학습합니다(레시피가 없으면 미니어처, 몇 분)',
  'Trains a model by a recipe, and evaluates it before and after.':
    '레시피대로 모델을 학습하고, 학습 전후에 평가합니다.',
  'A .yaml or .json file, or the name of a built-in recipe':
    '.yaml이나 .json 파일, 또는 내장 레시피의 이름',
  'Replace an earlier run in the output directory': '출력 디렉터리에 있는 이전 실행을 덮어씁니다',
  'Go on with the stopped run in this directory, to the bit; auto: with the one in --output-dir, from its last whole state, or begin it':
    '이 디렉터리에서 멈춘 실행을 비트까지 똑같이 이어 갑니다. auto: --output-dir의 실행을 마지막 온전한 상태에서 이어 가거나 새로 시작합니다',
  'Resume although recipe, tokenizer or data have changed; summary.json then says what':
    '레시피, 토크나이저, 데이터가 바뀌었어도 이어 갑니다. 바뀐 것은 summary.json에 적힙니다',
  'Compute a batch again that gave NaN or infinity, and say where it arose':
    'NaN이나 무한대가 나온 배치를 다시 계산해 어디서 생겼는지 알려 줍니다',
  'What the run saved: nonfinite/STAGE-STEP in its directory, or replay.json there':
    '실행이 저장한 것: 실행 디렉터리의 nonfinite/STAGE-STEP, 또는 그 안의 replay.json',
  'as the message of the run says': '실행의 메시지가 말하는 대로',
  'Print the resolved recipe as JSON, say whether it fits this machine, and do nothing':
    '완성된 레시피를 JSON으로 출력하고 이 컴퓨터에 들어가는지만 알려 줍니다',
  'Print every key of a recipe, with its default': '레시피의 모든 키를 기본값과 함께 출력합니다',
  'Print the JSON schema of a recipe, for an editor':
    '편집기가 쓸 레시피의 JSON 스키마를 출력합니다',
  'the miniature': '미니어처',
  'one key of a recipe changed': '레시피의 키 하나를 바꿈',
  'without the RL stage': '강화학습 단계 없이',
  'Write a commented recipe for your data and this machine':
    '내 데이터와 이 컴퓨터에 맞는, 설명이 달린 레시피를 씁니다',
  'Writes a commented recipe. What options do not say is asked for on a terminal.':
    '설명이 달린 레시피를 씁니다. 옵션으로 주지 않은 것은 터미널에서 묻습니다.',
  'File to write': '쓸 파일',
  'Model to start from': '시작할 모델',
  'Examples to learn from (SFT): .jsonl, .jsonl.gz or .parquet':
    '배울 예시(SFT): .jsonl, .jsonl.gz 또는 .parquet',
  'Problems with answers (GRPO)': '정답이 있는 문제(GRPO)',
  'Held-out problems with answers': '평가에만 쓸, 정답이 있는 문제',
  'OpenAI-compatible endpoint of a judge': '심판의 OpenAI 호환 엔드포인트',
  "The judge's model name": '심판 모델의 이름',
  'Replace the file': '파일을 덮어씁니다',
  'Ask nothing': '아무것도 묻지 않습니다',
  'learn from examples, starting from the miniature': '미니어처에서 시작해 예시로 학습',
  'Start the ranks of a training on this machine, or its part of several machines':
    '이 컴퓨터(또는 여러 대 중 이 컴퓨터의 몫)에서 학습의 랭크들을 시작합니다',
  'Ranks on this machine': '이 컴퓨터의 랭크 수',
  Machines: '컴퓨터 수',
  'Which of them this is, from 0': '그중 이 컴퓨터의 번호(0부터)',
  'host:port where node 0 serves the rendezvous store':
    '0번 노드가 랑데부 저장소를 여는 호스트:포트',
  'Start again from the last saved state after a failure, this often':
    '실패하면 마지막으로 저장된 상태에서 다시 시작하는 횟수',
  'Where rank-<rank>.log are written': 'rank-<랭크>.log 파일을 쓸 곳',
  'four ranks here': '여기서 랭크 네 개',
  'Predict memory, communication and time of a recipe on this machine or on GPUs':
    '이 컴퓨터나 GPU에서 레시피가 쓸 메모리, 통신, 시간을 예측합니다',
  'Memory of a rank by item, bytes over the links, time of each phase: of GPUs from formulas, of the processor at hand from what a part of the model takes on it. Exit code 1 if it does not fit, with the nearest settings that do.':
    '랭크의 항목별 메모리, 링크를 지나는 바이트, 구간별 시간을 냅니다. GPU는 공식으로 계산하고, 이 컴퓨터의 프로세서는 모델의 일부를 돌려 걸린 시간으로 셈합니다. 들어가지 않으면 종료 코드 1과 함께 들어가는 가장 가까운 설정을 알려 줍니다.',
  'A recipe': '레시피',
  'H200, 8xH100-80GB, nodes × GPUs: 2x8xH100-80GB, or CPU-64GB':
    'H200, 8xH100-80GB, 노드 × GPU: 2x8xH100-80GB, 또는 CPU-64GB',
  'the processor at hand': '이 컴퓨터의 프로세서',
  'Without --gpus: processes that share this machine':
    '--gpus 없이: 이 컴퓨터를 나누어 쓰는 프로세스 수',
  'Mean tokens of a prompt': '프롬프트의 평균 토큰 수',
  'Mean tokens of a completion': '응답의 평균 토큰 수',
  'half of the limit': '한도의 절반',
  'as in the data, or half of the limit': '데이터의 평균, 데이터가 없으면 한도의 절반',
  'this machine, in some seconds': '이 컴퓨터, 몇 초 걸림',
  "A config.json instead of the recipe's model": '레시피의 모델 대신 쓸 config.json',
  'none, optimizer, gradients or parameters': 'none, optimizer, gradients, parameters 중 하나',
  'none, norm_swiglu, ffn or block': 'none, norm_swiglu, ffn, block 중 하나',
  'Print the plan as JSON': '계획을 JSON으로 출력합니다',
  'one GPU': 'GPU 하나',
  'two nodes': '노드 둘',
  'memory on a processor, int8 too': '프로세서의 메모리, int8도',
  'Make the report page of a run, compare runs, or watch one':
    '실행의 보고서를 만들거나, 실행들을 비교하거나, 실시간으로 봅니다',
  'Writes DIR/report.html: curves, completions, time and memory in one file that needs no network.':
    'DIR/report.html을 씁니다. 곡선, 응답, 시간, 메모리가 네트워크 없이 열리는 파일 하나에 들어갑니다.',
  'Run directories': '실행 디렉터리',
  'File to write (one run: DIR/report.html)': '쓸 파일(실행이 하나면 DIR/report.html)',
  'Completions to keep of each run, evenly from all of them':
    '실행마다 담을 응답 수(전체에서 고르게 뽑습니다)',
  'Serve the page on 127.0.0.1 and keep it up to date while the run goes on':
    '127.0.0.1에 페이지를 띄우고 실행 중에 계속 갱신합니다',
  'Port of --watch': '--watch의 포트',
  'one that is free': '비어 있는 포트',
  'one run': '실행 하나',
  'two runs side by side': '실행 둘을 나란히',
  'while it runs': '실행 중에',
  'Print what lets bash or zsh complete command lines of kogrpo':
    'bash나 zsh가 kogrpo 명령줄을 자동 완성하게 하는 내용을 출력합니다',
  'Prints lines for the start-up file of a shell, where kogrpo is on the PATH (npm install -g kogrpo).':
    '셸의 시작 파일에 넣을 줄을 출력합니다. kogrpo가 PATH에 있어야 합니다(npm install -g kogrpo).',
  'bash or zsh': 'bash 또는 zsh',
  'by $SHELL': '$SHELL에 따름',
  'in this shell': '이 셸에서',
  'from now on': '앞으로 계속',
  'in zsh': 'zsh에서',
  'a line a check, with the remedy where one is needed': '점검마다 한 줄, 필요하면 할 일과 함께',
  'a judge of the package': '패키지에 든 심판',
  'the judge of your recipe': '내 레시피의 심판',
  'Say what this machine can run, and why not the rest':
    '이 컴퓨터에서 무엇이 돌고 무엇이 왜 안 도는지 알려 줍니다',
  'Says what this machine can run, and why not the rest.':
    '이 컴퓨터에서 무엇이 돌고 무엇이 왜 안 도는지 알려 줍니다.',
  'Print JSON, for programs': '프로그램이 읽을 JSON을 출력합니다',
  'Measure a judge on labelled answers before it is trusted':
    '심판을 믿기 전에, 정답 여부가 표시된 답으로 심판을 잽니다',
  'Asks the judge of a recipe about labelled answers. A line of the file has "question", "reference", "answer" (what follows the thinking), "label" (1: right, 0: wrong), and may have "kind"; answers of kind "injection" tell the judge what to say. mini:judge-eval is such a set for the miniature. Other keys of the recipe\'s judge can be changed with --judge.KEY.':
    '정답 여부가 표시된 답을 레시피의 심판에게 묻습니다. 파일의 한 줄에는 "question", "reference", "answer"(생각 뒤의 답), "label"(1: 맞음, 0: 틀림)이 있고 "kind"가 있을 수 있습니다. kind가 "injection"인 답은 심판에게 할 말을 지시하려 드는 답입니다. mini:judge-eval은 미니어처용으로 만든 그런 데이터입니다. 레시피에 있는 심판의 다른 키는 --judge.키로 바꿀 수 있습니다.',
  'A .jsonl, .jsonl.gz or .parquet file, or mini:judge-eval':
    '.jsonl, .jsonl.gz, .parquet 파일 또는 mini:judge-eval',
  'Recipe whose grpo.oracle.judge is measured': 'grpo.oracle.judge를 잴 레시피',
  'JSON file with the result': '결과를 쓸 JSON 파일',
  'Answers to judge': '심판할 답의 수',
  'the whole file; 1600 of a built-in set': '파일 전체, 내장 데이터는 1600개',
  'Say whether a model is ready for the grpo stage of a recipe':
    '모델이 레시피의 grpo 단계를 시작할 준비가 되었는지 알려 줍니다',
  'Samples completions of the prompts of the grpo stage as that would, and rewards them (without the judge): pass@1, pass@k, the share of groups whose rewards are all equal, Korean in the thinking. Fails where too many groups would teach nothing.':
    'grpo 단계의 프롬프트로 그 단계처럼 응답을 뽑아 보상을 매깁니다(심판 없이). pass@1, pass@k, 보상이 모두 같은 그룹의 비율, 생각의 한국어 비율을 냅니다. 배울 것이 없는 그룹이 너무 많으면 실패합니다.',
  'Limit of the share of dead groups': '죽은 그룹 비율의 한도',
  "the recipe's, 0.9": '레시피의 값, 0.9',
  'after the sft stage': 'sft 단계가 끝난 뒤',
  'after the grpo stage': 'grpo 단계가 끝난 뒤',
  'The model to look at': '살펴볼 모델',
  'Completions of each prompt': '프롬프트마다의 응답 수',
  "the recipe's num_generations": '레시피의 num_generations',
  'Prompts, spread evenly over the data': '데이터 전체에서 고르게 뽑을 프롬프트 수',
  'Print the figures as JSON': '수치를 JSON으로 출력합니다',
  "Repeat the neighbouring papers' claims at toy size":
    '이웃 논문들의 주장을 장난감 크기로 되풀이합니다',
  "Repeats the neighbouring papers' claims on tiny models and says whether their gates are met.":
    '이웃 논문들의 주장을 아주 작은 모델로 되풀이하고, 정해 둔 기준을 넘는지 알려 줍니다.',
  'One experiment': '실험 하나',
  'Seeds, separated by commas': '시드(쉼표로 구분)',
  'Directory for the results, NAME.json each': '결과를 쓸 디렉터리(실험마다 NAME.json)',
  'Run nothing: print the table of the results in this directory':
    '실행하지 않고, 이 디렉터리에 있는 결과의 표를 출력합니다',
  'Run nothing: say what there is': '실행하지 않고, 무엇이 있는지 알려 줍니다',
  'one of them': '그중 하나',
  'Check on a toy problem that RL narrows and is held open by the KL':
    '작은 문제에서 RL이 좁아지고 KL이 그것을 막는지 확인합니다',
  'Trains a tiny model to find paths in a graph; about a minute.':
    '아주 작은 모델에게 그래프의 길 찾기를 가르칩니다. 1분쯤 걸립니다.',
})
