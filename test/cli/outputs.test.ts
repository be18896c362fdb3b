/** What commands leave behind, and where they write, in the cases that are easily forgotten. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { prepare } from '../../lib/cli/commands/neurons.ts'
import { openRecordOutput } from '../../lib/cli/record-output.ts'
import { claim } from '../../lib/durable/claim.ts'
import { claimRunDirectory, trimLines } from '../../lib/report/run-directory.ts'
import { sourceRecords } from '../../lib/train/sources.ts'
import { kogrpo, temporaryDirectory, writeLines } from './running.ts'

const directory = temporaryDirectory()

test('data prepare leaves no partial file behind when nothing is left for training', async () => {
  const text = { prompt: '사과가 세 개 있으면 모두 몇 개인가요?', completion: '모두 세 개입니다.' }
  const input = writeLines(join(directory, 'held.jsonl'), [text])
  const args = ['--output', join(directory, 'out'), '--eval-share', '1']
  const { code, stderr } = await kogrpo(['data', 'prepare', input, ...args])
  expect([code, stderr]).toEqual([1, expect.stringContaining('no record is left for training')])
  expect(readdirSync(directory).filter(name => name.startsWith('out.'))).toEqual([])
})

test('data commonsense says why it cannot write', async () => {
  const inFile = join(writeLines(join(directory, 'file'), ['x']), 'ko.jsonl')
  const { code, stderr } = await kogrpo(['data', 'commonsense', '--count', '6', '--output', inFile])
  expect(code).toBe(1)
  expect(stderr).toMatch(/^kogrpo: cannot write .*ko\.jsonl/)
})

test('neurons: every --contrast counts, however it is given', () => {
  const args = [
    '--contrast',
    'a',
    'b',
    '--model',
    'm',
    '--contrast=c',
    '--contrast',
    'd',
    '--random',
  ]
  expect(prepare(args).args).toEqual([
    ...['--model', 'm', '--random', '--contrast', 'a', 'b', 'c', 'd'],
  ])
  expect(prepare(['--model', 'm']).args).toEqual(['--model', 'm'])
})

test('the records of a source end with its size: what is behind them is not read', async () => {
  const path = writeLines(join(directory, 'two.jsonl'), [{ text: '가' }, { text: '나' }, '{broken'])
  const read: unknown[] = []
  for await (const { record } of sourceRecords({ path, weight: 1, size: 2 }, 0)) read.push(record)
  expect(read).toEqual([{ text: '가' }, { text: '나' }])
})

test('a pipe whose reader has gone is an error of the output', async () => {
  const path = join(directory, 'pipe')
  execFileSync('mkfifo', [path])
  const reader = spawn('head', ['-c', '1', path], { stdio: 'ignore' })
  const out = await openRecordOutput({
    ...{ path, stdout: { write: () => true }, fingerprint: null, rowsPerRecord: 1 },
  })
  await out.write([{ a: 1 }])
  await once(reader, 'close')
  await out.write([{ a: 2 }])
  await expect(out.finish()).rejects.toMatchObject({
    code: 'E_OUTPUT',
    message: expect.stringContaining('the reader has gone'),
  })
})

test('lines are trimmed a chunk at a time, characters across its edge and an unfinished line too', () => {
  const rows = Array.from({ length: 40 }, (_, step) => ({ step, text: '가'.repeat(step * 1000) }))
  const path = join(directory, 'metrics.jsonl')
  writeLines(path, [...rows, '{"step": 40, "unfin'])
  execFileSync('truncate', ['-s', '-1', path])
  trimLines(path, row => Number(row.step) < 38)
  const kept = readFileSync(path, 'utf8').trimEnd().split('\n')
  expect(kept.map(line => JSON.parse(line))).toEqual(rows.slice(0, 38))
  writeLines(path, [{ step: 1 }, 'no JSON', { step: 2 }])
  expect(() => trimLines(path, () => true)).toThrow(/metrics\.jsonl:2: /)
  expect(existsSync(path)).toBe(true)
})

test('options that would have no effect are refused', async () => {
  const refused = async (line: string): Promise<string> => {
    const { code, stderr } = await kogrpo(line.split(' '))
    return `${code} ${stderr.split('\n')[0]}`
  }
  const run = 'train --resume runs/a --output-dir runs/b'
  expect(await refused(run)).toBe(
    '2 kogrpo: --output-dir: the run goes on in runs/a, where it is; remove it',
  )
  expect(await refused('data check mini --max-length 9')).toContain(
    '2 kogrpo: --max-length: a recipe says it itself',
  )
  expect(await refused('data check mini --stage pretrain')).toBe(
    '2 kogrpo: --stage pretrain: mini has no such stage',
  )
  const endpoint = '--endpoint http://localhost:1/v1 --endpoint-model m --dtype bfloat16'
  expect(await refused(`eval --benchmark gsm8k --data x --output y ${endpoint}`)).toBe(
    '2 kogrpo: --dtype: has no effect with --endpoint; remove it',
  )
  const model = 'eval --benchmark gsm8k --data x --output y --model builtin:mini'
  expect(await refused(`${model} --timeout 9`)).toBe(
    '2 kogrpo: --timeout: has no effect without --endpoint; remove it',
  )
  const asked = 'eval --benchmark gsm8k --data x --output y --endpoint-model m --endpoint'
  for (const word of ['foo', 'localhost:8000', 'http://u:p@h/v1', 'http://h/v1?key=1']) {
    expect(await refused(`${asked} ${word}`)).toBe(
      `2 kogrpo: --endpoint: expected a URL such as http://localhost:8000/v1, without user, password or query, got "${word}"`,
    )
  }
})

test('two runs in one directory: the second is refused, and what is there stays as it is', async () => {
  const run = join(directory, 'busy')
  mkdirSync(run)
  writeFileSync(join(run, 'config.json'), '{}')
  writeFileSync(join(run, 'metrics.jsonl'), '{"step":1}\n')
  const held = claimRunDirectory(run)
  const again = await kogrpo(['train', 'mini', '--output-dir', run, '--overwrite'])
  expect([again.code, again.stderr]).toEqual([
    1,
    expect.stringMatching(
      new RegExp(`^kogrpo: .*busy is in use: process ${process.pid} has been at work there since `),
    ),
  ])
  expect(readFileSync(join(run, 'metrics.jsonl'), 'utf8')).toBe('{"step":1}\n')
  held.release()
  expect(readdirSync(run).sort()).toEqual(['config.json', 'metrics.jsonl'])
})

test('two commands with one output: the second is refused while the first writes', async () => {
  const path = join(directory, 'rows.jsonl')
  const options = { path, stdout: { write: () => true }, fingerprint: { a: 1 }, rowsPerRecord: 1 }
  const first = await openRecordOutput(options)
  await first.write([{ a: 1 }])
  await expect(openRecordOutput(options)).rejects.toMatchObject({ code: 'E_IN_USE' })
  await first.finish()
  expect(readdirSync(directory).filter(name => name.startsWith('rows'))).toEqual(['rows.jsonl'])
  // Of another machine nobody knows: said, and taken over.
  const [partial] = [join(directory, 'other.jsonl.partial.in-use')]
  claim('x', partial)
  const owner = JSON.parse(readFileSync(partial, 'utf8')) as object
  writeFileSync(partial, JSON.stringify({ ...owner, host: 'node7' }))
  const second = await openRecordOutput({
    ...{ ...options, path: join(directory, 'other.jsonl'), fingerprint: null },
  })
  expect(String(second.doubt)).toContain('on node7')
  await second.abandon(false)
  expect(readdirSync(directory).filter(name => name.startsWith('other'))).toEqual([])
})

describe('a model is not written over what is there unasked', () => {
  const smooth = async (output: string, ...more: string[]) => {
    const { code, stderr } = await kogrpo(['smooth', base, '--output', output, ...more])
    return [code, stderr]
  }
  const base = join(directory, 'base')
  cpSync('assets/mini', base, { recursive: true })
  symlinkSync(base, join(directory, 'same'))

  test.each(['base', 'same'])(
    '%s: the model that is read, not even with --overwrite',
    async name => {
      const before = readFileSync(join(base, 'config.json'))
      expect(await smooth(join(directory, name), '--overwrite')).toEqual([
        1,
        `kogrpo: --output ${join(directory, name)}: is the model that is read; name another directory\n`,
      ])
      expect(readFileSync(join(base, 'config.json'))).toEqual(before)
    },
  )

  test('another model, only with --overwrite; a run never', async () => {
    const output = join(directory, 'smoothed')
    expect(await smooth(output)).toEqual([0, ''])
    expect(await smooth(output)).toEqual([
      1,
      expect.stringContaining('is not empty; name another directory, or add --overwrite'),
    ])
    expect(await smooth(output, '--overwrite')).toEqual([0, ''])
    const run = join(directory, 'a-run')
    mkdirSync(run)
    writeFileSync(join(run, 'config.json'), '{"name": "mini", "seed": 42}')
    writeFileSync(join(run, 'metrics.jsonl'), '')
    expect(await smooth(run, '--overwrite')).toEqual([
      1,
      expect.stringContaining('exists and is not a model directory'),
    ])
    expect(readdirSync(run).sort()).toEqual(['config.json', 'metrics.jsonl'])
  })
})

test('an output that cannot be written is refused before anything is computed', async () => {
  const inFile = join(writeLines(join(directory, 'no-directory'), ['x']), 'out.jsonl')
  const refused = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await kogrpo([...args, '--output', inFile])
    return `${code} ${stdout}${stderr}`
  }
  const message = /^1 kogrpo: --output .*out\.jsonl: cannot be written: E(EXIST|NOTDIR): /
  expect(await refused('data', 'difficulty', 'mini')).toMatch(message)
  expect(await refused('judge', 'calibrate', 'mini:judge-eval', '--config', 'mini')).toMatch(
    message,
  )
  expect(await refused('neurons', '--model', 'builtin:mini', '--data', 'no.jsonl')).toMatch(message)
})

test('what difficulty counts must be rewarded: said before the prompts are sampled', async () => {
  const only = ['--output', join(directory, 'rated.jsonl')]
  const recipe = join(directory, 'formal.yaml')
  writeFileSync(
    recipe,
    'grpo:\n  data: [{path: mini:grpo, size: 8}]\n  rewards: [{name: format}]\n',
  )
  const { code, stderr } = await kogrpo(['data', 'difficulty', recipe, ...only])
  expect([code, stderr]).toEqual([
    1,
    expect.stringContaining('grpo.rewards needs - name: accuracy'),
  ])
  expect(stderr).not.toContain('tokens')
})

test('a file without records is a mistake, also to data check', async () => {
  const path = writeLines(join(directory, 'nothing.jsonl'), [''])
  const { code, stderr } = await kogrpo(['data', 'check', path])
  expect([code, stderr]).toEqual([1, `kogrpo: ${path}: the file holds no records\n`])
})

test('what cannot be resumed is told apart: no directory, no run, no state', async () => {
  const resumed = async (path: string): Promise<string> =>
    (await kogrpo(['train', '--resume', path])).stderr
  const run = join(directory, 'my run')
  mkdirSync(run)
  expect(await resumed(join(directory, 'my rum'))).toBe(
    `kogrpo: ${directory}/my rum: there is no such file (looked at ${directory}/my rum); did you mean "my run"?\n`,
  )
  expect(await resumed(run)).toContain('has no config.json, so it is not the directory of a run')
  writeFileSync(join(run, 'config.json'), '{}')
  expect(await resumed(run)).toContain(
    `start it again with: npx kogrpo train '${run}/config.json' --overwrite`,
  )
})

test('a full device is said to be full, not to have been left', async () => {
  const path = writeLines(join(directory, 'one.jsonl'), [{ prompt: '안녕?' }])
  const args = ['--model', 'builtin:mini', '--input', path, '--output', '/dev/full']
  const { code, stderr } = await kogrpo(['generate', ...args, '--max-new-tokens', '2'])
  expect([code, stderr.split('\n').at(-2)]).toEqual([
    1,
    expect.stringMatching(/^kogrpo: --output \/dev\/full: ENOSPC: no space left on device/),
  ])
})

test('no command writes over what it reads', async () => {
  const line = { prompt: '사과가 세 개 있으면 모두 몇 개인가요?', completion: '모두 세 개입니다.' }
  const rows = writeLines(join(directory, 'read.train.jsonl'), [line])
  const link = join(directory, 'link.jsonl')
  symlinkSync(rows, link)
  const before = readFileSync(rows)
  const stem = join(directory, 'read')
  for (const args of [
    ['corpus', 'filter', rows, '--output', link],
    ['corpus', 'filter', rows, '--output', `${stem}.out`, '--dropped', rows],
    ['corpus', 'filter', rows, '--output', `${stem}.out`, '--dropped', `${stem}.out`],
    ['data', 'prepare', rows, '--output', stem],
    ['data', 'self-correct', rows, '--output', link],
    ['neurons', '--model', 'builtin:mini', '--data', rows, '--output', rows],
    ['judge', 'calibrate', rows, '--config', 'mini', '--output', rows],
    ['eval', 'compare', rows, '--output', rows],
    ['rerank', '--reward', 'x', '--input', rows, '--output', rows],
    ['generate', '--model', 'builtin:mini', '--input', rows, '--output', link],
  ]) {
    const { code, stderr } = await kogrpo(args)
    expect([code, stderr], args.join(' ')).toEqual([
      1,
      expect.stringMatching(
        /^kogrpo: --(output|dropped) .* is the same file as .*; name another\n$/,
      ),
    ])
  }
  expect(readFileSync(rows).equals(before)).toBe(true)
  expect(existsSync(`${stem}.out`)).toBe(false)
})

test('rows that no longer fit: where the others are kept, if the command can go on', async () => {
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), {
    code: 'ENOSPC',
  })
  const handle = await open(join(directory, 'any'), 'w')
  const append = vi.spyOn(Object.getPrototypeOf(handle) as typeof handle, 'appendFile')
  const path = join(directory, 'fills.jsonl')
  for (const [fingerprint, kept] of [
    [
      { a: 1 },
      /; what is done is kept in .*fills\.jsonl\.\w{8}\.partial, and the same command goes on/,
    ],
    [null, /no space left on device, write$/],
  ] as const) {
    const options = { path, stdout: { write: () => true }, fingerprint, rowsPerRecord: 1 }
    const out = await openRecordOutput(options)
    append.mockRejectedValueOnce(full)
    await expect(out.write([{ a: 1 }])).rejects.toThrow(kept)
    await out.abandon(false)
  }
  append.mockRestore()
  await handle.close()
})

test('runs that begin in one second have directories of their own, unless they name one', async () => {
  const before = process.cwd()
  const home = join(directory, 'home')
  mkdirSync(home)
  process.chdir(home)
  vi.useFakeTimers({ toFake: ['Date'], now: new Date(2026, 0, 2, 3, 4, 5) })
  try {
    const train = ['train', 'mini', '--grpo', 'null', '--eval', 'null', '--sft.max_steps', '1']
    const three = await Promise.all(
      [1, 2, 3].map(seed => kogrpo([...train, '--seed', String(seed)])),
    )
    expect(three.map(({ code }) => code)).toEqual([0, 0, 0])
    const names = readdirSync('runs').sort()
    expect(names).toEqual(['', '-2', '-3'].map(end => `mini-20260102-030405${end}`))
    const seeds = names.map(name => {
      const config = readFileSync(join('runs', name, 'config.json'), 'utf8')
      const { seed, output_dir } = JSON.parse(config) as { seed: number; output_dir: string }
      expect(output_dir).toBe(`runs/${name}`)
      return seed
    })
    expect(seeds.sort()).toEqual([1, 2, 3])
    const named = await kogrpo([...train, '--output-dir', 'runs/mini-20260102-030405'])
    expect([named.code, named.stderr]).toEqual([1, expect.stringContaining('is not empty')])
  } finally {
    vi.useRealTimers()
    process.chdir(before)
  }
})

test('a model below ~ is not to be downloaded again', async () => {
  const model = '~/models/Qwen3-14B'
  const run = ['train', 'mini', '--output-dir', join(directory, 'tilde'), '--model.path', model]
  const { code, stderr } = await kogrpo(run)
  expect([code, stderr.split('\n').at(-2)]).toEqual([
    1,
    `kogrpo: there is no model ${join(process.cwd(), model)}; "~" is the home directory to a shell alone: write the whole path`,
  ])
})
