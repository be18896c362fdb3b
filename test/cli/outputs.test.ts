/** What commands leave behind, and where they write, in the cases that are easily forgotten. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { prepare } from '../../lib/cli/commands/neurons.ts'
import { openRecordOutput } from '../../lib/cli/record-output.ts'
import { trimLines } from '../../lib/report/run-directory.ts'
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
})
