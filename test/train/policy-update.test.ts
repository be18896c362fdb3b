import { beforeAll, describe, expect, it, vi } from 'vitest'
import { NotFinite } from '../../lib/algorithms/policy-loss.ts'
import type { GrpoStage, RecipeInput } from '../../lib/config/schema.ts'
import { toGrpoSample } from '../../lib/data/samples.ts'
import { parameterLayout } from '../../lib/model/parameters.ts'
import { type Rollout, sampleRollouts } from '../../lib/rollout/rollout.ts'
import { loadSamples } from '../../lib/train/load-samples.ts'
import { optimizerStep } from '../../lib/train/optimizer.ts'
import { accumulatePolicyGradient, type PolicyUpdate } from '../../lib/train/policy-update.ts'
import { prepareRound } from '../../lib/train/round.ts'
import type { Session } from '../../lib/train/session.ts'
import { tinySession } from './tiny.ts'

const grpo = {
  data: [{ path: 'mini:grpo', size: 3 }],
  num_generations: 4,
  per_device_train_batch_size: 12,
  max_completion_length: 24,
  temperature: 0.9,
}

const open = (model: RecipeInput['model'], changes: object = {}): Promise<Session> =>
  tinySession({ model, grpo: { ...grpo, ...changes } })

async function accumulate(
  session: Session,
  stage: GrpoStage,
  rollouts: readonly Rollout[],
  advantages: Float32Array,
  fresh: boolean,
): Promise<PolicyUpdate> {
  const round = await prepareRound(session, stage, rollouts, { advantages })
  return await accumulatePolicyGradient(session, stage, round, fresh)
}

async function gradients({ engine }: Session): Promise<Float32Array[]> {
  const names = parameterLayout(engine.config).parameters.map(p => p.name)
  return await Promise.all(names.map(name => engine.readGradient(name)))
}

/** Largest difference of any tensor, relative to that tensor's largest entry. */
function distance(a: Float32Array[], b: Float32Array[]): number {
  return Math.max(
    ...a.map((x, i) => {
      const scale = Math.max(...x.map(Math.abs))
      const difference = Math.max(...x.map((v, k) => Math.abs(v - b[i]![k]!)))
      return scale === 0 ? difference : difference / scale
    }),
  )
}

describe('the policy gradient of a step', () => {
  let rollouts: Rollout[]
  let whole: Float32Array[]
  let metrics: Record<string, unknown>
  const advantages = Float32Array.from({ length: 12 }, (_, i) => Math.sin(3 * i))

  beforeAll(async () => {
    const session = await open({})
    const { config, engine, tokenizer } = session
    const prompts = await loadSamples(session, config.grpo!.data[0]!, toGrpoSample, {
      use: 'grpo.data[0]',
      maxLength: 200,
      overlong: 'error',
    })
    rollouts = await sampleRollouts(engine, tokenizer, prompts, {
      numGenerations: 4,
      maxCompletionLength: 24,
      temperature: 0.9,
      seed: 1,
      firstStream: 0,
    })
    const update = await accumulate(session, config.grpo!, rollouts, advantages, true)
    metrics = update.metrics
    whole = await gradients(session)
    await engine.dispose()
  })

  it('is on-policy to the bit: the sampler and the trainer have one log-prob', () => {
    expect(metrics['sampling/sampling_logp_difference/max']).toBe(0)
    expect(metrics['ratio/min']).toBe(1)
    expect(metrics['ratio/max']).toBe(1)
    expect(whole.every(g => g.some(x => x !== 0))).toBe(true)
  })

  it.each([
    ['micro-batches of 1', {}, { per_device_train_batch_size: 4, gradient_accumulation_steps: 3 }],
    ['micro-batches of 5', {}, { per_device_train_batch_size: 4, gradient_accumulation_steps: 2 }],
    ['another chunk and recomputation', { lm_head_chunk: 3, gradient_checkpointing: true }, {}],
  ])('is the same with %s', async (_name, model, changes) => {
    const session = await open(model, changes)
    const stage = { ...session.config.grpo!, per_device_train_batch_size: 12 }
    if ('gradient_accumulation_steps' in changes) {
      stage.per_device_train_batch_size = changes.gradient_accumulation_steps === 3 ? 1 : 5
    }
    await accumulate(session, stage, rollouts, advantages, true)
    expect(distance(whole, await gradients(session))).toBeLessThan(1e-5)
    await session.engine.dispose()
  })

  it('is the same with every prompt computed in full', async () => {
    const session = await open({}, { shared_prefix: false })
    const { config } = session
    const update = await accumulate(session, config.grpo!, rollouts, advantages, true)
    expect(update.metrics).toEqual(metrics)
    const full = await gradients(session)
    expect(distance(whole, full)).toBeLessThan(5e-6)
    expect(distance(whole, full)).toBeGreaterThan(0) // another order of the sums
    await session.engine.dispose()
  })

  it('is on-policy to the bit in bfloat16', async () => {
    const session = await open({ dtype: 'bfloat16' })
    const { config, engine, tokenizer } = session
    const sampled = await sampleRollouts(
      engine,
      tokenizer,
      [rollouts[0]!.prompt, rollouts[4]!.prompt],
      { numGenerations: 4, maxCompletionLength: 40, temperature: 0.9, seed: 2, firstStream: 0 },
    )
    const part = advantages.subarray(0, 8)
    const update = await accumulate(session, config.grpo!, sampled, part, true)
    expect(update.metrics['sampling/sampling_logp_difference/max']).toBe(0)
    expect(update.trained).toBe(true)
    await engine.dispose()
  })

  it('is the same in two passes with the old log-probs', async () => {
    const session = await open({})
    const { grpo: stage } = session.config
    await accumulate(session, stage!, rollouts, advantages, false)
    expect(distance(whole, await gradients(session))).toBeLessThan(1e-5)
    await session.engine.dispose()
  })

  it('keeps no forward pass whose loss cannot be formed', async () => {
    const session = await open({})
    const { engine, config } = session
    const forward = engine.forward.bind(engine)
    vi.spyOn(engine, 'forward').mockImplementation(async (batch, options) => {
      const pass = await forward(batch, options)
      return { ...pass, logprobs: pass.logprobs.fill(Number.NaN) }
    })
    const update = accumulate(session, config.grpo!, rollouts, advantages, false)
    await expect(update).rejects.toThrow(NotFinite)
    // Refused while a pass is kept.
    await engine.setLogitScale(null)
    await engine.dispose()
  })

  it('cannot be formed of weights of a correction that are not finite', async () => {
    const session = await open({}, { importance_sampling_correction: 'token_truncate' })
    const { engine, config } = session
    const score = engine.score.bind(engine)
    vi.spyOn(engine, 'score').mockImplementation(async (batch, options) => {
      const values = await score(batch, options)
      return { ...values, logprobs: values.logprobs.fill(Number.POSITIVE_INFINITY) }
    })
    const update = accumulate(session, config.grpo!, rollouts, advantages, true)
    await expect(update).rejects.toThrow(NotFinite)
    await engine.dispose()
  })

  it('is zero for groups of equal rewards, and moves nothing', async () => {
    const session = await open({})
    const { engine, config } = session
    const name = 'model.layers.1.mlp.down_proj.weight'
    const before = await engine.readParameter(name)
    const zero = new Float32Array(12)
    const update = await accumulate(session, config.grpo!, rollouts, zero, true)
    expect(update.trained).toBe(false)
    expect((await gradients(session)).every(g => g.every(x => x === 0))).toBe(true)
    const step = { ...config.grpo!, weight_decay: 0.1, learning_rate: 1 }
    await optimizerStep(session, step, 1, 1, update.trained)
    expect(await engine.readParameter(name)).toEqual(before)
    await engine.dispose()
  })

  it('leaves truncated completions out when asked, parameters bit-identical if all are', async () => {
    const session = await open({}, { mask_truncated_completions: true })
    const { engine, config } = session
    const name = 'model.embed_tokens.weight'
    const before = await engine.readParameter(name)
    const cut = rollouts.map(rollout => ({ ...rollout, truncated: true }))
    const update = await accumulate(session, config.grpo!, cut, advantages, true)
    expect(update.trained).toBe(false)
    const step = { ...config.grpo!, weight_decay: 0.1, learning_rate: 1 }
    await optimizerStep(session, step, 1, 1, update.trained)
    expect(await engine.readParameter(name)).toEqual(before)
    await engine.dispose()
  })

  it.each([
    ['clip, k3', { loss_type: 'dr_grpo', kl_estimator: 'k3' }],
    ['sapo, k2, bonus', { loss_type: 'sapo', kl_estimator: 'k2', entropy_coef: 0.02 }],
    [
      'GSPO, correction, filter and bonus',
      {
        loss_type: 'grpo',
        importance_sampling_level: 'sequence',
        importance_sampling_correction: 'token_truncate',
        importance_sampling_clip_max: 1.2,
        top_entropy_quantile: 0.5,
        entropy_coef: 0.02,
      },
    ],
  ])('is the slope of the loss that is reported: %s', async (_name, changes) => {
    // The round was sampled at another temperature and by weights that have moved since.
    const session = await open({}, { beta: 0.05, temperature: 1.1, ...changes })
    const { engine, config } = session
    await engine.updateSlot('ref', 1)
    const stage = config.grpo!
    const round = await prepareRound(session, stage, rollouts, { advantages })
    const name = 'model.layers.1.mlp.down_proj.weight'
    const moved = (await engine.readParameter(name)).map((w, i) => w + 0.02 * Math.sin(i))
    const lossAt = async (weights: Float32Array): Promise<number> => {
      await engine.zeroGradients()
      await engine.writeParameter(name, weights)
      return (await accumulatePolicyGradient(session, stage, round, false)).metrics.loss!
    }
    await lossAt(moved)
    const gradient = await engine.readGradient(name)
    const norm = Math.hypot(...gradient)
    // Along the gradient the slope is its norm.
    const h = 2e-3
    const up = await lossAt(moved.map((w, i) => w + (h * gradient[i]!) / norm))
    const down = await lossAt(moved.map((w, i) => w - (h * gradient[i]!) / norm))
    expect((up - down) / (2 * h) / norm).toBeCloseTo(1, 2)
    await engine.dispose()
  })
})
