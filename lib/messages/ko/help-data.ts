/** Help of the commands on data, in Korean. */
import { catalogue } from '../catalogue.ts'

export const helpData = catalogue({
  'Show what a data file or the data of a recipe holds, and what is wrong with it':
    '데이터 파일이나 레시피의 데이터에 무엇이 있고 무엇이 틀렸는지 보여 줍니다',
  'Counts, lengths in tokens, languages, duplicates and mistakes of a data file (.jsonl, .jsonl.gz, .parquet) or of all data of a recipe (.yaml, .json), and the first samples as the model reads them.':
    '데이터 파일(.jsonl, .jsonl.gz, .parquet)이나 레시피(.yaml, .json)의 모든 데이터에 대해 개수, 토큰 길이, 언어, 중복, 오류를 세고, 처음 몇 샘플을 모델이 읽는 그대로 보여 줍니다.',
  'A data file or a recipe': '데이터 파일이나 레시피',
  'A data file': '데이터 파일',
  'Data files': '데이터 파일들',
  'Whose tokenizer and template to use': '토크나이저와 템플릿을 가져올 모델',
  'pretrain, sft or grpo: what the file is for [default: sft]; of a recipe, only that':
    '파일의 쓰임: pretrain, sft, grpo [기본값: sft]. 레시피라면 그 단계만',
  'Columns of the file: prompt=question,answer=gold': '파일의 열: prompt=question,answer=gold',
  'Count samples of more tokens': '이보다 긴 샘플을 셉니다(토큰)',
  'A benchmark file whose prompts must not be among these':
    '프롬프트가 섞여 있으면 안 되는 벤치마크 파일',
  'Samples to show': '보여 줄 샘플 수',
  'a file for SFT': 'SFT용 파일',
  'all data of a recipe': '레시피의 모든 데이터',
  'Clean, filter, deduplicate and split a data file':
    '데이터 파일을 다듬고, 거르고, 중복을 없애고, 나눕니다',
  'Writes STEM.train.jsonl and, with --eval-share, STEM.eval.jsonl: text cleaned (NFC, no control characters), without samples that are not Korean, too short or long, repetitive, duplicates, or in a benchmark.':
    'STEM.train.jsonl을 쓰고, --eval-share를 주면 STEM.eval.jsonl도 씁니다. 텍스트를 다듬고(NFC, 제어 문자 없음), 한국어가 아니거나 너무 짧거나 길거나 반복이 심하거나 중복이거나 벤치마크에 있는 샘플을 뺍니다.',
  'Beginning of the names of the files to write': '쓸 파일 이름의 앞부분',
  'Least share of Korean letters in thinking and answer (else in the prompt)':
    '생각과 답(없으면 프롬프트)에서 한글의 최소 비율',
  'Least characters of a sample': '샘플의 최소 글자 수',
  'Most characters of a sample': '샘플의 최대 글자 수',
  'Most share of the text in lines that occurred before': '앞에 나온 줄이 차지하는 최대 비율',
  'Share of the prompts to hold out': '평가용으로 떼어 둘 프롬프트의 비율',
  'A benchmark file whose prompts are left out': '프롬프트를 뺄 벤치마크 파일',
  'Generate questions of Korean commonsense in 1 to 6 steps':
    '1에서 6단계의 한국 상식 문제를 생성합니다',
  'Dates and holidays of both calendars, ages, animals, school and service, units of counting, kinship: each with its answer and the result of every step. Never train on a seed that you evaluate with. kogrpo eval --benchmark ko-commonsense says at which step a model fails.':
    '양력과 음력의 날짜와 명절, 나이, 띠, 학교와 군 복무, 세는 단위, 촌수 문제를 정답과 단계별 결과와 함께 만듭니다. 평가에 쓰는 시드로는 절대 학습하지 마세요. kogrpo eval --benchmark ko-commonsense가 모델이 어느 단계에서 틀리는지 알려 줍니다.',
  '100 questions of each level': '수준마다 100문제',
  'JSONL file to write': '쓸 JSONL 파일',
  'Questions, of all families and levels': '모든 유형과 수준을 합친 문제 수',
  'Filter a corpus: rules, duplicates, perplexity': '말뭉치를 거릅니다: 규칙, 중복, 퍼플렉시티',
  'Reads .jsonl, .jsonl.gz and .parquet files once, as a stream, and writes the lines that break no rule, repeat no earlier text and lie within the window of perplexity, unchanged and in order. A stopped run goes on when the command is given again. See docs/corpus.md.':
    '.jsonl, .jsonl.gz, .parquet 파일을 스트림으로 한 번 읽어, 규칙을 어기지 않고 앞의 텍스트를 되풀이하지 않으며 퍼플렉시티 범위 안에 드는 줄을 순서대로 그대로 씁니다. 멈춘 실행은 같은 명령을 다시 주면 이어 갑니다. docs/corpus.md를 보세요.',
  'Write the dropped lines here, each with its rule': '빠진 줄을 걸린 규칙과 함께 여기에 씁니다',
  'Columns: text=body': '열: text=body',
  'Least characters': '최소 글자 수',
  'Most characters': '최대 글자 수',
  'Least share of Hangul among the letters': '글자 중 한글의 최소 비율',
  'Least share of letters among what is no space': '공백이 아닌 것 중 글자의 최소 비율',
  'Most share of isolated jamo among the letters (ㅋㅋㅋ)': '글자 중 낱자모의 최대 비율(ㅋㅋㅋ)',
  'Most share of control characters and U+FFFD': '제어 문자와 U+FFFD의 최대 비율',
  'Most share in lines that occurred before in the text':
    '텍스트에서 앞에 나온 줄이 차지하는 최대 비율',
  'Most share in runs of 20 characters that did': '앞에 나온 20글자 토막이 차지하는 최대 비율',
  'Least sentence ends': '문장 끝의 최소 개수',
  'How repeated texts are found: none, exact, minhash or ngram':
    '중복을 찾는 방법: none, exact, minhash, ngram',
  'From where a text is a duplicate': '중복으로 보는 유사도',
  'MiB of the index of duplicates': '중복 색인의 크기(MiB)',
  'Checkpoint for the perplexity: a directory or builtin:mini':
    '퍼플렉시티를 잴 체크포인트: 디렉터리 또는 builtin:mini',
  'Drop texts of a lower perplexity': '퍼플렉시티가 이보다 낮은 텍스트를 뺍니다',
  'Drop texts of a higher perplexity': '퍼플렉시티가 이보다 높은 텍스트를 뺍니다',
  'Tokens of the beginning that are measured': '앞에서부터 잴 토큰 수',
  'Seconds between saved states': '상태를 저장하는 간격(초)',
  'Print the counts as JSON': '개수를 JSON으로 출력합니다',
  'Measure how often a model solves each prompt, for a curriculum':
    '커리큘럼을 위해, 모델이 프롬프트마다 얼마나 자주 푸는지 잽니다',
  'Samples k completions of every prompt of the grpo stage and writes the prompts with a column pass_rate, which grpo.curriculum orders by and drop_zero_pass looks at.':
    'grpo 단계의 모든 프롬프트에서 응답을 k개씩 뽑아, pass_rate 열을 붙인 프롬프트를 씁니다. grpo.curriculum이 이 열로 순서를 정하고 drop_zero_pass가 이 열을 봅니다.',
  'Make Korean self-correction samples of wrong attempts':
    '틀린 시도로 한국어 자기 교정 샘플을 만듭니다',
  "INPUT holds records with question, attempt, answer, solution (and verdict, solution_en), or is a run's completions.jsonl, in which wrong and right completions of one prompt are paired.":
    'INPUT에는 question, attempt, answer, solution(그리고 verdict, solution_en)이 있는 레코드가 있거나, 실행의 completions.jsonl입니다. 뒤의 경우 한 프롬프트의 틀린 응답과 맞은 응답을 짝짓습니다.',
  'Of the correction: ko; en or mixed (changing at every step) need solution_en':
    '교정의 언어: ko. en과 mixed(단계마다 바뀜)에는 solution_en이 필요합니다',
  'dialogue: the attempt is context; thinking: attempt and correction in one thinking':
    'dialogue: 시도가 문맥, thinking: 시도와 교정이 한 생각 안에',
  'completions.jsonl: wrong attempts of a prompt at most':
    'completions.jsonl: 프롬프트마다 틀린 시도의 최대 개수',
})
