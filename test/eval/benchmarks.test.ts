import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { BENCHMARKS, benchmarkOf } from '../../lib/eval/benchmarks/index.ts'
import { collect, type Item, readItems } from '../../lib/eval/items.ts'

const root = mkdtempSync(join(tmpdir(), 'kogrpo-benchmarks-'))
afterAll(() => rmSync(root, { recursive: true }))

let directories = 0
function data(files: Record<string, string | object[]>): string {
  const directory = join(root, String(directories++))
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, name)
    mkdirSync(join(path, '..'), { recursive: true })
    const text =
      typeof content === 'string' ? content : content.map(row => JSON.stringify(row)).join('\n')
    writeFileSync(path, text)
  }
  return directory
}

const read = (name: string, path: string, split?: string): Promise<Item[]> =>
  collect(readItems(benchmarkOf(name), path, split))

describe('the registry', () => {
  test.each(BENCHMARKS.map(b => [b.name, b] as const))('%s reads its example', async (_n, b) => {
    const [item, ...more] = await collect(readItems(b, data({ 'test.jsonl': [b.example] }), 'test'))
    expect(more).toEqual([])
    expect(item!.prompt.length).toBeGreaterThan(10)
    if (b.kind === 'choice') {
      expect(item!.gold).toBeLessThan(item!.likelihood!.options.length)
      expect(item!.prompt).toContain(b.language === 'ko' ? '정답: X' : 'Answer: X')
    } else {
      expect(item!.gold).toMatch(/./)
    }
  })

  test('the right choice of every example', async () => {
    const golds = await Promise.all(
      ['kmmlu', 'haerae', 'click', 'mmlu', 'hrm8k', 'gsm8k', 'gsm8k-ko', 'aime'].map(async name => {
        const { example } = benchmarkOf(name)
        return (await read(name, data({ 'x.jsonl': [example] })))[0]!.gold
      }),
    )
    expect(golds).toEqual([1, 0, 0, 1, '7', '36', '36', '1'])
    const gpqa = benchmarkOf('gpqa')
    const [item] = await read('gpqa', data({ 'gpqa_diamond.jsonl': [gpqa.example] }))
    expect(item!.choices[item!.gold as number]).toBe('6')
    expect([...item!.choices].sort()).toEqual(['12', '4', '6', '8'])
  })

  test('the correct choices of GPQA are at every place', async () => {
    const { example } = benchmarkOf('gpqa')
    const rows = Array.from({ length: 200 }, (_, i) => ({ ...example, 'Record ID': `rec${i}` }))
    const golds = (await read('gpqa', data({ 'gpqa_main.jsonl': rows }))).map(item => item.gold)
    for (const place of [0, 1, 2, 3]) {
      expect(golds.filter(gold => gold === place).length).toBeGreaterThan(30)
    }
  })

  test('an unknown name', () => {
    expect(() => benchmarkOf('kmlu')).toThrow('unknown benchmark "kmlu"; did you mean "kmmlu"?')
  })
})

describe('files', () => {
  const kmmlu = 'question,answer,A,B,C,D,Category\n'
  const row = '"둘, 더하기\n둘은 ""얼마""?",2,3,4,5,6,\n'

  test('CSV with quoted fields, splits and subsets from the names', async () => {
    const path = data({
      'data/Law-test.csv': `\ufeff${kmmlu}${row}${row}`,
      'data/Law-dev.csv': kmmlu + row,
      'data/Industrial-Engineer-test.csv': kmmlu + row,
      'README.md': 'x',
    })
    const items = await read('kmmlu', path)
    expect(items.map(({ id, subset, source }) => [id, subset, source.line])).toEqual([
      ['Industrial-Engineer:1', 'Industrial-Engineer', 2],
      ['Law:1', 'Law', 2],
      ['Law:2', 'Law', 4],
    ])
    expect(items[0]).toMatchObject({ gold: 1, choices: ['3', '4', '5', '6'] })
    expect(items[0]!.prompt).toContain('둘, 더하기\n둘은 "얼마"?')
    expect(await read('kmmlu', path, 'dev')).toHaveLength(1)
  })

  test('shards, configurations, and JSON arrays in deep directories', async () => {
    const { example } = benchmarkOf('hrm8k')
    const path = data({
      'GSM8K/test-00000-of-00002.jsonl': [example, example],
      'GSM8K/test-00001-of-00002.jsonl': [example],
      'KSM/test-00000-of-00001.jsonl': [example],
    })
    const items = await read('hrm8k', path)
    expect(items.map(item => item.id)).toEqual(['GSM8K:1', 'GSM8K:2', 'GSM8K:3', 'KSM:1'])
    const click = benchmarkOf('click').example
    const nested = data({ 'Culture/Economy/a.json': JSON.stringify([click]) })
    expect((await read('click', nested))[0]).toMatchObject({
      id: 'KIIP_economy_1',
      subset: 'Culture/Economy/a',
    })
  })

  test.each([
    [
      'kmmlu',
      { 'a-test.csv': `${kmmlu}"x,1,2,3,4,5,\n` },
      'a-test.csv:2: column 1: the quotation is never closed',
    ],
    [
      'kmmlu',
      { 'a-test.csv': `${kmmlu}x,1,2,3,4,5\n` },
      'a-test.csv:2: 6 columns, but the header has 7',
    ],
    [
      'kmmlu',
      { 'a-test.csv': `${kmmlu}x,5,2,3,4,5,L\n` },
      'a-test.csv:2: is no row of KMMLU: column "answer"',
    ],
    [
      'kmmlu',
      { 'a-dev.csv': kmmlu + row },
      'no file of split "test"; there are dev (--split chooses another)',
    ],
    ['kmmlu', { 'a.txt': '' }, 'no .jsonl, .jsonl.gz, .parquet, .csv, .tsv or .json file in it'],
    [
      'haerae',
      { 'a.jsonl': [{ query: 'x', answer: 'A' }] },
      'a.jsonl:1: is no row of HAE-RAE Bench: column "answer"',
    ],
    [
      'click',
      { 'a.jsonl': [{ ...benchmarkOf('click').example, answer: '루블' }] },
      'column "answer" is the text of none of the choices (found "루블")',
    ],
    ['gsm8k', { 'a.jsonl': [{ question: 'x' }] }, 'column "answer"'],
    // A choice that is not there is no choice called "null".
    [
      'kmmlu',
      { 'a.jsonl': [{ ...benchmarkOf('kmmlu').example, B: null }] },
      'column "B" Invalid input (found null)',
    ],
    [
      'kmmlu',
      { 'a-test.csv': `question,answer,A,B,C,A,Category\nx,1,2,3,4,5,\n` },
      'a-test.csv:1: two columns are called "A"',
    ],
    ['click', { 'a.json': '{}' }, 'a.json: is no JSON array of rows'],
    [
      'click',
      { 'a.jsonl': [benchmarkOf('click').example, benchmarkOf('click').example] },
      'question "KIIP_economy_1" was at',
    ],
  ])('%s %j', async (name, files, message) => {
    await expect(read(name, data(files))).rejects.toThrow(message)
  })

  test('a missing directory', async () => {
    await expect(read('kmmlu', '/nowhere/at/all')).rejects.toThrow(
      '--data /nowhere/at/all: cannot be read',
    )
  })
})
