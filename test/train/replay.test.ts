/** A step that is computed again from replay.json has the gradient that it had, to the bit. */
import { expect, it } from 'vitest'
import type { RecipeInput } from '../../lib/config/schema.ts'
import { toGrpoSample } from '../../lib/data/samples.ts'
import { parameterLayout } from '../../lib/model/parameters.ts'
import { type Rollout, sampleRollouts } from '../../lib/rollout/rollout.ts'
import { loadSamples } from '../../lib/train/load-samples.ts'
import { accumulatePolicyGradient, bonusCoefficients } from '../../lib/train/policy-update.ts'
import { policyOf, replayedLoss } from '../../lib/train/replay.ts'
import { parseReplay, replayText } from '../../lib/train/replay-file.ts'
import { forwardOptions, prepareRound, replayBatches } from '../../lib/train/round.ts'
import type { Session } from '../../lib/train/session.ts'
import { tinySession } from './tiny.ts'

const grpo = {
  data: [{ path: 'mini:grpo', size: 2 }],
  num_generations: 4,
  per_device_train_batch_size: 4,
  gradient_accumulation_steps: 2,
  max_completion_length: 12,
  temperature: 0.9,
}

async function rolloutsOf(session: Session): Promise<Rollout[]> {
  const { config, engine, tokenizer } = session
  const settings = { use: 'grpo.data[0]', maxLength: 200, overlong: 'error' as const }
  const prompts = await loadSamples(session, config.grpo!.data[0]!, toGrpoSample, settings)
  return await sampleRollouts(engine, tokenizer, prompts, {
    numGenerations: 4,
    maxCompletionLength: 12,
    temperature: 0.9,
    seed: 1,
    firstStream: 0,
  })
}

async function gradients({ engine }: Session): Promise<Float32Array[]> {
  const names = parameterLayout(engine.config).parameters.map(p => p.name)
  const read = await Promise.all(names.map(name => engine.readGradient(name)))
  await engine.zeroGradients()
  return read
}

type Changes = Partial<NonNullable<RecipeInput['grpo']>>

it.each<[string, Changes, number[]]>([
  ['plain', {}, []],
  // A completion of each group is a refinement, which is shaped by p / (p + γ) instead of clipped.
  ['refinements', { critique: { type: 'simple', gamma: 0.02 } }, [1, 6]],
  ['entropy filter and bonus', { top_entropy_quantile: 0.4, entropy_coef: 0.02 }, []],
])('%s', async (_, changes, refined) => {
  const session = await tinySession({ grpo: { ...grpo, ...changes } })
  const { config, engine } = session
  const stage = config.grpo!
  const rollouts = (await rolloutsOf(session)).map((rollout, i) =>
    refined.includes(i) ? { ...rollout, refined: true } : rollout,
  )
  const advantages = Float32Array.from(rollouts, (_rollout, i) => Math.sin(3 * i))
  const round = await prepareRound(session, stage, rollouts, { advantages })
  const update = await accumulatePolicyGradient(session, stage, round, true)
  const step = await gradients(session)
  expect(step.some(gradient => gradient.some(x => x !== 0))).toBe(true)

  const batches = replayBatches(round)
  const file = parseReplay(
    replayText({ version: 1, config, stage: 'grpo', step: 1, what: 'gradient', batches }),
  )
  const policy = (await policyOf(session, file))!
  let loss = 0
  for (const [index, batch] of file.batches.entries()) {
    const forward = forwardOptions(session, policy.stage)
    const { logprobs } = await engine.score(batch, forward)
    const replayed = replayedLoss(policy, batch, index, logprobs)!
    loss += replayed.loss
    const entropyCoef = bonusCoefficients(policy.stage, policy.kept, index)
    await engine.forwardBackward(batch, replayed.coef, { ...forward, entropyCoef })
  }
  expect(loss).toBe(update.metrics.policy_loss ?? update.metrics.loss)
  expect(await gradients(session)).toEqual(step)
  await engine.dispose()
})
