import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { main } from '../../lib/cli/main.ts'

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', '']
  const code = await main(args, {
    stdout: { write: text => (out += text) },
    stderr: { write: text => (err += text) },
    env: {},
    signals: { on: () => {}, off: () => {} },
    exit: () => {},
  })
  return { code, out, err }
}

const directory = mkdtempSync(join(tmpdir(), 'kogrpo-data-'))
const file = join(directory, 'my.jsonl')
const rows = [
  { q: '사과 둘에 셋을 더하면?', a: '다섯 개입니다.' },
  { q: '배 넷에 하나를 더하면?', a: '다섯 개입니다.' },
  { q: '배 넷에 하나를  더하면', a: '다섯 개 입니다' },
]
writeFileSync(file, rows.map(row => `${JSON.stringify(row)}\n`).join(''))
const columns = ['--columns', 'prompt=q,completion=a']

test('data check shows the figures and a sample with its trained part marked', async () => {
  const { code, out } = await run('data', 'check', file, ...columns)
  expect(code).toBe(0)
  expect(out).toContain('(sft): 3 records, 3 samples')
  expect(out).toContain(`duplicates  1, e.g. ${file}:3 = 2`)
  expect(out).toContain('no thinking 3 samples')
  expect(out).toContain('«다섯 개입니다.<|im_end|>»')
})

test('data check fails on lines that make no sample, naming each with its remedy', async () => {
  const { code, out, err } = await run('data', 'check', file)
  expect(code).toBe(1)
  expect(out).toContain(`${file}:2: no "messages", "prompt" or "text" (columns: q, a); map one`)
  expect(err).toContain('3 records make no sample')
})

test('data check reads every source of a recipe', async () => {
  const { code, out } = await run('data', 'check', 'mini', '--json', '--stage', 'grpo')
  expect(code).toBe(0)
  expect(JSON.parse(out)).toMatchObject([
    { stage: 'grpo', path: 'mini:grpo', samples: 6000, errorCount: 0, withoutAnswer: 0 },
  ])
})

test('data prepare writes the files whole and says what was dropped', async () => {
  const output = join(directory, 'out')
  const { code, out } = await run('data', 'prepare', file, '--output', output, ...columns)
  expect(code).toBe(0)
  expect(out).toBe(`${output}.train.jsonl: 2 records\ndropped: 1 duplicate\n`)
  expect(readFileSync(`${output}.train.jsonl`, 'utf8').trim().split('\n')).toHaveLength(2)
})

test.each([
  [['data'], 'data: expected one of data check, data prepare'],
  [['data', 'chekc'], 'data: expected one of'],
  [['data', 'check', 'my.csv'], 'my.csv: expected a built-in such as "mini:sft", or a path'],
  [['data', 'check', file, '--columns', 'q'], '--columns: expected NAME=COLUMN,…'],
  [['data', 'prepare', file], 'required: --output'],
])('%j is refused by name', async (args, message) => {
  const { code, err } = await run(...args)
  expect(code).toBe(2)
  expect(err).toContain(message)
})
