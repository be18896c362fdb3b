/**
 * RL for planning (arXiv 2509.22613): policy gradients explore, so they find paths for pairs that
 * supervised training on the same pairs does not; without a KL penalty they narrow to one path a pair;
 * the penalty keeps them open. A graph of 60 nodes, a quarter of its pairs for training, one layer.
 */
import type { Engine } from '../engine/engine.ts'
import { listed, meanOf } from './run.ts'
import { type Graph, randomGraph } from './toy/graph.ts'
import { reinforce, supervise } from './toy/loops.ts'
import { checkpointOf, toyEngine } from './toy/model.ts'
import { accuracy, type Dice, dice, type ToySample, toyRollouts } from './toy/train.ts'
import type { Experiment, ExperimentContext, Measurement } from './types.ts'

const NODES = 60
const EDGE = 0.1
const SFT_STEPS = 500
const STEPS = 600
const GROUP = 8
const PROMPTS = 32
const MAX_NEW = 16
const BETA = 0.05

interface World {
  graph: Graph
  train: [number, number][]
  test: [number, number][]
  /** Ten random walks of every training pair: all that supervised training sees, as in the paper. */
  walks: ToySample[]
  seed: number
  signal: AbortSignal
}

async function sft(engine: Engine, world: World, steps: number, part: string): Promise<void> {
  const { walks, seed, signal } = world
  const random = dice(`planning ${part} ${seed}`)
  const settings = { steps, learningRate: 2e-3, signal }
  await supervise(engine, random, () => walks[random.below(walks.length)]!, settings)
}

async function rl(engine: Engine, world: World, beta: number): Promise<void> {
  const { graph, train, seed, signal } = world
  await engine.resetOptimizer()
  await engine.updateSlot('ref', 1)
  const ask = (random: Dice): Int32Array => graph.prompt(train[random.below(train.length)]!)
  await reinforce(engine, dice(`planning rl ${seed}`), ask, graph.right, {
    ...{ seed, signal, beta, steps: STEPS, prompts: PROMPTS, group: GROUP, learningRate: 1e-3 },
    ...{ stop: graph.end, maxNewTokens: MAX_NEW, maxCompletionLength: 8 },
  })
}

/** Accuracy on held-out pairs, and different right paths of a training pair among 32 samples. */
async function measure(engine: Engine, world: World): Promise<{ held: number; distinct: number }> {
  const { graph, test, train, seed } = world
  const sampling = { maxNewTokens: MAX_NEW, stop: graph.end, seed, round: 1_000_000 }
  const held = await accuracy(engine, test.slice(0, 512).map(graph.prompt), graph.right, {
    ...sampling,
    temperature: 1,
  })
  const pairs = train.slice(0, 64).map(graph.prompt)
  const rollouts = await toyRollouts(engine, pairs, { ...sampling, group: 32, round: 2_000_000 })
  let distinct = 0
  for (let p = 0; p < pairs.length; p++) {
    const right = rollouts
      .slice(p * 32, (p + 1) * 32)
      .filter(({ prompt, completion }) => graph.right(prompt, completion))
    distinct += new Set(right.map(({ completion }) => completion.join(' '))).size
  }
  return { held, distinct: distinct / pairs.length }
}

async function run(seed: number, context: ExperimentContext): Promise<Measurement> {
  const graph = randomGraph(NODES, EDGE, seed)
  const cut = Math.floor(graph.pairs.length / 4)
  const [train, test] = [graph.pairs.slice(0, cut), graph.pairs.slice(cut)]
  const random = dice(`planning walks ${seed}`)
  const walks = train.flatMap(pair => Array.from({ length: 10 }, () => graph.walk(pair, random)))
  const world: World = { graph, train, test, walks, seed, signal: context.signal }
  await using engine = await toyEngine({
    vocab: graph.vocab,
    seed,
    threads: context.threads,
    layers: 1,
  })
  await sft(engine, world, SFT_STEPS, 'sft')
  const restore = await checkpointOf(engine)
  const values: Measurement = {}
  const arms: [string, () => Promise<void>][] = [
    ['sft', async () => {}],
    ['more_sft', () => sft(engine, world, STEPS, 'more')],
    ['pg', () => rl(engine, world, 0)],
    ['pg_kl', () => rl(engine, world, BETA)],
  ]
  for (const [name, train] of arms) {
    await restore()
    await train()
    const { held, distinct } = await measure(engine, world)
    values[`${name}_held_out`] = held
    values[`${name}_distinct`] = distinct
    context.progress(`${name}: held out ${held.toFixed(3)}, distinct ${distinct.toFixed(2)}`)
  }
  return values
}

const ARMS = ['sft', 'more_sft', 'pg', 'pg_kl'] as const

export const planningDiversity: Experiment = {
  name: 'planning-diversity',
  paper: 'RL for planning (arXiv 2509.22613)',
  claim:
    'policy gradients generalise where SFT does not, and narrow to one solution; KL keeps several',
  gate: 'means over the seeds: held-out accuracy of PG ≥ continued SFT + 0.04; distinct right paths of PG ≤ 0.75 × SFT, of PG with KL ≥ 0.9 × SFT',
  seconds: 120,
  run,
  verdict: rows => {
    const mean = (key: string): number => meanOf(rows, key)
    const sft = mean('sft_distinct')
    return {
      pass:
        mean('pg_held_out') >= mean('more_sft_held_out') + 0.04 &&
        mean('pg_distinct') <= 0.75 * sft &&
        mean('pg_kl_distinct') >= 0.9 * sft,
      measured: ARMS.map(
        arm =>
          `${arm.replace('_', ' ')}: held out ${listed(rows, `${arm}_held_out`)}, distinct ${listed(rows, `${arm}_distinct`)}`,
      ).join('; '),
    }
  },
}
