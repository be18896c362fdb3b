/**
 * The miniature as its users meet it: the default recipe keeps its promises, and its base model is
 * what its recipe makes.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadRecipe } from '../../lib/config/load.ts'
import type { Metrics, Summary } from '../../lib/report/events.ts'
import { Reporter } from '../../lib/report/reporter.ts'
import { runTraining } from '../../lib/train/run.ts'
import { temporaryDirectory } from '../train/tiny.ts'

const ASSETS = new URL('../../assets/mini/', import.meta.url)

interface Run {
  metrics: { stage: string; metrics: Metrics }[]
  summary: Summary | undefined
}

/** Runs a built-in recipe; stops after `steps` optimizer steps when given. */
async function run(name: string, output_dir: string, steps?: number): Promise<Run> {
  const { recipe } = loadRecipe(name, { overrides: [{ key: 'output_dir', value: output_dir }] })
  const controller = new AbortController()
  const metrics: Run['metrics'] = []
  let summary: Summary | undefined
  const reporter = new Reporter([
    {
      handle(event) {
        if (event.type === 'step') metrics.push({ stage: event.stage, metrics: event.metrics })
        if (event.type === 'run_end') summary = event.summary
        if (metrics.length === steps) controller.abort()
      },
    },
  ])
  await runTraining(recipe, { reporter, signal: controller.signal }).catch(error => {
    if (!controller.signal.aborted) throw error
  })
  return { metrics, summary }
}

describe('the miniature', () => {
  it('has a base model that its recipe makes: the first steps are the recorded ones, to the bit', async () => {
    const recorded = JSON.parse(await readFile(new URL('base-run.json', ASSETS), 'utf8'))
    const weights = await readFile(new URL('model.safetensors', ASSETS))
    expect(createHash('sha256').update(weights).digest('hex')).toBe(recorded.weights_sha256)
    const { metrics } = await run('mini-base', await temporaryDirectory(), recorded.steps.length)
    expect(metrics.map(({ metrics: { loss, grad_norm } }) => ({ loss, grad_norm }))).toEqual(
      recorded.steps,
    )
  })

  it('learns to think in Korean, then to think better, exactly on-policy', async () => {
    const directory = join(await temporaryDirectory(), 'run')
    const { metrics, summary } = await run('mini', directory)
    const { base, sft, rl, paired_differences } = summary!
    expect(base!.n).toBeGreaterThanOrEqual(500)
    expect(base!.korean_thinking_rate).toBeLessThanOrEqual(0.05)
    expect(sft!.korean_thinking_rate).toBeGreaterThanOrEqual(0.98)
    expect(rl!.korean_thinking_rate).toBeGreaterThanOrEqual(0.98)
    expect(sft!.accuracy).toBeGreaterThan(0.3)
    expect(sft!.accuracy).toBeLessThan(0.75)
    const gain = paired_differences.rl_minus_sft!.accuracy!
    expect(gain.difference).toBeGreaterThan(0.1)
    expect(gain.ci95[0]).toBeGreaterThan(0)

    const rlSteps = metrics.filter(({ stage }) => stage === 'grpo')
    expect(rlSteps.length).toBeGreaterThan(10)
    for (const step of rlSteps) {
      expect(step.metrics['sampling/sampling_logp_difference/max']).toBe(0)
    }
  }, 1_800_000)
})
