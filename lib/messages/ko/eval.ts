/** What is wrong with an evaluation, in Korean. */
import { catalogue } from '../catalogue.ts'

export const evaluation = catalogue({
  '{where}: no log-probabilities of "{continuation}" came back; the endpoint must support "echo" with "logprobs"':
    '{where}: "{continuation}"의 로그 확률이 돌아오지 않았습니다. 엔드포인트가 "logprobs"와 함께 "echo"를 지원해야 합니다',
  '{where}: {path}: the reply is not what it should be: {at}: {message}':
    '{where}: {path}: 응답의 형식이 다릅니다: {at}: {message}',
  '{reason} (asks to wait {seconds} s)': '{reason} ({seconds}초를 기다리라고 합니다)',
  'no reply within {seconds} s': '{seconds}초 안에 응답이 오지 않았습니다',
  'the reply is no JSON: {text}': '응답이 JSON이 아닙니다: {text}',
  "{where}: the log-likelihood is {logprob}; the model's weights hold NaN or overflow":
    '{where}: 로그 우도가 {logprob}입니다. 모델의 가중치에 NaN이 있거나 오버플로가 났습니다',
  '{where}: nothing to score: the context has {length} tokens and "{continuation}" adds {added}':
    '{where}: 점수를 매길 것이 없습니다. 문맥은 {length}토큰이고 "{continuation}"의 몫은 {added}토큰입니다',
  "{where}: the question needs {tokens} tokens, the model's context has {context}; give fewer few-shot examples (--num-fewshot)":
    '{where}: 문제에 {tokens}토큰이 필요한데 모델의 문맥은 {context}토큰입니다. 퓨샷 예시(--num-fewshot)를 줄이세요',
  'unknown benchmark "{name}"{hint}': '알 수 없는 벤치마크 "{name}"{hint}',
  '; there are {names}': '. 있는 것: {names}',
  '{file}:{line}: {problems}; a labelled answer has the columns question, reference, answer and label (0 or 1), and may have kind':
    '{file}:{line}: {problems}. 정답 여부가 표시된 답에는 question, reference, answer, label(0 또는 1) 열이 있고 kind 열은 없어도 됩니다',
  'there are no labelled answers': '정답 여부가 표시된 답이 없습니다',
  'question "{id}" {problem} in the second evaluation; only evaluations of the same data can be compared':
    '두 번째 평가의 문제 "{id}": {problem}. 같은 데이터의 평가끼리만 비교할 수 있습니다',
  'has another right answer': '정답이 다릅니다',
  'is missing': '없습니다',
  'the evaluations have {first} and {second} questions; only evaluations of the same data can be compared':
    '두 평가의 문제 수가 {first}개와 {second}개로 다릅니다. 같은 데이터의 평가끼리만 비교할 수 있습니다',
  'column {column}: the quotation is never closed':
    '{column}번째 열: 닫히지 않은 따옴표가 있습니다',
  'column {column}: text behind the closing quotation mark':
    '{column}번째 열: 닫는 따옴표 뒤에 글자가 있습니다',
  'two columns are called "{name}"': '이름이 같은 열이 둘입니다: "{name}"',
  '{file}: cannot be read as UTF-8: {reason}': '{file}: UTF-8로 읽을 수 없습니다: {reason}',
  '{count} columns, but the header has {expected}':
    '열이 {count}개인데 머리줄에는 {expected}개입니다',
  '--num-fewshot {n}: only {length} examples for subset "{subset}"; give fewer, or name a file with more by --fewshot-data':
    '--num-fewshot {n}: 하위 집합 "{subset}"의 예시는 {length}개뿐입니다. 수를 줄이거나 예시가 더 많은 파일을 --fewshot-data로 지정하세요',
  '--data {path}: cannot be read: {reason}': '--data {path}: 읽을 수 없습니다: {reason}',
  '--data {path}: no .jsonl, .jsonl.gz, .parquet, .csv, .tsv or .json file in it':
    '--data {path}: .jsonl, .jsonl.gz, .parquet, .csv, .tsv, .json 파일이 없습니다',
  '--data {path}: no file of split "{split}"; there are {there} (--split chooses another)':
    '--data {path}: "{split}" 분할의 파일이 없습니다. 있는 것: {there} (--split으로 다른 분할을 고릅니다)',
  '{file}: cannot be read as JSON: {reason}': '{file}: JSON으로 읽을 수 없습니다: {reason}',
  '{file}: is no JSON array of rows; .jsonl has one object a line':
    '{file}: 행의 JSON 배열이 아닙니다. .jsonl은 한 줄에 객체 하나입니다',
  '{file}: element {element} is no object': '{file}: {element}번째 원소가 객체가 아닙니다',
  absent: '없음',
  'column "{column}" {message} (found {value})': '"{column}" 열: {message} (받은 값: {value})',
  'is no row of {title}: {problems}; a row looks like {example}':
    '{title}의 행이 아닙니다: {problems}. 행의 예: {example}',
  'question "{id}" was at {before} already; ids must be unique':
    '문제 "{id}": 이미 {before}에 있습니다. ID는 겹칠 수 없습니다',
  '--data {path}: no row in its files': '--data {path}: 파일에 행이 없습니다',
  'is no row of kogrpo eval; name the files that --output wrote':
    'kogrpo eval이 쓴 행이 아닙니다. --output으로 쓴 파일을 지정하세요',
  'pass@{k} of {c} right among {n} samples is not defined; draw at least {k} samples':
    '샘플 {n}개 중 {c}개가 맞을 때의 pass@{k} 값은 정의되지 않습니다. 샘플을 {k}개 이상 뽑으세요',
  'a paired interval needs at least two items': '짝지은 구간에는 항목이 둘 이상 필요합니다',
  'percentile q is {q}; it must be between 0 and 100':
    '백분위 q의 값이 {q}입니다. 0에서 100 사이여야 합니다',
  '{what} of no values; the evaluation is empty': '{what}: 값이 없습니다. 평가가 비어 있습니다',
  'paired statistics need the same items: {before} before, {after} after':
    '짝지은 통계에는 같은 항목이 필요합니다. 앞: {before}개, 뒤: {after}개',
  questions: '문항',
  difference: '차이',
  better: '더 나음',
  worse: '더 나쁨',
  'within the noise': '오차 범위 안',
  'and {count} more subsets': '그 밖의 부분집합 {count}개',
  '{ungraded} of {questions} questions could not be graded':
    '문항 {questions}개 중 {ungraded}개는 채점하지 못했습니다',
  'no answer found: {none}; cut at the length limit: {cut}; {tokens} tokens a sample':
    '답을 찾지 못함: {none}, 길이 제한에서 잘림: {cut}, 샘플당 토큰 {tokens}개',
  'first step missed: {steps}': '처음 틀린 단계: {steps}',
  'not measurable': '잴 수 없음',
  '{share} of {count}': '{count}개 중 {share}',
  'thinking: in {thinks}, Korean in {korean}, {length} characters; switches {switches} a sample':
    '생각: 있음 {thinks}, 한국어 {korean}, {length}자, 샘플당 언어 전환 {switches}번',
  'leaks: Chinese {chinese}, Japanese {japanese}; answer agrees with the thinking: {agree}':
    '섞임: 중국어 {chinese}, 일본어 {japanese}, 답이 생각과 일치: {agree}',
  'figures in {file}': '수치는 {file} 파일에 있습니다',
  'Differences are to {first}, paired by question: points, 95 % bootstrap interval, questions gained and\nlost, exact sign test. "Within the noise": the interval holds 0 or p is 0.05 or more.':
    '차이는 {first}에 대한 것이고 문항끼리 짝지었습니다: 퍼센트포인트, 95 % 부트스트랩 구간, 얻은 문항과 잃은\n문항, 정확 부호 검정. "오차 범위 안": 구간이 0을 포함하거나 p가 0.05 이상입니다.',
  'p is not corrected for {count} comparisons.':
    'p는 비교 {count}번에 대해 보정하지 않은 값입니다.',
})
