/** Rounds that are sampled one round ahead, and ratings that run beside the sampler. */
import { afterEach, describe, expect, it } from 'vitest'
import { toGrpoSample } from '../../lib/data/samples.ts'
import type { CompletionRow } from '../../lib/report/events.ts'
import { type Rollout, sampleRollouts } from '../../lib/rollout/rollout.ts'
import { loadSamples } from '../../lib/train/load-samples.ts'
import { fakeEndpoint, fencedAnswer, reply } from '../rewards/judge/fake-endpoint.ts'
import { type GrpoInput, type GrpoRun, grpoRun, type StepMetrics } from './grpo-runs.ts'
import { tinySession } from './tiny.ts'

const AHEAD: GrpoInput = { rollout_mode: 'one_step_off' }

const completions = (run: GrpoRun, step: number): string[] =>
  run.events
    .flatMap(event => (event.type === 'completions' ? event.rows : []))
    .filter((row: CompletionRow) => row.stage === 'grpo' && row.step === step)
    .map(row => row.completion)

const endpoints: { close(): void }[] = []
afterEach(() => {
  for (const endpoint of endpoints.splice(0)) endpoint.close()
})

describe('one_step_off', () => {
  it('samples round n + 1 with the weights before the update on round n', async () => {
    const exact = await grpoRun()
    const ahead = await grpoRun(AHEAD)
    // Weights that do not move: what the weights before step 1 sample for step 2.
    const still = await grpoRun({ learning_rate: 1e-30, max_steps: 2 })
    expect(completions(ahead, 1)).toEqual(completions(exact, 1))
    expect(completions(ahead, 2)).toEqual(completions(still, 2))
    expect(completions(ahead, 2)).not.toEqual(completions(exact, 2))
    expect(completions(ahead, 4)).toHaveLength(16)
    expect(ahead.weights.equals(exact.weights)).toBe(false)

    expect(ahead.steps.map(step => step['sampling/staleness'])).toEqual([0, 1, 1, 1])
    expect(ahead.steps[0]!['ratio/max']).toBe(1)
    expect(ahead.steps[0]!['sampling/sampling_logp_difference/max']).toBe(0)
    for (const step of ahead.steps.slice(1)) {
      expect(step['ratio/min']).toBeLessThan(1)
      expect(step['ratio/max']).toBeGreaterThan(1)
      expect(step['sampling/sampling_logp_difference/max']).toBeGreaterThan(0)
    }
    for (const step of exact.steps) {
      expect(step['ratio/min']).toBe(1)
      expect(step).not.toHaveProperty('sampling/staleness')
    }
    // Positions in the data are those of what was trained on, not of what was drawn.
    const epochs = (run: GrpoRun): StepMetrics[string][] => run.steps.map(step => step.epoch!)
    expect(epochs(ahead)).toEqual(epochs(exact))
  })

  it('counts staleness in optimizer steps', async () => {
    const run = await grpoRun({ ...AHEAD, num_iterations: 2, max_steps: 6 })
    expect(run.steps.map(step => step['sampling/staleness'])).toEqual([0, 1, 2, 3, 2, 3])
  })

  it('can be corrected for, and the correction changes the run', async () => {
    const plain = await grpoRun({ ...AHEAD, learning_rate: 1e-2 })
    const weighed = await grpoRun({
      ...AHEAD,
      learning_rate: 1e-2,
      importance_sampling_correction: 'token_truncate',
    })
    const ratios = weighed.steps.map(step => step['sampling/importance_sampling_ratio/max'])
    expect(ratios[0]).toBe(1)
    expect(ratios[1]).toBeGreaterThan(1)
    expect(weighed.weights.equals(plain.weights)).toBe(false)
  })

  const changes: [string, GrpoInput, number[]][] = [
    ['plain', {}, [1, 2, 3]],
    // A round is one whole: stopped in its first pass it ends with its second.
    ['two passes a round', { num_iterations: 2, max_steps: 6 }, [1, 3]],
    ['mask', { dynamic_sampling: { mode: 'mask' } }, [1, 3]],
    ['resample', { dynamic_sampling: { mode: 'resample', max_rounds: 2 } }, [1, 2]],
  ]
  it.each(changes)(
    '%s: stopped and resumed it ends with the same bytes',
    async (_, change, stops) => {
      const straight = await grpoRun({ ...AHEAD, ...change })
      const stopped = await grpoRun({ ...AHEAD, ...change }, stops)
      expect(stopped.steps).toEqual(straight.steps)
      expect(stopped.weights.equals(straight.weights)).toBe(true)
    },
  )

  it('counts the verdicts of a round that was rated ahead once, stopped and resumed', async () => {
    const change: GrpoInput = {
      ...AHEAD,
      dynamic_sampling: { mode: 'resample', max_rounds: 2 },
      rewards: [
        { name: 'accuracy' },
        { name: 'overlong', weight: 1, options: { soft_punish_cache: 40 } },
      ],
      oracle: { rule: 'override', judge: { kind: 'program' } },
    }
    const oracleOf = (run: GrpoRun) => {
      const end = run.events.findLast(event => event.type === 'run_end')!
      const { calls, tp, tn, fp, fn } = end.summary!.oracle!
      return { calls, tp, tn, fp, fn }
    }
    const straight = oracleOf(await grpoRun(change))
    expect(straight.calls).toBeGreaterThanOrEqual(64)
    expect(oracleOf(await grpoRun(change, [1, 2]))).toEqual(straight)
  })

  it('drops what was sampled by weights that a guard takes back', async () => {
    const off = [
      'accuracy',
      'answer_numbers',
      'truncated',
      'zero_variance',
      'entropy_high',
      'grad_norm',
    ]
    const run = await grpoRun({
      ...AHEAD,
      learning_rate: 2e-2,
      max_steps: 6,
      guards: {
        action: 'rollback',
        window: 1,
        warmup_steps: 1,
        patience: 1,
        keep_steps: 1,
        max_rollbacks: 1,
        watches: {
          ...Object.fromEntries(off.map(name => [name, { enabled: false }])),
          entropy_low: { factor: 0.999, margin: 0 },
        },
      },
    })
    const end = run.events.find(event => event.type === 'run_end')!
    const [record] = end.summary!.guards!
    expect(record).toMatchObject({ action: 'rollback' })
    // The step behind the rollback is sampled anew.
    const staleness = run.steps.map(step => step['sampling/staleness'])
    expect(staleness.flatMap((value, i) => (value === 0 ? [i + 1] : []))).toEqual([
      1,
      record!.step + 1,
    ])
  })
})

describe('ratings', () => {
  it('begin with a group while others are still sampled', async () => {
    const session = await tinySession({ grpo: { data: [{ path: 'mini:grpo', size: 24 }] } })
    const { engine, tokenizer } = session
    try {
      const prompts = await loadSamples(session, session.config.grpo!.data[0]!, toGrpoSample, {
        use: 'grpo.data[0]',
        maxLength: 512,
        overlong: 'error',
      })
      const seen = new Map<number, Rollout[]>()
      const rollouts = await sampleRollouts(engine, tokenizer, prompts, {
        numGenerations: 4,
        maxCompletionLength: 100,
        temperature: 1,
        seed: 1,
        firstStream: 0,
        maxSequences: 4,
        onGroup: (p, group) => seen.set(p, group),
      })
      expect(seen.size).toBe(24)
      for (const [p, group] of seen) expect(group).toEqual(rollouts.slice(4 * p, 4 * p + 4))
      // What the first group's end lets run stops the round: the other groups had not ended.
      const stop = new AbortController()
      const groups: number[] = []
      const stopped = sampleRollouts(engine, tokenizer, Array(200).fill(prompts).flat(), {
        numGenerations: 4,
        maxCompletionLength: 400,
        temperature: 1,
        seed: 1,
        firstStream: 0,
        maxSequences: 4,
        signal: stop.signal,
        onGroup: p => {
          if (groups.push(p) === 1) setImmediate(() => stop.abort())
        },
      })
      await expect(stopped).rejects.toThrow(/abort/i)
      expect(groups.length).toBeGreaterThan(0)
      expect(groups.length).toBeLessThan(24 * 200)
    } finally {
      await engine.dispose()
    }
  })

  it('of groups come together as the verdicts on all completions', async () => {
    const endpoint = await fakeEndpoint(({ text }, response) =>
      reply(response, `{"verdict": ${fencedAnswer(text).length % 2}}`),
    )
    endpoints.push(endpoint)
    const run = await grpoRun({
      max_steps: 2,
      per_device_train_batch_size: 32,
      max_completion_length: 100,
      rewards: [{ name: 'accuracy', weight: 1 }],
      oracle: {
        rule: 'override',
        judge: { kind: 'openai', base_url: endpoint.base_url, model: 'm' },
      },
    })
    expect(run.steps).toHaveLength(2)
    for (const [i, step] of run.steps.entries()) {
      const rows = run.events
        .flatMap(event => (event.type === 'completions' ? event.rows : []))
        .filter(row => row.step === i + 1)
      expect(rows).toHaveLength(32)
      expect(step['judge/calls']).toBe(32)
      expect(rows.filter(({ judge }) => judge === null)).toEqual([])
      for (const { judge, rewards } of rows) expect(rewards.accuracy).toBe(Number(judge))
    }
  })
})
