/**
 * The resume diamond: k + m steps equal k, crash, resume, m, to the byte. A crash is a consumer that
 * throws: nothing is saved on the way out, as after kill -9, so the run goes on from what save_steps
 * had put on the disk.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Recipe, RecipeInput } from '../../../lib/config/schema.ts'
import { isTimingKey, type RunEvent } from '../../../lib/report/events.ts'
import { Reporter } from '../../../lib/report/reporter.ts'
import { findState } from '../../../lib/train/find-state.ts'
import { runTraining } from '../../../lib/train/run.ts'
import { fakeEndpoint, fencedAnswer, reply } from '../../rewards/judge/fake-endpoint.ts'
import { tinyModelDirectory, tinyRecipe } from '../tiny.ts'

let model: string

beforeAll(async () => {
  model = await tinyModelDirectory()
})

class Crash extends Error {}

interface Made {
  config: Recipe
  /** By stage and step; a step made twice counts once, and must be the same. */
  steps: Map<string, string>
  events: RunEvent[]
}

async function runOnce(config: Recipe, made: Made, crash?: (event: RunEvent) => boolean) {
  const handle = (event: RunEvent): void => {
    made.events.push(event)
    if (event.type === 'step') {
      const metrics = Object.entries(event.metrics).filter(([key]) => !isTimingKey(key))
      const key = `${event.stage} ${event.step}`
      const text = JSON.stringify(metrics)
      if (made.steps.has(key)) expect(text, key).toBe(made.steps.get(key))
      made.steps.set(key, text)
    }
    if (crash?.(event)) throw new Crash('killed')
  }
  const resume =
    made.steps.size === 0 ? undefined : await findState(config.output_dir).catch(() => undefined)
  const io = { reporter: new Reporter([{ handle }]), signal: new AbortController().signal, resume }
  await runTraining(config, io)
}

/** Runs `input`, crashing after each of `steps` ("sft 3") in turn. */
async function run(input: RecipeInput, steps: readonly string[] = []): Promise<Made> {
  const config = await tinyRecipe({
    seed: 5,
    threads: 1,
    ...input,
    model: { path: model, ...input.model },
  })
  const made: Made = { config, steps: new Map(), events: [] }
  for (const at of steps) {
    const crash = (event: RunEvent): boolean =>
      event.type === 'step' && `${event.stage} ${event.step}` === at
    await expect(runOnce(config, made, crash)).rejects.toThrow(Crash)
  }
  await runOnce(config, made)
  return made
}

async function diamond(input: RecipeInput, crashes: readonly string[], weights: string) {
  const [straight, crashed] = [await run(input), await run(input, crashes)]
  expect([...crashed.steps]).toEqual([...straight.steps])
  const bytes = ({ config }: Made): Promise<Buffer> =>
    readFile(join(config.output_dir, weights, 'model.safetensors'))
  expect((await bytes(crashed)).equals(await bytes(straight))).toBe(true)
  const restored = crashed.events.flatMap(event =>
    event.type === 'note' && event.message.startsWith('resumed from') ? [event.message] : [],
  )
  return { straight, crashed, restored }
}

const supervised = {
  max_steps: 8,
  per_device_train_batch_size: 2,
  max_length: 128,
  learning_rate: 1e-2,
  weight_decay: 0.01,
  save_steps: 1,
}

const rl = {
  data: [{ path: 'mini:grpo', size: 6 }],
  max_steps: 6,
  num_generations: 4,
  per_device_train_batch_size: 8,
  max_completion_length: 24,
  learning_rate: 5e-3,
  save_steps: 1,
  rewards: [{ name: 'overlong' as const, weight: 1, options: { soft_punish_cache: 24 } }],
}

describe('k + m steps are k, a crash, and m', () => {
  it('in pretrain and SFT, over an epoch boundary, of two sources', async () => {
    // Six samples: epochs end within the steps.
    const data = [
      { path: 'mini:sft', size: 4 },
      { path: 'mini:pretrain', size: 5, weight: 0.5 },
    ]
    const stage = { ...supervised, data, packing: false }
    const input: RecipeInput = { pretrain: { ...stage, save_steps: 2 }, sft: stage }
    const { straight, restored } = await diamond(input, ['pretrain 5', 'sft 1', 'sft 4'], 'sft')
    const last = JSON.parse(straight.steps.get('sft 8')!) as [string, number][]
    expect(new Map(last).get('epoch')).toBeGreaterThan(1.5)
    expect(restored).toHaveLength(3)
    expect(restored[0]).toMatch(/state-pretrain-4-0: .*of pretrain step 4; \d+ tokens seen; /)
    expect(restored[2]).toMatch(/mini:sft at sample \d of 4, epoch 1/)
  })

  it('in GRPO with passes, a moving reference and dynamic sampling, over an epoch boundary', async () => {
    const grpo = {
      ...rl,
      num_iterations: 2,
      beta: 0.02,
      sync_ref_model: true,
      ref_model_sync_steps: 3,
      dynamic_sampling: { mode: 'resample' as const, max_rounds: 2 },
    }
    const { straight, restored } = await diamond({ grpo }, ['grpo 1', 'grpo 4', 'grpo 5'], 'rl')
    expect(restored.map(text => /state-grpo-(\d)/.exec(text)![1])).toEqual(['2', '4'])
    const last = JSON.parse(straight.steps.get('grpo 6')!) as [string, number][]
    expect(new Map(last).get('epoch')).toBeGreaterThan(1)
  })

  it.each(['on_policy', 'one_step_off'] as const)(
    'with a judge whose verdicts are kept on disk, %s',
    async rollout_mode => {
      // Its opinion follows from what it is shown alone.
      const endpoint = await fakeEndpoint(({ text }, response) => {
        const sum = [...fencedAnswer(text)].reduce((all, c) => all + c.charCodeAt(0), 0)
        reply(response, `{"verdict": ${sum % 2}}`)
      })
      const judge = { kind: 'openai' as const, base_url: endpoint.base_url, model: 'm' }
      const { rewards: _rewards, ...rest } = rl
      const oracle = { rule: 'override' as const, judge }
      const dynamic_sampling = { mode: 'resample' as const, max_rounds: 1 }
      const grpo = { ...rest, max_steps: 4, rollout_mode, dynamic_sampling, oracle }
      const { crashed, restored } = await diamond({ grpo }, ['grpo 2', 'grpo 3'], 'rl')
      endpoint.close()
      expect(restored[1]).toMatch(/oracle with \d+ verdicts; judge cache of \d+ bytes/)
      expect(crashed.events.some(event => event.type === 'run_end')).toBe(true)
    },
  )
})
