import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { BENCHMARKS, benchmarkOf } from '../../lib/eval/benchmarks/index.ts'
import type { GenerationRow, LikelihoodRow } from '../../lib/eval/grade.ts'
import type { EvaluationSummary } from '../../lib/eval/summary.ts'
import { BubblewrapRunner } from '../../lib/sandbox/bubblewrap.ts'
import { kogrpo, start, temporaryDirectory, writeLines, writeModel } from './running.ts'

const directory = temporaryDirectory()
const model = writeModel(directory, 'model', { max_position_embeddings: 2048 })
let files = 0
const path = (suffix = '.jsonl'): string => join(directory, `file-${files++}${suffix}`)
const rowsIn = <R>(file: string): R[] =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as R)
const summaryOf = (file: string): EvaluationSummary =>
  JSON.parse(readFileSync(`${file}.summary.json`, 'utf8')) as EvaluationSummary

const KMMLU = 'test/golden/lm_eval/kmmlu.jsonl'
const own = ['eval', '--model', model, '--init', 'random', '--seed', '5', '--threads', '1']

async function run(args: string[], output = path()): Promise<{ output: string; stdout: string }> {
  const { code, stdout, stderr } = await kogrpo([...args, '--output', output])
  expect([code, code === 0 ? '' : stderr]).toEqual([0, ''])
  return { output, stdout }
}

async function failing(args: string[], output = path()): Promise<string> {
  const { code, stderr } = await kogrpo([...args, '--output', output])
  expect(code).toBeGreaterThan(0)
  return stderr
}

function sandbox(): boolean {
  try {
    return new BubblewrapRunner() !== null
  } catch {
    return false
  }
}

describe('a checkpoint', () => {
  test('multiple choice by likelihood: rows, figures and table, the same bytes again', async () => {
    const args = [...own, '--benchmark', 'kmmlu', '--data', KMMLU, '--limit', '12']
    const { output, stdout } = await run(args)
    const rows = rowsIn<LikelihoodRow>(output)
    expect(rows.map(({ id, subset, mode }) => [id, subset, mode])).toEqual(
      Array.from({ length: 12 }, (_, i) => [String(i + 1), 'Math', 'likelihood']),
    )
    for (const { logprobs, answer, gold, correct } of rows) {
      expect(logprobs).toHaveLength(4)
      expect(logprobs[answer]).toBe(Math.max(...logprobs))
      expect(correct).toBe(answer === gold ? 1 : 0)
    }
    const right = rows.filter(row => row.correct === 1).length
    expect(summaryOf(output)).toMatchObject({ questions: 12, score: 'acc', benchmark: 'kmmlu' })
    expect(summaryOf(output).metrics.acc).toMatchObject({ value: right / 12, n: 12 })
    expect(stdout).toContain('KMMLU')
    expect(stdout).toContain(`${((100 * right) / 12).toFixed(1)} %`)
    const again = await run(args)
    expect(readFileSync(again.output)).toEqual(readFileSync(output))
    const shots = await run([
      ...args,
      '--num-fewshot',
      '2',
      '--fewshot-data',
      'test/golden/lm_eval/kmmlu-2shot-dev.jsonl',
    ])
    expect(rowsIn<LikelihoodRow>(shots.output)[0]!.logprobs).not.toEqual(rows[0]!.logprobs)
  })

  test('several samples of mathematics', async () => {
    const data = writeLines(path(), [
      benchmarkOf('hrm8k').example,
      { question: '2+2는?', answer: 4 },
    ])
    const args = [...own, '--benchmark', 'hrm8k', '--data', data, '--num-samples', '4']
    const { output, stdout } = await run([...args, '--max-new-tokens', '8'])
    const rows = rowsIn<GenerationRow>(output)
    expect(rows.map(row => row.samples.length)).toEqual([4, 4])
    expect(new Set(rows[0]!.samples.map(sample => sample.text)).size).toBe(4)
    expect(rows[0]!.samples.every(({ logprob }) => logprob! < 0)).toBe(true)
    expect(Object.keys(summaryOf(output).metrics)).toEqual([
      'avg@4',
      'pass@2',
      'pass@4',
      'maj@4',
      'best@4',
    ])
    expect(stdout).toContain('Korean in')
    expect(readFileSync((await run([...args, '--max-new-tokens', '8'])).output)).toEqual(
      readFileSync(output),
    )
  })

  test('a stopped evaluation goes on', async () => {
    const lines = Array.from({ length: 60 }, () => benchmarkOf('kmmlu').example)
    const data = writeLines(path(), lines)
    const args = [...own, '--benchmark', 'kmmlu', '--data', data]
    const whole = await run(args)
    const output = path()
    const running = start([...args, '--output', output])
    setTimeout(() => running.signals.emit('SIGINT', 'SIGINT'), 150)
    await running.done
    // Wherever the signal met it: a file of that name is whole.
    if (existsSync(output)) expect(readFileSync(output)).toEqual(readFileSync(whole.output))
    await run(args, output)
    expect(readFileSync(output)).toEqual(readFileSync(whole.output))
  })
})

describe('an endpoint', () => {
  const replies: Record<string, string[]> = {}
  let asked: { path: string; body: Record<string, unknown>; key: string | undefined }[] = []
  let failures = 0
  const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>
    asked.push({ path: request.url!, body, key: request.headers.authorization })
    if (failures-- > 0) {
      response.writeHead(503, { 'retry-after': '0' }).end('busy')
      return
    }
    if (body.messages === undefined) {
      response.writeHead(404).end('no such route')
      return
    }
    const [{ content }] = body.messages as [{ content: string }]
    const [, given] = Object.entries(replies).find(([question]) => content.includes(question))!
    const reply = given[(body.seed as number) % given.length]!
    const [thinking, answer] = reply.split('|') as [string, string]
    const message = { role: 'assistant', content: answer, reasoning_content: thinking }
    const choices = [{ index: 0, message, finish_reason: 'stop' }]
    response.end(JSON.stringify({ choices, usage: { completion_tokens: 7 } }))
  })
  const listening = new Promise<string>(resolve =>
    server.listen(0, '127.0.0.1', () =>
      resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`),
    ),
  )
  afterAll(() => server.close())
  const at = async (...more: string[]): Promise<string[]> => [
    'eval',
    '--endpoint',
    await listening,
    '--endpoint-model',
    'q',
    ...more,
  ]

  test('samples, the vote, pass@k, consistency and leaks by hand', async () => {
    const data = writeLines(path(), [
      { question: '첫째 문제', answer: 12 },
      { question: '둘째 문제', answer: '1/2' },
    ])
    replies.첫째 = [
      '따라서 12이다|정답: 12',
      '따라서 열둘이다|답은 13',
      '계산하면 12이다|\\boxed{12.0}',
      '因此 12|12개',
    ]
    replies.둘째 = ['반이다|정답: 0.5', '모른다|정답: 3', '모른다|정답: 3', '모른다|정답: 3']
    failures = 2
    const { output, stdout } = await run(
      await at('--benchmark', 'hrm8k', '--data', data, '--num-samples', '4', '--seed', '0'),
    )
    const [first, second] = rowsIn<GenerationRow>(output)
    expect(first!.samples.map(({ correct }) => correct)).toEqual([1, 0, 1, 1])
    expect(first).toMatchObject({ correct: 0.75, correct_majority: 1, correct_best: null })
    expect(second).toMatchObject({ correct: 0.25, correct_majority: 0 })
    expect(first!.samples[0]!.text).toBe('<think>\n따라서 12이다\n</think>\n\n정답: 12')
    const { metrics, thinking } = summaryOf(output)
    expect(metrics['avg@4']).toMatchObject({ value: 0.5, n: 2 })
    expect(metrics['pass@2']!.value).toBeCloseTo((1 + 0.5) / 2, 12)
    expect(metrics['pass@4']!.value).toBe(1)
    expect(metrics['maj@4']!.value).toBe(0.5)
    expect(metrics['best@4']).toBeUndefined()
    expect(thinking).toMatchObject({ n: 8, chinese_leak_rate: 1 / 8, thinking_rate: 1 })
    expect(stdout).toContain('Chinese 12.5 %')
  })

  test('multiple choice by generation, and as HRET', async () => {
    const { example } = benchmarkOf('kmmlu')
    const data = writeLines(path(), [example])
    replies.재화의 = ['가격이 오르면 준다|정답: (B)\n확인했다']
    asked = []
    const choice = ['--benchmark', 'kmmlu', '--data', data]
    const { output } = await run(
      await at(...choice, '--mode', 'generation', '--no-enable-thinking'),
    )
    expect(rowsIn<GenerationRow>(output)[0]).toMatchObject({ correct: 1, gold: 1 })
    expect(asked[0]!.body).toMatchObject({
      temperature: 0,
      max_tokens: 2048,
      chat_template_kwargs: { enable_thinking: false },
    })
    const hret = await run(await at(...choice, '--compat', 'hret'))
    const [row] = rowsIn<GenerationRow>(hret.output)
    expect(row!.samples[0]).toMatchObject({ answer: '(b)', correct: 1 })
    expect(row!.prompt).toContain('"따라서, 정답은: X"라고 결론지으십시오')
  })

  test.skipIf(!sandbox())('HumanEval in the sandbox (skipped: no sandbox here)', async () => {
    const { example } = benchmarkOf('humaneval')
    const data = writeLines(path(), [example])
    replies['Complete the function'] = [
      '더한다|```python\ndef add(a, b):\n    return a + b\n```',
      '뺀다|```python\ndef add(a, b):\n    return a - b\n```',
      '모른다|return a + b',
    ]
    const { output } = await run(
      await at('--benchmark', 'humaneval', '--data', data, '--num-samples', '3', '--seed', '0'),
    )
    const [row] = rowsIn<GenerationRow>(output)
    expect(row!.samples.map(({ correct }) => correct)).toEqual([1, 0, 0])
    expect(summaryOf(output).metrics['pass@2']!.value).toBeCloseTo(2 / 3, 12)
  })

  test('a server that goes on failing, and one without echo', async () => {
    const data = writeLines(path(), [benchmarkOf('kmmlu').example])
    failures = 100
    const args = await at('--benchmark', 'kmmlu', '--data', data)
    const failed = await failing([...args, '--mode', 'generation'])
    expect(failed).toContain(`${data}:1: /chat/completions: HTTP 503: busy`)
    failures = 0
    const echo = await failing([...args, '--seed', '1'])
    expect(echo).toContain(`${data}:1: /completions: HTTP 404: no such route`)
  })
})

describe('errors', () => {
  const data = writeLines(path(), [benchmarkOf('kmmlu').example])
  const base = ['eval', '--benchmark', 'kmmlu', '--data', data]
  test.each([
    [['eval'], 'required: --benchmark, --data'],
    [base, 'give --model DIR or --endpoint URL'],
    [[...base, '--endpoint', 'http://x/v1'], '--endpoint needs --endpoint-model'],
    [
      [...base, '--model', model, '--max-new-tokens', '9'],
      '--max-new-tokens: has no effect with --mode likelihood',
    ],
    [
      [...base, '--model', model, '--compat', 'hret', '--judge', 'recipe.yaml'],
      '--judge: has no effect, because this decides: --compat hret',
    ],
    [
      [...base.slice(0, 2), 'humaneval', ...base.slice(3), '--model', model, '--judge', 'r.yaml'],
      '--judge: has no effect, because this decides: the unit tests of the benchmark',
    ],
    [['eval', '--benchmark', 'kmlu', '--data', data, '--model', model], 'did you mean "kmmlu"?'],
    [
      [...base, '--model', model, '--num-samples', '4'],
      'needs --mode generation and a temperature',
    ],
    [
      ['eval', '--benchmark', 'hrm8k', '--data', data, '--model', model, '--mode', 'likelihood'],
      'has no options',
    ],
    [[...base, '--model', model, '--init', 'random', '--num-fewshot', '2'], 'only 0 examples'],
    [['eval', '--benchmark', 'haerae', '--data', data, '--model', model], 'column "query"'],
  ])('%j', async (args, message) => {
    expect(await failing(args)).toContain(message)
  })
})

test('generated commonsense: by steps, and the step that is missed', async () => {
  const data = path()
  const made = await kogrpo([
    'data',
    'commonsense',
    '--count',
    '48',
    '--seed',
    '3',
    '--output',
    data,
  ])
  expect([made.code, made.stdout]).toEqual([0, `48 questions in ${data}\n`])
  const args = [...own, '--benchmark', 'ko-commonsense', '--data', data, '--max-new-tokens', '4']
  const { output, stdout } = await run(args)
  const summary = summaryOf(output)
  expect(summary.questions).toBe(48)
  expect(Object.keys(summary.subsets).sort()).toEqual(['1', '2', '3', '4', '5', '6'])
  expect(summary.missed_steps!['1']).toBeGreaterThan(40)
  expect(stdout).toContain('first step missed: 1: ')
})

test('docs/eval.md has a row of every benchmark', () => {
  const text = readFileSync('docs/eval.md', 'utf8')
  for (const { name, example } of BENCHMARKS) {
    expect(text).toContain(`### ${name}\n`)
    expect(text).toContain(JSON.stringify(example))
  }
})

test('eval compare puts checkpoints on one table and calls noise noise', async () => {
  const write = (right: number): string =>
    writeLines(
      path(),
      Array.from({ length: 30 }, (_, i) => {
        const correct = i < right ? 1 : 0
        return {
          id: `p${i}`,
          subset: '',
          gold: 0,
          mode: 'likelihood',
          logprobs: [0],
          greedy: [true],
          answer: 0,
          answer_norm: 0,
          correct,
          correct_norm: correct,
        }
      }),
    )
  const json = path('.json')
  const names = [write(20), write(22), write(29)]
  const { code, stdout } = await kogrpo(['eval', 'compare', ...names, '--output', json])
  expect(code).toBe(0)
  const lines = stdout.split('\n')
  expect(lines[2]).toMatch(/\+6\.7 .*\+2 −0 .*0\.500 +within the noise$/)
  expect(lines[3]).toMatch(/\+30\.0 .*\+9 −0 .*0\.004 +better$/)
  expect(stdout).toContain('p is not corrected for 2 comparisons.')
  expect((JSON.parse(readFileSync(json, 'utf8')) as unknown[]).length).toBe(3)
  writeFileSync(names[1]!, '{"id": 1}\n')
  const bad = await kogrpo(['eval', 'compare', ...names])
  expect(bad.stderr).toContain(`${names[1]}:1: is no row of kogrpo eval`)
})
