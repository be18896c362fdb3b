/**
 * Time of a stage on the processor at hand. A few layers with random weights of the model's sizes train part of a
 * micro-batch, decode with all sequences and with a quarter of them, and take an update; the whole model's time
 * follows by operations (geometry.ts) and parameters. A decoding step is taken to cost a constant and a share for
 * each sequence: that sequences end at different lengths follows from the two. What several ranks exchange takes
 * its time by parameters (exchange.ts).
 */
import { performance } from 'node:perf_hooks'
import { randomStream } from '../data/random.ts'
import { type Batch, Engine, type GenerateRequest } from '../engine/engine.ts'
import type { ModelConfig } from '../model/config.ts'
import { type ExchangeTimes, exchangeTimes } from './exchange.ts'
import { forwardFlops, type Geometry, geometryOf, layerElements } from './geometry.ts'
import type { Shard } from './memory.ts'
import type { Load, PhaseTime } from './plan.ts'

/** How the engine of the run computes. */
interface ProcessorOptions {
  /** Of one rank; 0: one per core. */
  threads: number
  dtype: 'float32' | 'bfloat16'
  gradientCheckpointing: boolean
  /** Completions' prompt is computed once a group in training. */
  sharedPrefix: boolean
  ranks: number
  shard: Shard
}

/** What is being measured. */
export type Measured = 'sampling' | 'training' | 'exchange of gradients'

const LAYERS = 2
/** Operations of one measurement: about a second of two cores. */
const BUDGET = 1e11
const RUNS = 5
/** Sequences that the engine runs at once. */
const RUNNING = 256
/** Parameters up to which the exchange of a model is measured with all its layers. */
const WHOLE = 2 ** 26
/** Longest context that is measured. */
const CONTEXT = 512

/** What was measured, of the whole model: seconds of a decoding step and of each of its tokens, of an operation of
 *  reading prompts and of training; and of a parameter's exchange and update. */
interface ProcessorTimes extends ExchangeTimes {
  step: number
  token: number
  reading: number
  training: number
}

/** Seconds of the phases of a step, by the names of the plan. Several ranks throw ERR_RANKS where they cannot talk. */
export async function processorPhases(
  config: ModelConfig,
  load: Load,
  options: ProcessorOptions,
  onMeasure: (what: Measured) => void = () => {},
): Promise<PhaseTime[]> {
  const { threads, dtype, gradientCheckpointing, ranks, shard } = options
  const cut = { ...config, numLayers: Math.min(config.numLayers, LAYERS) }
  const { mean, sample, batch, rollout } = load
  const [whole, part] = [geometryOf(config), geometryOf(cut)]
  // All ranks at once: they share the memory's bandwidth.
  const withEngines = async <T>(
    config: ModelConfig,
    body: (engines: readonly Engine[]) => Promise<T>,
  ): Promise<T> => {
    const engines: Engine[] = []
    try {
      for (let rank = 0; rank < ranks; rank++) {
        const init = { seed: 0 }
        engines.push(await Engine.create({ config, threads, dtype, gradientCheckpointing, init }))
      }
      return await body(engines)
    } finally {
      await Promise.all(engines.map(engine => engine.dispose()))
    }
  }
  const alone = await withEngines(cut, async engines => {
    let decoded = { step: 0, token: 0, reading: 0 }
    if (rollout) {
      onMeasure('sampling')
      const { group, meanPrompt, meanCompletion, completions } = rollout
      const running = Math.min(Math.ceil(completions / ranks), RUNNING)
      const seen = Math.max(1, Math.min(Math.round(meanPrompt + meanCompletion / 2), CONTEXT))
      const { step, token, reading } = await decoding(engines, part, running, group, seen)
      const scale = tokenOps(whole, seen) / tokenOps(part, seen)
      decoded = { step: scale * step, token: scale * token, reading }
    }
    onMeasure('training')
    const trained = await training(engines, part, Math.round((batch * mean) / sample), sample)
    return { ...decoded, ...trained }
  })
  let exchanged: ExchangeTimes = { exchange: 0, update: alone.update }
  if (ranks > 1) {
    onMeasure('exchange of gradients')
    // Where there is little to send, meeting takes the time: a small model is measured whole.
    const sent = whole.parameters <= WHOLE ? config : cut
    exchanged = await withEngines(sent, engines =>
      exchangeTimes(engines, geometryOf(sent).parameters, shard),
    )
  }
  return phasesFrom(whole, load, { ...alone, ...exchanged }, options)
}

/** The phases that follow from what was measured. */
export function phasesFrom(
  g: Geometry,
  load: Load,
  times: ProcessorTimes,
  { sharedPrefix, ranks }: Pick<ProcessorOptions, 'sharedPrefix' | 'ranks'>,
): PhaseTime[] {
  const { rollout } = load
  const phases: PhaseTime[] = []
  if (rollout) {
    const { group, meanPrompt, meanCompletion: fresh } = rollout
    const completions = rollout.completions / ranks
    const tokens = completions * fresh
    // The last completion ends well behind the mean one.
    const last = Math.min(2 * fresh, rollout.completion)
    const steps = Math.max(last, tokens / Math.min(completions, RUNNING))
    const read = (completions / group) * meanPrompt * 2 * layerElements(g)
    phases.push({
      name: 'sampling',
      seconds: times.reading * read + times.step * steps + times.token * tokens,
    })
  }
  // Micro-batches are handed out whole: the time is that of the rank with most.
  const size = Math.min(load.batch, load.sequences)
  const turns = Math.ceil(load.sequences / size / ranks)
  const sequences = turns * size
  const shared = rollout && sharedPrefix ? 1 - 1 / rollout.group : 0
  const tokens = sequences * (load.mean - shared * (rollout?.meanPrompt ?? 0))
  const rows = sequences * load.mean * load.scored
  const passes = load.reference ? 4 / 3 : 1
  phases.push({
    name: 'training',
    seconds:
      times.training * passes * trainingOps(g, tokens, rows, load.sample) +
      times.exchange * turns * g.parameters,
  })
  phases.push({ name: 'optimizer', seconds: times.update * g.parameters })
  return phases
}

/** Of one decoded token that sees `context` keys. */
function tokenOps(g: Geometry, context: number): number {
  return 2 * g.multiplied + 4 * context * g.queries * g.layers
}

/** Forward and backward of `tokens`, of which `rows` have a log-prob, in samples of `length`. */
function trainingOps(g: Geometry, tokens: number, rows: number, length: number): number {
  const { products, attention } = forwardFlops(g, { sample: length, scored: rows / tokens })
  return (3 * products + 3.5 * attention) * tokens
}

async function seconds(
  engines: readonly Engine[],
  body: (engine: Engine) => Promise<unknown>,
): Promise<number> {
  const start = performance.now()
  await Promise.all(engines.map(body))
  return (performance.now() - start) / 1000
}

/** The middle of some runs behind a warm-up. */
async function median(body: () => Promise<number>): Promise<number> {
  await body()
  const all: number[] = []
  for (let run = 0; run < RUNS; run++) all.push(await body())
  return all.sort((a, b) => a - b)[RUNS >> 1]!
}

function ids(count: number, vocabulary: number, key: string): Int32Array {
  const next = randomStream(`plan ${key}`)
  return Int32Array.from({ length: count }, () => next() % vocabulary)
}

/** Seconds of an operation of training `samples` of `mean` tokens, and of a parameter's update. */
async function training(
  engines: readonly Engine[],
  g: Geometry,
  samples: number,
  mean: number,
): Promise<Pick<ProcessorTimes, 'training' | 'update'>> {
  const one = trainingOps(g, mean, mean, mean)
  const length = Math.max(2, Math.round(one > BUDGET ? (mean * BUDGET) / one : mean))
  const count = Math.max(1, Math.min(samples, Math.floor(BUDGET / one)))
  const data: Batch = {
    tokens: ids(count * length, g.vocabulary, 'batch'),
    cuSeqlens: Int32Array.from({ length: count + 1 }, (_, i) => i * length),
  }
  const coef = new Float32Array(count * length).fill(-1 / (count * length))
  for (let i = 0; i < count; i++) coef[i * length] = 0
  const updates: number[] = []
  const pass = await median(async () => {
    const taken = await seconds(engines, engine => engine.forwardBackward(data, coef))
    const update = { learningRate: 1e-6, maxGradNorm: 1 }
    updates.push(await seconds(engines, engine => engine.optimizerStep(update)))
    return taken
  })
  const operations = trainingOps(g, count * length, count * (length - 1), length)
  return {
    training: pass / operations,
    update: updates.sort((a, b) => a - b)[updates.length >> 1]! / g.parameters,
  }
}

/** Seconds of a decoding step, of each of its tokens, and of an operation of reading a prompt. */
async function decoding(
  engines: readonly Engine[],
  g: Geometry,
  running: number,
  group: number,
  context: number,
): Promise<Pick<ProcessorTimes, 'step' | 'token' | 'reading'>> {
  const affordable = Math.floor(BUDGET / (running * tokenOps(g, context)))
  const fresh = 1 + Math.max(2, Math.min(16, affordable))
  const sample = async (sequences: number, maxNewTokens: number): Promise<number> =>
    await median(() => {
      const requests = Array.from({ length: sequences }, (_, i): GenerateRequest => {
        const tokens = ids(context, g.vocabulary, `prompt ${Math.floor(i / group)}`)
        return { tokens, maxNewTokens, temperature: 1, seed: 0, stream: i }
      })
      return seconds(engines, engine => engine.generate(requests))
    })
  const step = async (sequences: number): Promise<{ reading: number; step: number }> => {
    const reading = await sample(sequences, 1)
    return { reading, step: ((await sample(sequences, fresh)) - reading) / (fresh - 1) }
  }
  const many = await step(running)
  const fewer = Math.ceil(running / 4)
  const few = fewer < running ? await step(fewer) : many
  const token = Math.max(0, fewer < running ? (many.step - few.step) / (running - fewer) : 0)
  const prompts = Math.ceil(running / group)
  return {
    token,
    step: Math.max(0, many.step - token * running),
    reading: many.reading / (prompts * context * 2 * layerElements(g)),
  }
}
