import { spawnSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { main } from '../../lib/cli/main.ts'

const directory = mkdtempSync(join(tmpdir(), 'kogrpo-language-'))

function file(name: string, content: string): string {
  const path = join(directory, name)
  writeFileSync(path, content)
  return path
}

async function kogrpo(args: string[], env: Record<string, string> = {}) {
  const [out, err]: [string[], string[]] = [[], []]
  const code = await main(args, {
    stdout: { write: (text: string) => out.push(text) },
    stderr: { write: (text: string) => err.push(text) },
    env,
    signals: { on: () => {}, off: () => {} },
    exit: () => {},
  })
  return { code, stdout: out.join(''), stderr: err.join('') }
}

const KOREAN = { LANG: 'ko_KR.UTF-8' }

describe('which language', () => {
  const mistyped = ['trian']
  test.each([
    ['LANG=C', mistyped, { LANG: 'C' }, 'unknown command "trian"; did you mean "train"?'],
    ['the locale', mistyped, KOREAN, '알 수 없는 명령 "trian". 혹시 "train"입니까?'],
    ['KOGRPO_LANG wins', mistyped, { ...KOREAN, KOGRPO_LANG: 'en' }, 'unknown command'],
    ['--lang wins', ['--lang', 'ko', 'trian'], { KOGRPO_LANG: 'en' }, '알 수 없는 명령'],
    ['--lang behind', ['trian', '--lang=ko'], {}, '알 수 없는 명령'],
    ['--lang en', ['trian', '--lang', 'en'], KOREAN, 'unknown command'],
  ] as const)('%s', async (_, args, env, message) => {
    const { code, stderr } = await kogrpo([...args], env)
    expect(code).toBe(2)
    expect(stderr).toContain(message)
  })

  test.each([
    [['--lang', 'kr', 'train'], {}, '--lang: expected one of en, ko, got "kr"; did you mean "ko"?'],
    [['train', '--lang'], {}, '--lang: needs a value'],
    [['train'], { KOGRPO_LANG: 'korean' }, 'KOGRPO_LANG: expected one of en, ko, got "korean"'],
  ] as const)('%j with %j is refused', async (args, env, message) => {
    const { code, stderr } = await kogrpo([...args], env)
    expect([code, stderr]).toEqual([2, `kogrpo: ${message}\n`])
  })
})

const recipe = (name: string, text: string): string[] => ['train', file(name, text), '--dry-run']

/** Cause and remedy in Korean; file, line, key and value as they are. */
const ERRORS: [name: string, args: () => string[], parts: RegExp[]][] = [
  [
    'unknown key',
    () => recipe('key.yaml', 'sft:\n  data: [{path: mini:sft}]\n  lerning_rate: 1\n'),
    [
      /key\.yaml:3:3: sft\.lerning_rate: 알 수 없는 키입니다\(sft 안\)\. 혹시 "learning_rate"입니까\?/,
    ],
  ],
  [
    'wrong type',
    () => recipe('type.yaml', 'seed: many\nsft: {data: [{path: mini:sft}]}\n'),
    [/type\.yaml:1:7: seed: 형식이 다릅니다\. 필요한 값: (정)?수, 받은 값: "many"/],
  ],
  [
    'wrong path of a recipe',
    () => ['train', 'nowhere.yaml'],
    [
      /레시피 "nowhere\.yaml": 찾을 수 없습니다 \(찾아본 곳: .*nowhere\.yaml\)/,
      /내장 레시피의 이름을 주세요: .*mini/,
    ],
  ],
  [
    'a rule between keys',
    () => recipe('group.yaml', 'grpo: {data: [{path: mini:grpo}], num_generations: 3}\n'),
    [/num_generations\(3\)의 배수가 아닙니다\. 가장 가까운 올바른 설정: .*, 또는 /],
  ],
  [
    'several at once',
    () => recipe('two.yaml', 'sede: 1\nsft: {data: [], x: 1}\n'),
    [/오류 \d개\n/, /소스가 하나 이상 있어야 합니다/],
  ],
  [
    'no GPU',
    () => ['train', 'mini', '--device', 'cuda', '--output-dir', join(directory, 'gpu')],
    [/npm run build:cuda .*--device cpu를 쓰면 GPU 없이 됩니다/],
  ],
  [
    'wrong column',
    () => ['data', 'check', file('column.jsonl', '{"question": "1+1?"}\n')],
    [/"messages", "prompt", "text" 중 아무것도 없습니다\(있는 열: question\)/],
  ],
  [
    'wrong path of data',
    () => ['data', 'check', join(directory, 'no.jsonl')],
    [/no\.jsonl: 읽을 수 없습니다: 그런 파일이 없습니다\(찾아본 곳: .*no\.jsonl\)/],
  ],
  [
    'bad JSON',
    () => [
      'score',
      '--model',
      'builtin:mini',
      '--input',
      file('bad.jsonl', '{"text": "가"}\n{\n'),
      '--output',
      join(directory, 'o.jsonl'),
    ],
    [/bad\.jsonl:2: 올바른 JSON이 아닌 줄입니다/],
  ],
  [
    'a mistyped option',
    () => ['train', '--sed', '1'],
    [/알 수 없는 옵션 --sed\. 혹시 "--seed"입니까\?/, /도움말: kogrpo train --help/],
  ],
  [
    'a bad number',
    () => ['bench', '--mode', 'gemm', '--runs', '0'],
    [/--runs: 1 이상 100000 이하의 정수여야 합니다\. 받은 값: "0"/],
  ],
  ['a missing option', () => ['generate'], [/필수 옵션: --model, --input, --output\n/]],
  ['wrong model', () => ['serve', join(directory, 'no-model')], [/no-model: 그런 모델이 없습니다/]],
  [
    'nothing to train on',
    () => ['init', '--yes'],
    [/학습할 데이터가 없습니다\. --data\(배울 예시\)나 --problems/],
  ],
]

describe('errors in Korean', () => {
  test.each(ERRORS)('%s', async (_, args, parts) => {
    const line = args()
    const { code, stdout, stderr } = await kogrpo(line, KOREAN)
    expect(code).toBeGreaterThan(0)
    for (const part of parts) expect(stdout + stderr).toMatch(part)
    // The same in English has no Korean, and says as much.
    const english = await kogrpo(line, { LANG: 'C' })
    expect(english.code).toBe(code)
    expect(english.stderr).not.toMatch(/[가-힣]/)
  })
})

test('doctor and data check report in Korean', async () => {
  const doctor = await kogrpo(['doctor'], KOREAN)
  expect(doctor.stdout).toMatch(/node +Node v[\d.]+ \(필요한 버전: >=20\.17\)/)
  expect(doctor.stdout).toContain('NVIDIA 장치 없음')
  const json = await kogrpo(['doctor', '--json'], KOREAN)
  expect(json.stdout).not.toMatch(/[가-힣]/)
  const good = file('good.jsonl', '{"prompt": "사과?", "completion": "정답: 5"}\n')
  const { code, stdout } = await kogrpo(['data', 'check', good], KOREAN)
  expect(code).toBe(0)
  expect(stdout).toMatch(
    /good\.jsonl \(sft\): 레코드 1개, 샘플 1개\n {2}열 {10}prompt, completion\n {2}토큰 {8}/,
  )
})

test('the compiled program takes the locale of its environment', () => {
  const run = (env: Record<string, string>): string =>
    spawnSync(process.execPath, ['dist/cli/main.js', 'trian'], {
      env: { PATH: process.env.PATH ?? '', ...env },
      encoding: 'utf8',
    }).stderr
  expect(run({ LC_ALL: 'C' })).toContain('unknown command')
  expect(run({ LANG: 'ko_KR.UTF-8' })).toContain('알 수 없는 명령')
})
