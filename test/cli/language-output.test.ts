/**
 * Every command on a tiny input in Korean: no line that it prints, on either stream, is English. A new
 * command needs a row here. What is printed while a command is interrupted is a `Phrase` by its type.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { COMMANDS } from '../../lib/cli/commands.ts'
import { Engine } from '../../lib/engine/engine.ts'
import { openModelDirectory } from '../../lib/model/directory.ts'
import { writeModelDirectory } from '../../lib/model/write-directory.ts'
import { FiniteSteps } from '../../lib/train/nonfinite.ts'
import { tinySession } from '../train/tiny.ts'
import { start, temporaryDirectory, writeLines, writeModel } from './running.ts'

const directory = temporaryDirectory()
const at = (name: string): string => join(directory, name)
const made = writeModel(directory, 'random')
const [base, run, reward] = [at('base'), at('run'), at('reward')]

const sums = Array.from({ length: 12 }, (_, i) => [1 + (i % 7), 2 + (i % 5)] as const)
const records = sums.map(([a, b]) => ({
  prompt: `${a}에 ${b}를 더하면 얼마인가요?`,
  completion: `<think>\n${a} + ${b} = ${a + b}입니다.\n</think>\n\n정답: ${a + b}`,
  answer: String(a + b),
}))
const data = writeLines(at('data.jsonl'), [...records, records[0]!])
const prompts = writeLines(
  at('prompts.jsonl'),
  // A column that the rows replace.
  records.map(({ prompt, answer }) => ({ prompt, answer, finish_reason: '몰라' })),
)
const english = writeLines(at('english.jsonl'), [
  { text: 'Two apples and three apples are five apples.' },
  { text: 'The train leaves at seven and arrives at nine.' },
])
const korean = writeLines(at('korean.jsonl'), [
  { text: '사과 두 개와 세 개를 더하면 다섯 개입니다. 모두 다섯 개입니다.' },
  { text: '기차는 일곱 시에 떠나 아홉 시에 닿습니다. 두 시간이 걸립니다.' },
])
const corpus = writeLines(
  at('corpus.jsonl'),
  records.map(({ prompt }, i) => ({ text: `${prompt} 그렇게 ${i}번째 문제를 풉니다. `.repeat(i) })),
)
const attempts = writeLines(
  at('attempts.jsonl'),
  sums.flatMap(([a, b], i) => [
    {
      question: records[i]!.prompt,
      attempt: `${a} + ${b} = ${a + b + 1}`,
      answer: String(a + b),
      ...(i === 0 ? {} : { solution: `${a}에 ${b}를 더해 ${a + b}입니다.` }),
    },
  ]),
)
const labelled = writeLines(
  at('labelled.jsonl'),
  records.map(({ prompt, answer }, i) => ({
    ...{ question: prompt, reference: answer, answer: `정답: ${answer}` },
    ...{ label: 1, kind: i === 0 ? 'injection' : '보통' },
  })),
)
const words = at('words.txt')
writeFileSync(words, '기차역은\n사과나무\n')
const recipe = at('recipe.yaml')
writeFileSync(
  recipe,
  `model: { path: ${base} }
threads: 1
lora: { r: 2 }
sft: { data: [{ path: ${data} }], max_steps: 2, per_device_train_batch_size: 1, max_length: 128 }
grpo:
  data: [{ path: ${data} }]
  max_steps: 1
  num_generations: 2
  per_device_train_batch_size: 4
  max_completion_length: 8
  rewards: [{ name: accuracy }, { name: korean }]
eval: { data: [{ path: ${data} }], max_samples: 4, max_completion_length: 8 }
`,
)
const full = at('full.yaml')
writeFileSync(
  full,
  `model: { path: ${base} }
threads: 1
grpo: { data: [{ path: ${data} }], num_generations: 2, max_completion_length: 8 }
`,
)

/** Where a step that was not finite is saved. */
let broken = ''

beforeAll(async () => {
  const { config } = await openModelDirectory(made, { weights: false })
  await using engine = await Engine.create({ config, init: { seed: 3, std: 0.2 } })
  await writeModelDirectory(base, {
    ...{ config, dtype: 'F32', tokenizerDir: made },
    writeWeights: (file, header) => engine.writeWeights(file, header, 'F32'),
  })
  const session = await tinySession({ sft: { data: [{ path: data }], on_nonfinite: 'skip_step' } })
  const name = 'model.embed_tokens.weight'
  const values = await session.engine.readParameter(name)
  values[9 * 32] = Number.NaN
  await session.engine.writeParameter(name, values)
  const batch = {
    tokens: Int32Array.of(5, 9, 7),
    cuSeqlens: Int32Array.of(0, 3),
    mask: Uint8Array.of(0, 1, 1),
    coef: Float32Array.of(0, -1, -1),
  }
  await new FiniteSteps(session, 'sft', { on_nonfinite: 'skip_step' }, 0).update(
    ...([1, Number.NaN, () => Promise.reject(new Error('never')), () => [batch]] as const),
  )
  broken = join(session.config.output_dir, 'nonfinite', 'sft-1')
  await session.engine.dispose()
})

/** In their order: what one writes another reads. Its exit code where it is not 0. */
const ROWS: Record<string, (() => string[] | [code: number, args: string[]])[]> = {
  train: [
    () => ['train', recipe, '--output-dir', run],
    () => ['train', full, '--dry-run'],
    () => ['train', '--keys'],
  ],
  init: [() => ['init', at('new.yaml'), '--data', data, '--problems', data, '--yes']],
  generate: [
    () => [
      ...['generate', '--model', base, '--input', prompts, '--output', at('samples.jsonl')],
      ...['--num-generations', '2', '--max-new-tokens', '4', '--threads', '1'],
    ],
  ],
  score: [() => ['score', '--model', base, '--input', korean, '--output', at('scored.jsonl')]],
  'data commonsense': [
    () => ['data', 'commonsense', '--count', '6', '--output', at('questions.jsonl')],
  ],
  eval: [
    () => [
      ...['eval', '--model', base, '--benchmark', 'ko-commonsense', '--max-new-tokens', '4'],
      ...['--data', at('questions.jsonl'), '--output', at('eval.jsonl')],
    ],
  ],
  'eval compare': [() => ['eval', 'compare', at('eval.jsonl'), at('eval.jsonl')]],
  'eval diversity': [() => ['eval', 'diversity', full, '--k', '2', '--limit', '2']],
  'rl-check': [() => [1, ['rl-check', full, '--limit', '2']]],
  replay: [() => ['replay', broken]],
  plan: [() => ['plan', recipe, '--gpus', 'H200'], () => ['plan', full, '--threads', '1']],
  report: [() => ['report', run]],
  'data check': [() => ['data', 'check', data], () => ['data', 'check', full]],
  'data prepare': [
    () => ['data', 'prepare', data, '--output', at('prepared'), '--eval-share', '0.3'],
  ],
  'corpus filter': [
    () => [
      ...['corpus', 'filter', corpus, '--output', at('clean.jsonl'), '--min-chars', '40'],
      ...['--model', base, '--threads', '1', '--max-repeated-runs', '1'],
    ],
  ],
  'data difficulty': [
    () => ['data', 'difficulty', full, '--limit', '2', '--output', at('rated.jsonl')],
  ],
  'data self-correct': [
    () => ['data', 'self-correct', attempts, '--output', at('corrections.jsonl')],
  ],
  'judge calibrate': [
    () => [
      ...['judge', 'calibrate', labelled, '--judge.kind', 'program'],
      ...['--output', at('judge.json')],
    ],
  ],
  neurons: [
    () => [
      ...['neurons', '--model', base, '--data', korean, '--contrast', english, '--random'],
      ...['--output', at('neurons.json'), '--threads', '1', '--top-attention', '4'],
      ...['--top-ffn', '4', '--min-share', '0.5'],
    ],
  ],
  'extend-vocab': [
    () => ['extend-vocab', base, '--tokens', words, '--output', at('extended')],
    () => ['extend-vocab', base, '--tokens', words, '--output', at('padded'), '--pad-to', '7'],
  ],
  merge: [() => ['merge', join(run, 'sft'), '--output', at('merged')]],
  'reward train': [
    () => [
      ...['reward', 'train', '--model', base, '--experts', data, '--threads', '1', '--steps', '2'],
      ...['--samples', at('samples.jsonl'), '--output', reward],
    ],
  ],
  rerank: [
    () => [
      ...['rerank', '--reward', reward, '--input', at('samples.jsonl'), '--n', '2'],
      ...['--output', at('best.jsonl'), '--show', '1', '--threads', '1'],
    ],
  ],
  smooth: [
    () => ['smooth', 'builtin:mini', '--dry-run'],
    () => ['smooth', base, '--output', at('smoothed'), '--keep', '韓國'],
  ],
  bench: [() => ['bench', '--mode', 'gemm', '--m', '8', '--n', '8', '--k', '8', '--runs', '1']],
  experiments: [() => ['experiments', '--list']],
  doctor: [() => ['doctor']],
}

/** Why a command has no row. */
const LEFT_OUT: Record<string, string> = {
  launch: 'prints what its ranks print',
  serve: 'runs until it is stopped: below',
  'selftest planning': 'trains for a minute',
  completion: 'prints a script',
}

/** Names of things, which are not translated: stages, keys, metrics, checks, formats, units, options. */
const NAMES = new Set(
  (
    'pretrain sft grpo SFT eval base rl train init injection acc ok warn pass plan generate score ' +
    'kogrpo node platform addon instructions threads memory cuda nccl compiler disk model ' +
    'experts samples auc localised accuracy precision recall kappa fn tp fp tn ' +
    'tok GiB MiB MB nat shard none recompute block KL LM TRL RL UTF'
  ).split(' '),
)

/** What doctor says in the words of the engine, of the compiler and of drivers. */
const OF_OTHERS = /^(ok|warn|fail) +(addon|cuda|nccl|compiler) /

/** The English words of a line besides names, numbers, paths, options, quotations and JSON. */
function englishWords(line: string): string[] {
  const bare = line
    .replaceAll(/"[^"]*"|«[^»]*»|`[^`]*`|\([^)]*:\d+\)/g, ' ')
    .replaceAll(/npx .*$|\bkogrpo [a-z-]+( [a-z-]+)?/g, ' ')
    .replaceAll(/\S*[/\\._=@:\d]\S*/g, ' ')
    .replaceAll(/--?[a-z][\w-]*/g, ' ')
  return [...bare.matchAll(/[A-Za-z]{2,}/g)].map(([word]) => word).filter(word => !NAMES.has(word))
}

/** Lines without a Korean word but with English ones, and English phrases in Korean lines; JSON and the
 *  keys of a recipe with their types are neither. */
function untranslated(output: string): string[] {
  return stripVTControlCharacters(output)
    .split('\n')
    .filter(line => !OF_OTHERS.test(line))
    .filter(line => {
      if (/^\s*[[{"]|^--\S+ </.test(line) || englishWords(line).length === 0) return false
      return !/[가-힣]/.test(line) || /(?:^|[^\w-])[a-z]{2,} [a-z]{2,} [a-z]{2,}(?!\w)/.test(line)
    })
}

test('what counts as English', () => {
  const lines = [
    'step 3 of 8, loss 0.1',
    '  too short           3',
    '  experts           36',
    '/tmp/out.jsonl',
    'generate: 레코드 3개, 토큰 9개 (3 tok/s)',
    '레코드 3개 that were not read',
    '{"loss": "of a step"}',
    'npx kogrpo train out',
  ]
  expect(untranslated(lines.join('\n'))).toEqual([lines[0], lines[1], lines[5]])
})

test('every command has a row, or a reason', () => {
  const told = [...Object.keys(ROWS), ...Object.keys(LEFT_OUT)].sort()
  expect(told).toEqual(Object.keys(COMMANDS).sort())
})

const KOREAN = { LANG: 'ko_KR.UTF-8' }

describe('a command in Korean', () => {
  test.each(Object.entries(ROWS))('%s', async (_, calls) => {
    for (const call of calls) {
      const given = call()
      const [code, args] = typeof given[0] === 'number' ? given : [0, given as string[]]
      const done = await start(args as string[], '', KOREAN).done
      expect([done.code, code === 0 ? done.stderr : '']).toEqual([
        code,
        expect.not.stringContaining('kogrpo: '),
      ])
      const said = done.stdout + done.stderr
      expect(said.trim()).not.toBe('')
      expect(untranslated(said)).toEqual([])
    }
  })

  test('serve', async () => {
    const server = start(['serve', base, '--port', '0', '--threads', '1'], '', KOREAN)
    await expect.poll(server.said, { timeout: 20_000 }).toContain('/v1')
    server.signals.emit('SIGINT', 'SIGINT')
    const { code, stdout, stderr } = await server.done
    expect(code).toBe(0)
    expect(untranslated(stdout + stderr)).toEqual([])
  })
})
