/** What a run says on the terminal, in Korean. */
import { catalogue } from '../catalogue.ts'

export const terminal = catalogue({
  reward: '보상',
  loss: '손실',
  accuracy: '정확도',
  'token accuracy': '토큰 정확도',
  Korean: '한국어',
  'judge agrees': '심판 일치',
  'judge failed': '심판 실패',
  judge: '심판',
  generation: '생성',
  update: '갱신',
  refinement: '다듬기',
  'report.html was not written: {reason}': 'report.html: 쓰지 못했습니다: {reason}',
  '{address}  (Ctrl-C stops it)': '{address}  (Ctrl-C로 멈춥니다)',
  'run directory: {path}': '실행 디렉터리: {path}',
  'warning: {message}': '경고: {message}',
  'grpo: {steps} steps. Watch the reward, not the loss: on-policy the loss is about 0 by construction':
    'grpo: {steps}스텝. 손실이 아니라 보상을 보세요. on-policy에서 손실은 구조상 0에 가깝습니다',
  '{name}: {steps} steps': '{name}: {steps}스텝',
  ', written to {path}': ', 저장한 곳: {path}',
  'written to {path}': '저장한 곳: {path}',
  precision: '정밀도',
  recall: '재현율',
  failed: '실패',
  'judge: {name}': '심판: {name}',
  'injections: no verdict': '주입 공격: 판정 없음',
  'injections: fooled by {fooled} of {count} ({share}, 95 %: {low} … {high})':
    '주입 공격: {count}개 중 {fooled}개에 속음({share}, 95 %: {low} … {high})',
  'latency in s: mean {mean}, median {p50}, 95th percentile {p95}, longest {max}':
    '응답 시간(초): 평균 {mean}, 중앙값 {p50}, 95백분위 {p95}, 최대 {max}',
  'tokens: {prompt} read, {completion} written': '토큰: 읽음 {prompt}, 씀 {completion}',
  'failed {count} times: {reason}': '{count}번 실패: {reason}',
  '{name}: {steps} steps in {took}{where}': '{name}: {steps}스텝, 걸린 시간 {took}{where}',
  'finished in {time}': '끝났습니다. 걸린 시간: {time}',
  '{time} left': '{time} 남음',
  'the engine': '엔진',
  'the next step': '다음 스텝',
  'waiting for {what} ({time})': '기다리는 중: {what} ({time})',
  '{stage}: accuracy {accuracy} (95 %: {interval}), Korean thinking {korean}, format {format}, mean length {length} tokens, n = {n}':
    '{stage}: 정확도 {accuracy} (95 %: {interval}), 한국어 생각 {korean}, 형식 {format}, 평균 길이 {length}토큰, n = {n}',
  '95 % interval': '95 % 구간',
  'Korean thinking': '한국어 생각',
  format: '형식',
  'mean length': '평균 길이',
  '{points} points of accuracy': '정확도 {points}점',
  'oracle {rule}: checker and judge right {tp}, wrong {tn}':
    '오라클 {rule}: 채점기와 심판이 함께 맞음 {tp}, 함께 틀림 {tn}',
  'only the checker says right {fp}, only the judge {fn}': '채점기만 맞음 {fp}, 심판만 맞음 {fn}',
  'agreement {share}': '일치 {share}',
  'kappa {kappa}': '카파 {kappa}',
  '{calls} verdicts asked for': '판정 요청 {calls}개',
  '{failures} failed ({share})': '실패 {failures}개({share})',
  '{hits} from the cache, {requests} requests': '캐시에서 {hits}개, 요청 {requests}개',
  '{read} tokens read, {written} written': '읽은 토큰 {read}개, 쓴 토큰 {written}개',
  'A held-out problem': '학습에 쓰지 않은 문제',
  '  answer: {answer}': '  정답: {answer}',
  ' (correct)': ' (맞음)',
  ' (wrong)': ' (틀림)',
  '(empty)': '(비어 있음)',
  'stopping after the work in hand; press Ctrl-C again to quit at once':
    '하던 일을 마치고 멈춥니다. 바로 끝내려면 Ctrl-C를 한 번 더 누르세요',
  'stopping; press Ctrl-C again to quit at once':
    '멈추는 중입니다. 바로 끝내려면 Ctrl-C를 한 번 더 누르세요',
  'stopped. To go on from here, to the bit:\n  npx kogrpo train --resume {path}':
    '멈췄습니다. 여기서 비트까지 똑같이 이어 가려면:\n  npx kogrpo train --resume {path}',
  'stopped before the first step. To start again:\n  npx kogrpo train {config} --overwrite':
    '첫 스텝 전에 멈췄습니다. 다시 시작하려면:\n  npx kogrpo train {config} --overwrite',
  'build it: {command}': '이렇게 빌드하세요: {command}',
  'Debian, Ubuntu: sudo apt-get install -y g++ make python3; Fedora: sudo dnf install -y gcc-c++ make python3; macOS: xcode-select --install':
    '설치: Debian, Ubuntu: sudo apt-get install -y g++ make python3; Fedora: sudo dnf install -y gcc-c++ make python3; macOS: xcode-select --install',
  'Node {version} ({node} is needed)': 'Node {version} (필요한 버전: {node})',
  'use Linux or macOS; on Windows, WSL': 'Linux나 macOS를, Windows에서는 WSL을 쓰세요',
  '{message} is not supported': '{message}: 지원하지 않습니다',
  'the native addon does not run: {tried}': '네이티브 애드온이 돌지 않습니다: {tried}',
  'unset KOGRPO_NATIVE, or build it': 'KOGRPO_NATIVE를 없애거나 애드온을 빌드하세요',
  '{path} runs': '{path}: 동작합니다',
  'computes with {isa} (this processor and build: {sets})':
    '{isa} 명령어로 계산합니다(이 프로세서와 빌드: {sets})',
  'a processor with AVX2 or NEON is many times faster':
    'AVX2나 NEON이 있는 프로세서가 몇 배 빠릅니다',
  '{threads} threads': '스레드 {threads}개',
  '{threads} threads, but the control group grants the time of {quota} processors':
    '스레드는 {threads}개인데 컨트롤 그룹이 주는 시간은 프로세서 {quota}개 몫입니다',
  'run with --threads {fitting}': '--threads {fitting} 옵션으로 실행하세요',
  ', set by a control group': ', 컨트롤 그룹이 정함',
  '{available} available of {total}{limit}': '{total} 중 {available} 사용 가능{limit}',
  'the miniature needs 0.5 GiB, a model about 20 bytes a parameter: free some':
    '미니어처에는 0.5 GiB, 모델에는 파라미터마다 20바이트쯤 필요합니다. 메모리를 비우세요',
  'an NVIDIA device ({driver})': 'NVIDIA 장치 있음({driver})',
  'but no driver library libcuda.so.1': '드라이버 라이브러리 libcuda.so.1 없음',
  'no NVIDIA device': 'NVIDIA 장치 없음',
  '{found}; {problem}': '{found}. {problem}',
  'the addon does not run': '애드온이 돌지 않습니다',
  'ranks on several GPUs talk over NCCL {text}': '여러 GPU의 랭크가 통신에 쓰는 것: NCCL {text}',
  'ranks on several GPUs cannot talk to each other: {text}':
    '여러 GPU의 랭크가 서로 통신할 수 없습니다: {text}',
  "install NVIDIA's package libnccl2, or pip install nvidia-nccl-cu13 and name its libnccl.so.2 in KOGRPO_NCCL":
    'NVIDIA의 libnccl2 패키지를 설치하거나, pip install nvidia-nccl-cu13을 한 뒤 그 libnccl.so.2를 KOGRPO_NCCL에 적으세요',
  '{cards}; products by {library}': '{cards}. 행렬 곱은 {library}',
  'use --device cpu (the default)': '--device cpu(기본값)를 쓰세요',
  'a C++ compiler': 'C++ 컴파일러',
  'missing: {missing} (needed to build, not to train)':
    '없는 것: {missing} (빌드에 필요하고 학습에는 필요 없습니다)',
  '{free} free in {directory}': '{directory}에 {free} 남음',
  'free some, or write elsewhere with --output-dir':
    '공간을 비우거나 --output-dir로 다른 곳에 쓰세요',
  '{directory} cannot be written to': '{directory}: 쓸 수 없습니다',
  'run in another directory, or write elsewhere with --output-dir':
    '다른 디렉터리에서 실행하거나 --output-dir로 다른 곳에 쓰세요',
  'builtin:mini is there ({directory})': 'builtin:mini 있음({directory})',
  'builtin:mini lacks {missing} ({directory}): kogrpo train needs a recipe with another model':
    'builtin:mini에 없는 파일: {missing} ({directory}). kogrpo train에 다른 모델을 쓰는 레시피가 필요합니다',
  'install the package again, or make it: kogrpo train mini-base':
    '패키지를 다시 설치하거나 직접 만드세요: kogrpo train mini-base',
  'version {version}': '버전 {version}',
  'Training can run here.': '여기서 학습할 수 있습니다.',
  'warning: about {needed} GiB are needed and {free} GiB are free: take a smaller model or shorter samples':
    '경고: 약 {needed} GiB가 필요한데 {free} GiB가 남아 있습니다. 더 작은 모델이나 더 짧은 샘플을 쓰세요',
  '{file} is written. Next:\n  npx kogrpo data check {word}\n  npx kogrpo train {word}':
    '{file}: 썼습니다. 다음으로:\n  npx kogrpo data check {word}\n  npx kogrpo train {word}',
  'Model to start from (a Hugging Face directory)': '시작할 모델(Hugging Face 디렉터리)',
  'Examples to learn from (.jsonl or .parquet; empty: none)':
    '배울 예시(.jsonl이나 .parquet, 비우면 없음)',
  'Problems with answers for reinforcement learning (empty: none)':
    '강화학습에 쓸, 정답이 있는 문제(비우면 없음)',
  'nobody is asked for a key, and --host {host} lets other machines in: set KOGRPO_API_KEY, or leave --host out':
    '열쇠를 묻지 않는데 --host {host} 설정으로 다른 컴퓨터도 들어올 수 있습니다. KOGRPO_API_KEY를 설정하거나 --host를 빼세요',
  'serving {model} at {url}': '{model}: {url} 주소에서 제공합니다',
  'finishing what is in hand (at most {grace} s; again to end now)':
    '하던 요청을 마칩니다(최대 {grace}초. 한 번 더 누르면 바로 끝납니다)',
  'the server has stopped': '서버를 멈췄습니다',
  '{name}: loading the model': '{name}: 모델을 읽는 중',
  '{name}: {done} records · {tokens} tokens · {speed}':
    '{name}: 레코드 {done}개 · 토큰 {tokens}개 · {speed}',
  '{name}: {done} of {total} records · {tokens} tokens · {speed}':
    '{name}: 레코드 {total}개 중 {done}개 · 토큰 {tokens}개 · {speed}',
  '{name}: {done} records, {tokens} tokens ({speed}){where}{columns}':
    '{name}: 레코드 {done}개, 토큰 {tokens}개({speed}){where}{columns}',
  '; replaced columns of the input: {columns}': '; 입력에서 바꿔 쓴 열: {columns}',
  stopping: '멈추는 중입니다',
  'stopped; nothing was written': '멈췄습니다. 쓴 것은 없습니다',
  'stopped; the same command goes on from here':
    '멈췄습니다. 같은 명령을 다시 주면 여기서 이어 갑니다',
  'stopping after this step': '이 스텝을 마치고 멈춥니다',
  'stopping after this block': '이 블록을 마치고 멈춥니다',
  reading: '읽는 중',
  'measuring on held-out traces': '평가용 풀이로 재는 중',
  'step {step} of {steps}, loss {loss}': '{steps}스텝 중 {step}스텝, 손실 {loss}',
  '{file}: {done} of {total} documents': '{file}: 문서 {total}개 중 {done}개',
  '{file}: {total} documents': '{file}: 문서 {total}개',
  '{file}: {records} records, {kept} kept, {rate} MB/s':
    '{file}: 레코드 {records}개, 남긴 것 {kept}개, {rate} MB/s',
  '{count} prompts': '프롬프트 {count}개',
  '{done} of {total} answers judged': '답 {total}개 중 {done}개 판정함',
  '{count} questions in {output}': '질문 {count}개, 저장한 곳: {output}',
  '{count} prompts in {output}: {zero} never solved in {k} attempts, {full} always{none}':
    '프롬프트 {count}개, 저장한 곳: {output}. {k}번 시도해서 한 번도 못 푼 것 {zero}개, 늘 푼 것 {full}개{none}',
  ', {unknown} without a verdict': ', 판정이 없는 것 {unknown}개',
  '{output}: the best of {n} for {prompts} prompts; mean reward {best}, of all samples {all}':
    '{output}: 프롬프트 {prompts}개에서 {n}개 중 가장 좋은 것. 평균 보상 {best}, 모든 샘플의 평균 {all}',
  'warning: on held-out traces the area under the curve is {auc} (0.5 is chance): with few expert traces the model remembers their prompts. Give more traces, or fewer --steps':
    '경고: 평가용 풀이에서 곡선 아래 넓이가 {auc}입니다(0.5가 우연). 전문가의 풀이가 적으면 모델이 그 프롬프트를 외웁니다. 풀이를 더 주거나 --steps를 줄이세요',
  'it does not end by itself: killed': '스스로 끝나지 않아 강제로 끝냅니다',
  'stopped before the first records were done': '첫 레코드를 마치기 전에 멈췄습니다',
  'stopped after {count} records': '레코드 {count}개를 마치고 멈췄습니다',
  'stopped after {count} records, kept in {partial}; the same command goes on from there':
    '레코드 {count}개를 마치고 멈췄습니다. {partial} 파일에 두었으며, 같은 명령을 다시 주면 거기서 이어 갑니다',
  '{name}: going on behind {before} records of a stopped run':
    '{name}: 멈춘 실행의 레코드 {before}개 뒤에서 이어 갑니다',
  '{path} ({stage}): {records} records, {samples} samples':
    '{path} ({stage}): 레코드 {records}개, 샘플 {samples}개',
  columns: '열',
  tokens: '토큰',
  'too long': '너무 김',
  prompt: '프롬프트',
  thinking: '생각',
  answer: '답',
  'no thinking': '생각 없음',
  'no answer': '정답 없음',
  duplicates: '중복',
  'in benchmark': '벤치마크에',
  mistakes: '오류',
  '{min} to {max}, median {median}, 95 % up to {p95}; {total} in all':
    '{min}–{max}, 중앙값 {median}, 95 %는 {p95} 이하, 모두 {total}',
  ' (prompts)': ' (프롬프트)',
  ', {trained} of them trained': ', 그중 학습되는 것 {trained}',
  '{count} of more than {limit} tokens': '{limit}토큰보다 긴 것 {count}개',
  '{share} of {texts} are Korean; {mean} of the letters in the mean':
    '{texts}개 중 한국어 {share}, 글자로는 평균 {mean}',
  '{count} samples: an empty think block is learnt (map a column "reasoning")':
    '샘플 {count}개: 빈 생각 블록을 배웁니다("reasoning" 열을 이으세요)',
  '{count} records (the accuracy reward needs a column "answer")':
    '레코드 {count}개(정확도 보상에는 "answer" 열이 필요합니다)',
  '{count}, e.g. {examples}{remedy}': '{count}개, 예: {examples}{remedy}',
  '; kogrpo data prepare leaves them out': '. kogrpo data prepare가 빼 줍니다',
  '; kogrpo data prepare --against leaves them out': '. kogrpo data prepare --against가 빼 줍니다',
  'the prompt as the model reads it': '모델이 읽는 그대로의 프롬프트',
  'trained: {marks}': '학습됨: {marks}',
})
