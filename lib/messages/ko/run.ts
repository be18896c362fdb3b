/** What stops a run: training, launching, planning, reports, the engine; in Korean. */
import { catalogue } from '../catalogue.ts'

export const run = catalogue({
  'the run in {path} is finished (summary.json is there): nothing is left to do':
    '{path}: 이 실행은 끝났습니다(summary.json이 있습니다). 더 할 일이 없습니다',
  'the run in {path} is finished (summary.json is there), and left no state to go on from; to train it further, start a recipe from its model, with another --output-dir':
    '{path}: 이 실행은 끝났고(summary.json이 있습니다) 이어 갈 상태를 남기지 않았습니다. 더 학습하려면 그 모델에서 시작하는 레시피를 다른 --output-dir로 돌리세요',
  'data difficulty counts right answers: grpo.rewards needs - name: accuracy':
    'data difficulty는 맞은 답을 셉니다. grpo.rewards에 - name: accuracy가 필요합니다',
  'eval diversity counts right answers: grpo.rewards needs - name: accuracy':
    'eval diversity는 맞은 답을 셉니다. grpo.rewards에 - name: accuracy가 필요합니다',
  'not ready for RL: {problem}': '강화학습을 시작할 준비가 되지 않았습니다: {problem}',
  'the planning self-test failed': '계획 자가 시험에 실패했습니다',
  'the recipe has no stage grpo, which says the prompts, the rewards and how to sample; add grpo':
    '레시피에 grpo 단계가 없습니다. 프롬프트와 보상과 샘플링 방법을 정하는 단계입니다. grpo를 넣으세요',
  "grpo.oracle.judge: nobody answers at {base_url} ({reason}); start the judge's server, or correct base_url. Nothing has been trained yet":
    'grpo.oracle.judge: {base_url} 주소에서 아무도 응답하지 않습니다({reason}). 심판 서버를 켜거나 base_url을 고치세요. 아직 아무것도 학습하지 않았습니다',
  "the saved state has {length} completions where {prompts} prompts of {size} are wanted; it is not this run's":
    '저장된 상태에는 응답이 {length}개인데, 프롬프트 {prompts}개에 각각 {size}개가 필요합니다. 이 실행의 상태가 아닙니다',
  "the saved state's completion {i} has {length} tokens and {logprobs} log-probs; it is damaged":
    '저장된 상태의 응답 {i}번은 토큰이 {length}개인데 로그 확률은 {logprobs}개입니다. 손상되었습니다',
  'device {device}: {problem}; --device cpu does without (kogrpo doctor shows what can run)':
    '{device} 장치: {problem}; --device cpu를 쓰면 GPU 없이 됩니다(무엇이 도는지는 kogrpo doctor가 보여 줍니다)',
  '{dir} was opened without its weights': '{dir}: 가중치 없이 열었습니다',
  'the native addon could not be loaded on {platform}-{arch}, Node {version}:\n{tried}\nBuild it with: {command}\n(npm rebuild kogrpo does the same where your package manager lets packages run install scripts)':
    '네이티브 애드온을 불러오지 못했습니다({platform}-{arch}, Node {version}):\n{tried}\n이렇게 빌드하세요: {command}\n(패키지 관리자가 설치 스크립트 실행을 허용하면 npm rebuild kogrpo도 같은 일을 합니다)',
  'the serving session is closed': '서빙 세션이 닫혀 있습니다',
  'the serving session was closed': '서빙 세션이 닫혔습니다',
  'generation failed: {reason}': '생성하지 못했습니다: {reason}',
  '--rdzv-endpoint is "{value}"; give host:port':
    '--rdzv-endpoint의 값이 "{value}"입니다. 호스트:포트를 주세요',
  'mpirun over several machines: name the one of rank 0 with -x MASTER_ADDR=host':
    '여러 대에서 mpirun을 쓸 때는 0번 랭크의 컴퓨터를 -x MASTER_ADDR=호스트로 알려 주세요',
  '{count} ranks of this machine cannot share {device}; --device cuda gives each its own':
    '이 컴퓨터의 랭크 {count}개가 {device} 하나를 함께 쓸 수는 없습니다. --device cuda로 하면 저마다 자기 GPU를 씁니다',
  '{count} ranks of this machine: at most 8 GPUs of one machine are used':
    '이 컴퓨터의 랭크가 {count}개입니다. 한 대에서 쓰는 GPU는 많아야 8개입니다',
  'rank {rank} of {size} ranks cannot be': '랭크 {size}개 중 {rank}번: 있을 수 없는 랭크입니다',
  '{name} is not set; a rank needs it (kogrpo launch, torchrun, srun and mpirun set it; for one process alone, unset RANK and WORLD_SIZE)':
    '{name}: 설정되지 않았습니다. 랭크에 필요한 변수입니다(kogrpo launch, torchrun, srun, mpirun이 설정합니다. 프로세스 하나로 돌리려면 RANK와 WORLD_SIZE를 없애세요)',
  '{name} is "{value}"; it must be a whole number':
    '{name}의 값이 "{value}"입니다. 정수여야 합니다',
  '{name} is "{value}"; it must be a number of seconds, from {least} to {most}':
    '{name}의 값이 "{value}"입니다. {least} 이상 {most} 이하인 초 단위의 수여야 합니다',
  'cannot serve the rendezvous store on port {port}: {message}; choose another port':
    '포트 {port}번에서 랑데부 저장소를 열 수 없습니다: {message}. 다른 포트를 고르세요',
  'gold answer "{answer}" is not a whole number in digits: the miniature\'s judge reads only its own problems':
    '정답 "{answer}": 숫자로 쓴 정수가 아닙니다. 미니어처의 심판은 자기 문제만 읽습니다',
  'unknown built-in data "{name}"; known are {known}':
    '알 수 없는 내장 데이터 "{name}". 있는 것: {known}',
  '{name}: size is {size}: give a positive integer':
    '{name}: size의 값이 {size}입니다. 양의 정수를 주세요',
  '{name}: only {found} of {size} different questions found: ask for fewer, or allow more families or steps':
    '{name}: 서로 다른 문제를 {size}개 중 {found}개만 찾았습니다. 수를 줄이거나 유형이나 단계 수를 더 허용하세요',
  'no answer of kind "{kind}" in 100 draws':
    '100번 뽑는 동안 "{kind}" 종류의 답이 나오지 않았습니다',
  '{name} is {p}: give a probability between 0 and 1':
    '{name}의 값이 {p}입니다. 0과 1 사이의 확률을 주세요',
  'families: unknown family "{unknown}"; known are {known}':
    'families: 알 수 없는 유형 "{unknown}". 있는 것: {known}',
  'no problems with minSteps {low} and maxSteps {high}: steps run from 1 to 4':
    'minSteps {low}, maxSteps {high}에 맞는 문제가 없습니다. 단계 수는 1에서 4까지입니다',
  'no {split} problem in {draws} draws: allow more families or steps':
    '{draws}번 뽑는 동안 {split} 문제가 나오지 않았습니다. 유형이나 단계 수를 더 허용하세요',
  '--gpus: expected e.g. H200, 8xH100-80GB, 2x8xH100-80GB or CPU-64GB, got "{text}"; GPUs: {names}':
    '--gpus: H200, 8xH100-80GB, 2x8xH100-80GB, CPU-64GB 같은 꼴이어야 합니다. 받은 값: "{text}". 아는 GPU: {names}',
  '--gpus: {gpus} GPUs are not whole nodes of 8':
    '--gpus: GPU {gpus}개는 8개짜리 노드로 나누어떨어지지 않습니다',
  '--gpus: {ranks} ranks; a plan is made for 1 to {most}':
    '--gpus: 랭크가 {ranks}개입니다. 1개에서 {most}개까지 계획할 수 있습니다',
  'cannot write {path}: {reason}': '{path}: 쓸 수 없습니다: {reason}',
  '{path} has no config.json, so it is not the directory of a run; name a directory such as runs/mini-…':
    '{path}: config.json이 없으므로 실행 디렉터리가 아닙니다. runs/mini-… 같은 디렉터리를 지정하세요',
  'cannot read {path}: {reason}': '{path}: 읽을 수 없습니다: {reason}',
  'cannot listen on port {port}: {reason}': '포트 {port}번을 열 수 없습니다: {reason}',
  '{path} has no config.json of a run, so it is not the directory of an earlier run; --overwrite leaves it alone. Choose another --output-dir':
    '{path}: 실행의 config.json이 없어 이전 실행의 디렉터리가 아니므로 --overwrite로도 건드리지 않습니다. 다른 --output-dir을 고르세요',
  "{place} is in use: process {pid} has been at work there since {since}, and two at a time would spoil each other's files. Wait for it, or stop it first (kill {pid})":
    '{place}: 사용 중입니다. {since}부터 프로세스 {pid}번이 일하고 있으며, 둘이 함께 쓰면 서로의 파일을 망칩니다. 끝나기를 기다리거나 먼저 멈추세요(kill {pid})',
  '{place} was in use by process {pid} on {host} (since {since}), which never said that it ended; if it is still at work there, stop one of the two':
    '{place}: {host} 컴퓨터의 프로세스 {pid}번이 {since}부터 쓰던 곳인데 끝났다는 기록이 없습니다. 아직 일하고 있다면 둘 중 하나를 멈추세요',
  'cannot use {path} as the run directory: {reason}. Choose another --output-dir':
    '{path}: 실행 디렉터리로 쓸 수 없습니다: {reason}. 다른 --output-dir을 고르세요',
  'the run directory {path} is not empty (it holds {some}); choose another --output-dir, or add --overwrite to replace the earlier run':
    '실행 디렉터리 {path}: 비어 있지 않습니다(들어 있는 것: {some}). 다른 --output-dir을 고르거나, 이전 실행을 덮어쓰려면 --overwrite를 붙이세요',
  'cannot write to {directory}: {reason}': '{directory}: 쓸 수 없습니다: {reason}',
  "accuracy kind 'code' runs programs that the model wrote, in a sandbox that exists on Linux (x86-64, arm64) only; this is {platform}-{arch}":
    "정확도 종류 'code'는 모델이 쓴 프로그램을 샌드박스에서 실행하는데, 이 샌드박스는 Linux(x86-64, arm64)에만 있습니다. 이 컴퓨터: {platform}-{arch}",
  "accuracy kind 'code' runs programs that the model wrote and needs the sandbox of bubblewrap, which does not work here: {why}; {remedy}":
    "정확도 종류 'code'는 모델이 쓴 프로그램을 실행하므로 bubblewrap 샌드박스가 필요한데 여기서는 동작하지 않습니다: {why}. {remedy}",
  'install it (Debian, Ubuntu: sudo apt-get install -y bubblewrap) and allow user namespaces (kernel.unprivileged_userns_clone=1; on Ubuntu 24.04 kernel.apparmor_restrict_unprivileged_userns=0)':
    '설치하고(Debian, Ubuntu: sudo apt-get install -y bubblewrap) 사용자 네임스페이스를 허용하세요(kernel.unprivileged_userns_clone=1, Ubuntu 24.04에서는 kernel.apparmor_restrict_unprivileged_userns=0)',
  '{command} does not run ({problem}); the code reward needs python3 and ldd':
    '{command}: 실행되지 않습니다({problem}). 코드 보상에는 python3과 ldd가 필요합니다',
  'no token of the tokenizer in {dir} writes Chinese; there is nothing to suppress':
    '{dir}의 토크나이저에는 중국어를 쓰는 토큰이 없어 억제할 것이 없습니다',
  '{dir}: the LM head is smoothed already ({mark} in config.json: {settings}); a second time would square the factors. Start from the model it was made from':
    '{dir}: LM 헤드에 이미 스무딩이 되어 있습니다(config.json의 {mark}: {settings}). 한 번 더 하면 계수가 제곱됩니다. 원래 모델에서 시작하세요',
  'model.config.num_hidden_layers is {after}: init expanded needs more than the {before} layers of the model':
    'model.config.num_hidden_layers의 값이 {after}입니다. init expanded에는 모델의 {before}층보다 많은 층이 필요합니다',
  'model.config: init expanded adds layers and keeps the rest, but {other} is {wanted} instead of {rest}; change num_hidden_layers only':
    'model.config: init expanded는 층만 더하고 나머지는 그대로 두는데, {other}의 값이 다릅니다({rest} → {wanted}). num_hidden_layers만 바꾸세요',
  "the guards' good state {path} is missing, so a rollback would have nowhere to go; put it back, or start the run again":
    '가드의 좋은 상태 {path}: 없습니다. 롤백할 곳이 없으니 되돌려 놓거나 처음부터 다시 시작하세요',
  'grpo.oracle: rule {rule} calibrates the accuracy reward, but grpo.rewards has none; add - name: accuracy':
    'grpo.oracle: {rule} 규칙은 정확도 보상을 보정하는데 grpo.rewards에 없습니다. - name: accuracy를 넣으세요',
  'rank {other} has another {what} than rank 0; start all ranks with the same one':
    '랭크 {other}번과 0번이 서로 다릅니다({what}). 모든 랭크를 같은 것으로 시작하세요',
  '{directory} has no saved state to resume (a run saves one when it is stopped, and every save_steps); start it again with: npx kogrpo train {config} --overwrite':
    '{directory}: 이어 갈 상태가 저장되어 있지 않습니다(상태는 실행이 멈출 때와 save_steps마다 저장됩니다). 다시 시작하려면: npx kogrpo train {config} --overwrite',
  "{reason}\nThe run's state is saved in {state}. To go on from there when the judge is well again:\n  npx kogrpo train --resume {directory}":
    '{reason}\n실행의 상태를 {state}에 저장했습니다. 심판이 회복되면 여기서 이어 가세요:\n  npx kogrpo train --resume {directory}',
  '{file}:{line}: an evaluation problem needs a column "answer" (or name it in eval.data columns)':
    '{file}:{line}: 평가 문제에는 "answer" 열이 필요합니다(다른 이름이면 eval.data의 columns로 이으세요)',
  'there is no model "{path}" in the package; there is {known}':
    '패키지에 모델 "{path}": 없습니다. 있는 것: {known}',
  'there is no built-in data set "{path}"; there are {known}':
    '내장 데이터셋 "{path}": 없습니다. 있는 것: {known}',
  '{directory} has no saved state that is whole:\n{problems}\nPut one back from a copy, or start the run again: npx kogrpo train {config} --overwrite':
    '{directory}: 온전한 상태가 없습니다.\n{problems}\n복사본에서 되돌리거나 실행을 다시 시작하세요: npx kogrpo train {config} --overwrite',
  'an earlier state can be taken up: npx kogrpo train --resume {path}':
    '앞선 상태에서 이어 갈 수 있습니다: npx kogrpo train --resume {path}',
  'there is no earlier state. Put it back from a copy (sha256sum -c SHA256SUMS checks it), or start the run again: npx kogrpo train {config} --overwrite':
    '앞선 상태가 없습니다. 복사본에서 되돌리거나(sha256sum -c SHA256SUMS로 확인) 실행을 다시 시작하세요: npx kogrpo train {config} --overwrite',
  "cannot save the run's state: {reason}; the last saved state is whole":
    '실행의 상태를 저장할 수 없습니다: {reason}. 마지막으로 저장된 상태는 온전합니다',
  'cannot flush {path}: {reason}': '{path}: 디스크에 다 쓰지 못했습니다: {reason}',
  'cannot make {path}: {reason}': '{path}: 만들 수 없습니다: {reason}',
  'cannot publish {path}: {reason}': '{path}: 제 이름을 줄 수 없습니다: {reason}',
  'cannot remove {path}: {reason}': '{path}: 지울 수 없습니다: {reason}',
  ' ({free} are free in {directory})': ' (남은 공간 {free}: {directory})',
  'its last line is cut off': '마지막 줄이 잘렸습니다',
  'line {line} is not "<sha-256>  <file>"': '{line}번째 줄이 "<sha-256>  <파일>" 꼴이 아닙니다',
  'it does not list {name}': '목록에 없는 파일: {name}',
  'it lists {name}, which is no part of it': '목록에만 있는 파일: {name}',
  'it is missing': '파일이 없습니다',
  'its {bytes} bytes have the SHA-256 {found}…, {list} says {listed}…':
    '{bytes}바이트의 SHA-256 값은 {found}…, {list} 목록의 값은 {listed}…',
  '{path} is damaged: {why}': '{path} 파일이 손상되었습니다: {why}',
  '{directory}: {what} needs {needed}, {free} are free: {missing} are missing. Nothing was written, and earlier checkpoints are whole; make room, or choose another --output-dir':
    '{directory}: 쓸 것({what})에 {needed} 필요, 남은 공간 {free}, 부족한 공간 {missing}. 아무것도 쓰지 않았고 앞선 체크포인트는 온전합니다. 공간을 비우거나 다른 --output-dir를 고르세요',
  '{path} was saved by a run of which this differs:\n{differences}\nGo on with what the run had; or add --accept-changes, which is recorded in summary.json: the run is then no longer to the bit that of its recipe':
    '{path}: 이 상태를 저장한 실행과 다음이 다릅니다.\n{differences}\n그 실행이 쓰던 것으로 이어 가거나 --accept-changes를 더하세요. 바뀐 것은 summary.json에 기록되며, 실행은 더 이상 레시피와 비트까지 같지 않습니다',
  '--resume auto looks into the run directory: give --output-dir':
    '--resume auto는 실행 디렉터리를 봅니다. --output-dir를 주세요',
  '--accept-changes goes with --resume': '--accept-changes는 --resume와 함께 씁니다',
  '{stage} step {step}: reward \'{reward}\' is {value} for sample {sample}; it must be a finite number, or null for "not applicable". The weights are those before the step; what it was given: npx kogrpo replay {saved}. Repair the reward, or let on_nonfinite: skip_step leave such steps out':
    "{stage} 단계 {step}스텝: 샘플 {sample}번의 보상 '{reward}' 값이 {value}입니다. 유한한 수이거나, 해당하지 않으면 null이어야 합니다. 가중치는 이 스텝 전의 것입니다. 보상 함수가 받은 것을 보려면: npx kogrpo replay {saved}. 보상 함수를 고치거나, on_nonfinite: skip_step으로 이런 스텝을 건너뛰세요",
  '{stage} step {step}: the {what} is not finite ({value}); the weights are those before the step. Where it arose: npx kogrpo replay {saved}. Lower learning_rate or max_grad_norm, or let on_nonfinite: skip_step leave such steps out':
    '{stage} 단계 {step}스텝: {what}의 값이 유한하지 않습니다({value}). 가중치는 이 스텝 전의 것입니다. 어디서 생겼는지 보려면: npx kogrpo replay {saved}. learning_rate나 max_grad_norm을 낮추거나, on_nonfinite: skip_step으로 이런 스텝을 건너뛰세요',
  '{stage} step {step}: the {what} is not finite ({value}), {skipped} steps in a row: it is not the data. Go back to an earlier checkpoint, with a lower learning_rate':
    '{stage} 단계 {step}스텝: {what}의 값이 유한하지 않습니다({value}). 연속 {skipped}스텝째이므로 데이터 탓이 아닙니다. learning_rate를 낮춰 앞선 체크포인트에서 이어 가세요',
  'nothing was heard for {seconds} s (watchdog.{phase}); the run waits for: {waits}. It is stopped; raise the limit if this may take so long':
    '{seconds}초 동안 아무 신호가 없습니다(watchdog.{phase}). 기다리는 것: {waits}. 실행을 멈춥니다. 이만큼 걸릴 수 있는 일이면 한도를 올리세요',
  'step {step}: the sampler has other weights than the trainer (XXH64 {sampler} instead of {expected}): the update did not reach it. This is an error of the program, please report it':
    '{step}스텝: 샘플러의 가중치가 학습기의 것과 다릅니다(XXH64 {sampler}, 있어야 할 값 {expected}). 갱신이 샘플러에 닿지 않았습니다. 프로그램의 오류이니 알려 주세요',
  'starting {here} ranks; what each prints is in {logs}':
    '랭크 {here}개를 시작합니다. 저마다의 출력: {logs}',
  'starting {here} of {all} ranks; what each prints is in {logs}':
    '랭크 {all}개 중 {here}개를 시작합니다. 저마다의 출력: {logs}',
  'starting again (restart {restart} of {most})': '다시 시작합니다(재시작 {restart}/{most})',
  '{count} more of {total} ranks said the same: {ranks}':
    '랭크 {total}개 중 {count}개가 같은 말을 했습니다: {ranks}',
  'rank {rank} failed first: it was ended by {signal}; its log is {log}':
    '랭크 {rank}번이 먼저 실패했습니다. 끝낸 신호: {signal}, 로그: {log}',
  'rank {rank} failed first: it ended with code {code}; its log is {log}':
    '랭크 {rank}번이 먼저 실패했습니다. 종료 코드: {code}, 로그: {log}',
  '{file}:{line}: critique.type {type} needs the column "{name}"; name it, or use type: simple':
    '{file}:{line}: critique.type {type}에는 "{name}" 열이 필요합니다. 열 이름을 맞추거나 type: simple을 쓰세요',
  '{file}: every prompt has pass rate 0, so curriculum.drop_zero_pass leaves none; train the skill first (sft)':
    '{file}: 모든 프롬프트의 통과율이 0이어서 curriculum.drop_zero_pass를 쓰면 하나도 남지 않습니다. 먼저 그 능력을 학습하세요(sft)',
  "{path}, the guards' good state, is damaged: it is not as it was written, so the rollback cannot be made; start the run again":
    '{path}: 가드의 좋은 상태가 손상되었습니다. 쓴 그대로가 아니어서 되돌아갈 수 없습니다. 실행을 다시 시작하세요',
  '--host {host} --port {port}: cannot listen: {reason}; give another --port':
    '--host {host} --port {port}: 연결을 받을 수 없습니다: {reason}. 다른 --port를 주세요',
  'none was saved': '저장하지 않음',
  '  {key}: was {from}, is now {to}': '  {key}: 저장된 값 {from}, 지금 값 {to}',
  'not there': '없음',
  'as it was saved': '저장된 그대로',
})
