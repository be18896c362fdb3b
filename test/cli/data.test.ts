import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { kogrpo, temporaryDirectory } from './running.ts'

const directory = temporaryDirectory()
const file = join(directory, 'my.jsonl')
const rows = [
  { q: '사과 둘에 셋을 더하면?', a: '다섯 개입니다.' },
  { q: '배 넷에 하나를 더하면?', a: '다섯 개입니다.' },
  { q: '배 넷에 하나를  더하면', a: '다섯 개 입니다' },
]
writeFileSync(file, rows.map(row => `${JSON.stringify(row)}\n`).join(''))
const columns = ['--columns', 'prompt=q,completion=a']

test('data check shows the figures and a sample with its trained part marked', async () => {
  const { code, stdout } = await kogrpo(['data', 'check', file, ...columns])
  expect(code).toBe(0)
  expect(stdout).toContain('(sft): 3 records, 3 samples')
  expect(stdout).toContain(`duplicates  1, e.g. ${file}:3 = 2`)
  expect(stdout).toContain('no thinking 3 samples')
  expect(stdout).toContain('«다섯 개입니다.<|im_end|>»')
})

test('data check fails on lines that make no sample, naming each with its remedy', async () => {
  const { code, stdout, stderr } = await kogrpo(['data', 'check', file])
  expect(code).toBe(1)
  expect(stdout).toContain(`${file}:2: no "messages", "prompt" or "text" (columns: q, a); map one`)
  expect(stderr).toContain('3 records make no sample')
})

test('data check reads every source of a recipe', async () => {
  const { code, stdout } = await kogrpo(['data', 'check', 'mini', '--json', '--stage', 'grpo'])
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject([
    { stage: 'grpo', path: 'mini:grpo', samples: 6000, errorCount: 0, withoutAnswer: 0 },
  ])
})

test('data prepare writes the files whole and says what was dropped', async () => {
  const output = join(directory, 'out')
  const { code, stdout } = await kogrpo(['data', 'prepare', file, '--output', output, ...columns])
  expect(code).toBe(0)
  expect(stdout).toBe(`${output}.train.jsonl: 2 records\ndropped: 1 duplicate\n`)
  expect(readFileSync(`${output}.train.jsonl`, 'utf8').trim().split('\n')).toHaveLength(2)
})

test.each([
  [['data'], 'data: expected one of data check, data prepare'],
  [['data', 'chekc'], 'data: expected one of'],
  [['data', 'check', 'my.csv'], 'my.csv: expected a built-in such as "mini:sft", or a path'],
  [['data', 'check', file, '--columns', 'q'], '--columns: expected NAME=COLUMN,…'],
  [['data', 'prepare', file], 'required: --output'],
])('%j is refused by name', async (args, message) => {
  const { code, stderr } = await kogrpo(args)
  expect(code).toBe(2)
  expect(stderr).toContain(message)
})
