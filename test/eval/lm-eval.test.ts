/**
 * Multiple choice against lm-evaluation-harness: golden values of test/golden/make_lm_eval.py, by the
 * engine directly and through kogrpo serve.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ChatTemplate } from '../../lib/data/chat-template.ts'
import { Tokenizer } from '../../lib/data/tokenizer.ts'
import { Engine } from '../../lib/engine/engine.ts'
import { EndpointBackend } from '../../lib/eval/backend/endpoint.ts'
import { EngineBackend } from '../../lib/eval/backend/engine.ts'
import type { Backend } from '../../lib/eval/backend/types.ts'
import { benchmarkOf } from '../../lib/eval/benchmarks/index.ts'
import { examplesFor, likelihoodContext } from '../../lib/eval/few-shot.ts'
import { type LikelihoodRow, likelihoodRow } from '../../lib/eval/grade.ts'
import { collect, readItems } from '../../lib/eval/items.ts'
import { summarizeRows } from '../../lib/eval/summary.ts'
import { parseModelConfig } from '../../lib/model/config.ts'
import { type RunningServer, startServer } from '../../lib/serve/server.ts'

const GOLDEN = 'test/golden/lm_eval'

interface Golden {
  config: Record<string, unknown>
  init: { seed: number; std: number; normScale: number }
  tasks: Record<
    string,
    {
      num_fewshot: number
      acc: number
      acc_norm: number
      logprobs: number[][]
      greedy: boolean[][]
    }
  >
}

const golden = JSON.parse(readFileSync(join(GOLDEN, 'results.json'), 'utf8')) as Golden
let direct: EngineBackend
let served: EndpointBackend
let server: RunningServer

beforeAll(async () => {
  const tokenizer = await Tokenizer.load('assets/mini')
  const config = parseModelConfig(golden.config, GOLDEN)
  const engine = await Engine.create({ config, init: golden.init, threads: 1 })
  const template = new ChatTemplate(tokenizer)
  direct = new EngineBackend({ description: 'direct', engine, tokenizer, template: () => template })
  server = await startServer(
    { engine, tokenizer, template: () => template },
    {
      host: '127.0.0.1',
      port: 0,
      apiKey: null,
      modelName: 'golden',
      maxSequences: 8,
      prefillRows: 128,
      maxCacheBytes: 64 * 2 ** 20,
      limits: { maxTokens: 400, maxLive: 64, bodyBytes: 100_000, timeout: 60 },
    },
  )
  served = new EndpointBackend({
    base_url: `${server.url}/v1/`,
    model: 'golden',
    timeout_s: 60,
    max_retries: 0,
    concurrency: 8,
  })
})

afterAll(async () => {
  await server.close(0)
  await direct.close()
})

async function rowsOf(backend: Backend, task: string, limit?: number): Promise<LikelihoodRow[]> {
  const benchmark = benchmarkOf(task.replace('-2shot', ''))
  const items = await collect(readItems(benchmark, join(GOLDEN, `${task}.jsonl`)), limit)
  const shots = golden.tasks[task]!.num_fewshot
  const pool =
    shots === 0 ? [] : await collect(readItems(benchmark, join(GOLDEN, `${task}-dev.jsonl`)))
  return Promise.all(
    items.map(async item => {
      const context = likelihoodContext(item, examplesFor(item, pool, shots))
      const pairs = item.likelihood!.options.map(option => ({
        context,
        continuation: ` ${option}`,
      }))
      const where = pairs.map(() => item.id)
      return likelihoodRow(item, await backend.likelihoods(pairs, where, {}))
    }),
  )
}

function worst(rows: readonly LikelihoodRow[], task: string): number {
  const wanted = golden.tasks[task]!.logprobs
  return Math.max(
    ...rows.flatMap((row, i) => row.logprobs.map((x, o) => Math.abs(x - wanted[i]![o]!))),
  )
}

describe.each(Object.keys(golden.tasks))('%s', task => {
  test('log-likelihoods to 1e-4, accuracy to the last digit', async () => {
    const { acc, acc_norm, logprobs, greedy } = golden.tasks[task]!
    const rows = await rowsOf(direct, task)
    expect(rows.map(row => row.logprobs.length)).toEqual(logprobs.map(values => values.length))
    expect(worst(rows, task)).toBeLessThan(1e-4)
    expect(rows.map(row => row.greedy)).toEqual(greedy)
    const { metrics } = summarizeRows(rows)
    expect([metrics.acc!.value, metrics.acc_norm!.value]).toEqual([acc, acc_norm])
  })

  test('through kogrpo serve the same values and accuracy', async () => {
    const rows = await rowsOf(served, task)
    expect(rows).toHaveLength(golden.tasks[task]!.logprobs.length)
    expect(worst(rows, task)).toBeLessThan(1e-4)
    const { metrics } = summarizeRows(rows)
    const { acc, acc_norm } = golden.tasks[task]!
    expect([metrics.acc!.value, metrics.acc_norm!.value]).toEqual([acc, acc_norm])
    const same = (await rowsOf(direct, task)).map(row => row.logprobs)
    for (const [i, { logprobs }] of rows.entries()) {
      for (const [o, value] of logprobs.entries()) expect(value).toBeCloseTo(same[i]![o]!, 12)
    }
  })
})
