/**
 * The keys of metrics.jsonl are those that docs/formats.md lists, no more and no less: short runs with
 * everything on that adds a key, against the tables of the document.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { resolveRecipe } from '../../lib/config/load.ts'
import type { RecipeInput } from '../../lib/config/schema.ts'
import type { StageName } from '../../lib/report/events.ts'
import { runTraining } from '../../lib/train/run.ts'
import { fakeEndpoint, reply } from '../rewards/judge/fake-endpoint.ts'
import { recorder, temporaryDirectory, tinyModelDirectory } from './tiny.ts'

const supervised = {
  max_steps: 2,
  per_device_train_batch_size: 4,
  max_length: 256,
  learning_rate: 1e-2,
}
const held = [{ path: 'mini:sft', size: 8, options: { seed: 99 } }]
const grpo = {
  data: [{ path: 'mini:grpo', size: 40 }],
  max_steps: 4,
  num_generations: 4,
  per_device_train_batch_size: 8,
  max_completion_length: 32,
  learning_rate: 1e-3,
}

/** A judge that finds every other answer right, and says what it took. */
const endpoint = await fakeEndpoint(({ count }, response) =>
  reply(response, `{"verdict": ${count % 2}}`, {}, { prompt_tokens: 50, completion_tokens: 6 }),
)
afterAll(() => endpoint.close())

/** Everything that adds a key; what excludes one another is spread over two runs. */
const RUNS: RecipeInput[] = [
  {
    model: { path: 'builtin:mini', init: 'pretrained' },
    grpo: {
      ...grpo,
      max_completion_length: 80,
      beta: 0.01,
      entropy_coef: 0.01,
      num_iterations: 2,
      dynamic_sampling: { mode: 'resample' },
      rewards: [{ name: 'accuracy' }, { name: 'overlong', options: { soft_punish_cache: 80 } }],
      oracle: {
        rule: 'override',
        judge: { kind: 'openai', base_url: endpoint.base_url, model: 'm' },
      },
      guards: { warmup_steps: 1 },
    },
  },
  {
    pretrain: { ...supervised, data: [{ path: 'mini:pretrain', size: 200 }] },
    sft: { ...supervised, data: [{ path: 'mini:sft', size: 200 }], eval_data: held, eval_steps: 1 },
    grpo: {
      ...grpo,
      rollout_mode: 'one_step_off',
      importance_sampling_correction: 'token_truncate',
      top_entropy_quantile: 0.5,
      eval_steps: 2,
    },
    eval: { data: [{ path: 'mini:eval' }], max_samples: 4, max_completion_length: 16 },
  },
]

async function keysOf(recipe: RecipeInput): Promise<[StageName, string][]> {
  const config = resolveRecipe({
    seed: 5,
    model: { path: await tinyModelDirectory(), init: 'random' },
    ...recipe,
    output_dir: join(await temporaryDirectory(), 'run'),
  })
  const { reporter, events } = recorder()
  await runTraining(config, { reporter, signal: new AbortController().signal })
  return events.flatMap(event =>
    event.type === 'step'
      ? Object.keys(event.metrics).map(key => [event.stage, key] as [StageName, string])
      : [],
  )
}

/** The keys that the tables below a heading list; `<name>` stands for one word. */
function documented(heading: string): string[] {
  const text = readFileSync(join(import.meta.dirname, '../../docs/formats.md'), 'utf8')
  const [, table] = new RegExp(`\n${heading}:\n\n((?:\\|.*\n)+)`).exec(text)!
  const keys = table!.split('\n').flatMap(row => (row.split('|')[1] ?? '').match(/`[^`]+`/g) ?? [])
  return keys.map(key => key.slice(1, -1)).filter(key => !['stage', 'step'].includes(key))
}

const matches = (pattern: string, key: string): boolean =>
  new RegExp(`^${pattern.replaceAll(/<\w+>/g, '[^/]+')}$`).test(key)

describe('metrics.jsonl', () => {
  const every = documented('Every stage')
  const supervisedKeys = [...every, ...documented('`pretrain` and `sft`')]
  const grpoKeys = [...every, ...documented('`grpo`')]
  const emitted: Record<StageName, Set<string>> = {
    pretrain: new Set(),
    sft: new Set(),
    grpo: new Set(),
  }
  beforeAll(async () => {
    for (const recipe of RUNS) {
      for (const [stage, key] of await keysOf(recipe)) emitted[stage].add(key)
    }
  })

  test.each([
    ['pretrain', supervisedKeys],
    ['sft', supervisedKeys],
    ['grpo', grpoKeys],
  ] as const)('%s has no key that the document lacks', (stage, known) => {
    expect(emitted[stage].size).toBeGreaterThan(10)
    const unknown = [...emitted[stage]].filter(key => !known.some(name => matches(name, key)))
    expect(unknown).toEqual([])
  })

  test('the document has no key that no stage writes', () => {
    const dead = (known: string[], stage: StageName): string[] =>
      known.filter(name => ![...emitted[stage]].some(key => matches(name, key)))
    expect(dead(supervisedKeys, 'sft')).toEqual([])
    expect(dead(grpoKeys, 'grpo')).toEqual([])
    expect(grpoKeys.length).toBeGreaterThan(60)
  })
})
