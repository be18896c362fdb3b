/**
 * SARI's curriculum (arXiv 2504.15900): prompts from easy to hard by measured pass rate. What can be shown
 * at toy size is fewer dead groups on a pool of mostly hard prompts, not a better final accuracy, which
 * is measured and is no gate. Chains of 3 to 10 terms, three quarters of them long.
 */
import { type CurriculumOrder, curriculumBuckets } from '../algorithms/curriculum.ts'
import { Mixture } from '../data/mixture.ts'
import { listed } from './run.ts'
import { CHAIN_VOCAB, chainPrompt, chainRight, chainSample, END } from './toy/chain.ts'
import { checkpointOf, toyEngine } from './toy/model.ts'
import { accuracy, dice, grpoStep, sftStep, toyRollouts } from './toy/train.ts'
import type { Experiment, ExperimentContext, Measurement } from './types.ts'

const GROUP = 8
const PROMPTS = 32
const POOL = 2048
const MAX_NEW = 10
const NOISE = 0.3

type Dice = ReturnType<typeof dice>

/** A quarter of 3 to 5 terms, the rest of 8 to 10. */
const terms = (random: Dice): number => (random.below(4) === 0 ? 3 : 8) + random.below(3)

async function run(seed: number, context: ExperimentContext): Promise<Measurement> {
  await using engine = await toyEngine({ vocab: CHAIN_VOCAB, seed, threads: context.threads })
  const random = dice(`curriculum sft ${seed}`)
  for (let step = 0; step < 500; step++) {
    context.signal.throwIfAborted()
    const samples = Array.from({ length: 32 }, () =>
      chainSample(random, 3 + random.below(8), NOISE),
    )
    await sftStep(engine, samples, 2e-3)
  }
  await engine.resetOptimizer()
  const asked = dice(`curriculum pool ${seed}`)
  const pool = Array.from({ length: POOL }, () => chainPrompt(asked, terms(asked)))
  const sampling = { maxNewTokens: MAX_NEW, stop: END, seed }
  const probes = await toyRollouts(engine, pool, { ...sampling, group: 4, round: 3_000_000 })
  const rates = pool.map(
    (_, p) =>
      probes.slice(p * 4, p * 4 + 4).filter(r => chainRight(r.prompt, r.completion)).length / 4,
  )
  const restore = await checkpointOf(engine)
  const exam = dice(`curriculum test ${seed}`)
  const held = Array.from({ length: 256 }, () => chainPrompt(exam, terms(exam)))
  const values: Measurement = { zero_pass: rates.filter(rate => rate === 0).length / POOL }
  for (const order of ['random', 'easy_to_hard'] as const satisfies CurriculumOrder[]) {
    await restore()
    const buckets = curriculumBuckets(rates, order, 5)
    const mixture = new Mixture([{ name: 'pool', items: pool, weight: 1, buckets }], { seed })
    const steps = POOL / PROMPTS
    let dead = 0
    for (let step = 1; step <= steps; step++) {
      context.signal.throwIfAborted()
      const prompts = mixture.take(PROMPTS).map(draw => draw.item)
      const rollouts = await toyRollouts(engine, prompts, {
        ...sampling,
        group: GROUP,
        round: step,
      })
      const rewards = rollouts.map(r => Number(chainRight(r.prompt, r.completion)))
      const { deadGroups } = await grpoStep(engine, rollouts, rewards, {
        group: GROUP,
        learningRate: 5e-4,
        maxCompletionLength: MAX_NEW,
      })
      dead += deadGroups
    }
    values[`${order}_dead_groups`] = dead / steps
    values[`${order}_accuracy`] = await accuracy(engine, held, chainRight, {
      ...sampling,
      round: 1_000_000,
      temperature: 1,
    })
    context.progress(`${order}: dead groups ${values[`${order}_dead_groups`]!.toFixed(3)}`)
  }
  return values
}

export const curriculumOrder: Experiment = {
  name: 'curriculum-order',
  paper: 'SARI (arXiv 2504.15900)',
  claim: 'an order from easy to hard converges faster; repeated here only as fewer dead groups',
  gate: 'share of dead groups over one pass, easy to hard < random, on a pool of mostly hard prompts (final accuracy is no gate)',
  seconds: 30,
  run,
  verdict: rows => ({
    pass: rows.every(row => row.easy_to_hard_dead_groups! < row.random_dead_groups!),
    measured: `dead groups: random ${listed(rows, 'random_dead_groups')}, easy to hard ${listed(rows, 'easy_to_hard_dead_groups')}; accuracy: random ${listed(rows, 'random_accuracy')}, easy to hard ${listed(rows, 'easy_to_hard_accuracy')}`,
  }),
}
