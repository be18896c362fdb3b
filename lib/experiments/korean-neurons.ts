/**
 * Do LLMs need inherent reasoning before RL? (arXiv 2601.05459): RL in Korean gives nothing to a model
 * whose reasoning does not answer to Korean; a little fine-tuning of the Korean neurons of early layers
 * on code-switched examples opens the way.
 *
 * The toy: digits in two scripts. English prompts are chains of sums, answered in English digits; a digit
 * of an English prompt may be written in Korean, so Korean digits are understood there. Korean prompts are
 * copied, never summed. Fine-tuning rows have a Korean prompt of mixed digits and the chain in English
 * digits. RL asks Korean prompts of Korean digits; right is the chain's last sum.
 */
import type { Engine } from '../engine/engine.ts'
import { parameterLayout } from '../model/parameters.ts'
import { scoreDocuments, selectNeurons } from '../neurons/score.ts'
import { listed } from './run.ts'
import { examine, reinforce, supervise } from './toy/loops.ts'
import { checkpointOf, toyEngine } from './toy/model.ts'
import { type Dice, dice, type ToySample } from './toy/train.ts'
import type { Experiment, ExperimentContext, Measurement } from './types.ts'

/** Ids: English digits 0–9, Korean digits 10–19, then the words. */
const KOREAN = 10
const [ASK_EN, ASK_KO, EQUALS, END] = [20, 21, 22, 23]
const TERMS = 4
const LAYERS = 4
const GROUP = 8
const RL_STEPS = 240

const digits = (random: Dice): number[] => Array.from({ length: TERMS }, () => random.below(10))

/** The running sums of digits in either script, in English digits. */
function sums(list: readonly number[]): number[] {
  const result: number[] = []
  let sum = list[0]! % 10
  for (const digit of list.slice(1)) {
    sum = (sum + (digit % 10)) % 10
    result.push(sum)
  }
  return result
}

const prompt = (ask: number, list: readonly number[]): Int32Array =>
  Int32Array.from([ask, ...list, EQUALS])

function english(random: Dice): ToySample {
  const list = digits(random).map(d => (random.uniform() < 0.3 ? d + KOREAN : d))
  return { prompt: prompt(ASK_EN, list), completion: Int32Array.from([...sums(list), END]) }
}

function copied(random: Dice): ToySample {
  const list = digits(random).map(d => d + KOREAN)
  return { prompt: prompt(ASK_KO, list), completion: Int32Array.from([...list.slice(1), END]) }
}

/** A Korean prompt of mixed digits, with the chain. */
function switched(random: Dice): ToySample {
  const list = digits(random).map(d => (random.uniform() < 0.7 ? d + KOREAN : d))
  return { prompt: prompt(ASK_KO, list), completion: Int32Array.from([...sums(list), END]) }
}

function right(asked: Int32Array, completion: Int32Array): boolean {
  return completion.at(-1) === END && completion.at(-2) === sums([...asked.slice(1, -1)]).at(-1)
}

const koreanPrompt = (random: Dice): Int32Array =>
  prompt(
    ASK_KO,
    digits(random).map(d => d + KOREAN),
  )

async function koreanAccuracy(engine: Engine, seed: number): Promise<number> {
  const settings = { maxNewTokens: TERMS, stop: END, seed, temperature: 0 }
  return await examine(engine, `neurons test ${seed}`, 512, koreanPrompt, right, settings)
}

/** RL on Korean prompts; the share of dead groups of its first ten steps. */
async function trainOnKorean(engine: Engine, seed: number, signal: AbortSignal): Promise<number> {
  let dead = 0
  await reinforce(engine, dice(`neurons rl ${seed}`), koreanPrompt, right, {
    ...{ seed, signal, steps: RL_STEPS, prompts: 16, group: GROUP, learningRate: 1e-3 },
    ...{ stop: END, maxNewTokens: TERMS, maxCompletionLength: TERMS },
    after(step, { deadGroups }) {
      if (step <= 10) dead += deadGroups / 10
    },
  })
  return dead
}

function documents(make: (random: Dice) => ToySample, key: string): Int32Array[] {
  const random = dice(key)
  return Array.from({ length: 24 }, () => {
    const text: number[] = []
    for (let i = 0; i < 8; i++) {
      const { prompt: asked, completion } = make(random)
      text.push(...asked, ...completion)
    }
    return Int32Array.from(text)
  })
}

async function run(
  seed: number,
  { threads, progress, signal }: ExperimentContext,
): Promise<Measurement> {
  await using engine = await toyEngine({ vocab: END + 1, seed, threads, layers: LAYERS })
  const { parameters } = parameterLayout(engine.config)
  const names = parameters.map(p => p.name)
  let place = 0
  const mixed = (random: Dice): ToySample => (place++ % 2 === 0 ? copied : english)(random)
  const random = dice(`neurons base ${seed}`)
  // The second, slower part makes the base as sure of copying as a model is of its language.
  for (const [steps, learningRate] of [
    [1000, 2e-3],
    [500, 4e-4],
  ] as const) {
    await supervise(engine, random, mixed, { steps, learningRate, batch: 48, signal })
  }
  await engine.resetOptimizer()
  const restore = await checkpointOf(engine)
  const values: Measurement = { base: await koreanAccuracy(engine, seed), changed: 0 }
  values.rl_dead = await trainOnKorean(engine, seed, signal)
  values.rl_only = await koreanAccuracy(engine, seed)
  progress(`RL only ${values.rl_only.toFixed(3)}, dead groups ${values.rl_dead.toFixed(3)}`)

  const restoreAll = async (): Promise<void> => {
    await engine.setTrainable({ names })
    await restore()
  }
  await restoreAll()
  const korean = await scoreDocuments(engine, documents(copied, `ko ${seed}`))
  const other = await scoreDocuments(engine, documents(english, `en ${seed}`))
  for (const [arm, layers] of [
    ['early', [0, 1]],
    ['late', [2, 3]],
  ] as const) {
    await restoreAll()
    const { mask } = selectNeurons(engine.config, korean, [other], {
      ...{ topAttention: 20, topFfn: 40, minShare: 0.5, layers },
    })
    const parts = Object.entries(mask.tensors).map(([name, part]) =>
      'rows' in part
        ? { name, rows: Int32Array.from(part.rows) }
        : { name, columns: Int32Array.from(part.columns) },
    )
    const before = await Promise.all(names.map(name => engine.readParameter(name)))
    await engine.setTrainable({ names: parts.map(({ name }) => name), parts })
    const rows = dice(`neurons sft ${seed}`)
    const examples = Array.from({ length: 300 }, () => switched(rows))
    const example = (): ToySample => examples[rows.below(examples.length)]!
    await supervise(engine, rows, example, { steps: 80, learningRate: 3e-3, signal })
    values[arm] = await koreanAccuracy(engine, seed)
    let moved = 0
    let all = 0
    for (const [i, { name, shape }] of parameters.entries()) {
      const part = mask.tensors[name]
      const width = shape.at(-1)!
      const allowed = new Set(part === undefined ? [] : 'rows' in part ? part.rows : part.columns)
      const now = await engine.readParameter(name)
      all += now.length
      for (const [k, x] of now.entries()) {
        if (Object.is(x, before[i]![k])) continue
        moved++
        const index = part !== undefined && 'rows' in part ? Math.floor(k / width) : k % width
        if (!allowed.has(index)) values.changed!++
      }
    }
    values[`${arm}_share`] = moved / all
    await engine.setTrainable({ names })
    await trainOnKorean(engine, seed, signal)
    values[`${arm}_rl`] = await koreanAccuracy(engine, seed)
    progress(
      `${arm} layers: ${((100 * moved) / all).toFixed(1)} % tuned, ${values[arm].toFixed(3)}, after RL ${values[`${arm}_rl`]!.toFixed(3)}`,
    )
  }
  return values
}

export const koreanNeurons: Experiment = {
  name: 'korean-neurons',
  paper: 'Korean self-correction (arXiv 2601.05459)',
  claim:
    'RL in Korean fails where reasoning does not answer to Korean; tuning Korean neurons of early layers first lets it work',
  gate: 'RL alone ≤ .02 with ≥ .99 of its groups dead; early-layer neurons ≥ .25 and ≥ late + .2 after fine-tuning, ≥ .95 after RL; every other weight bit-identical',
  seconds: 250,
  run,
  verdict: rows => ({
    pass: rows.every(
      r =>
        r.rl_only! <= 0.02 &&
        r.rl_dead! >= 0.99 &&
        r.early! >= 0.25 &&
        r.early! >= r.late! + 0.2 &&
        r.early_rl! >= 0.95 &&
        r.changed === 0,
    ),
    measured: `RL alone ${listed(rows, 'rl_only')}, dead groups ${listed(rows, 'rl_dead')}; early ${listed(rows, 'early')} (${(100 * rows[0]!.early_share!).toFixed(0)} % of the weights), after RL ${listed(rows, 'early_rl')}; late ${listed(rows, 'late')}, after RL ${listed(rows, 'late_rl')}`,
  }),
}
