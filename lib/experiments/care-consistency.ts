/**
 * GRPO-CARE (arXiv 2506.16141): outcome rewards alone leave reasoning and answer apart where a shortcut
 * pays; a bonus for answers that a slowly moving reference finds likely after their own reasoning brings them
 * together. The prompt leaks a hint that is right nine times in ten; the base's reasoning is right 15 %
 * of the time, and its answer follows reasoning or hint, half and half.
 */
import { answerConfidence, consistencyBonus } from '../algorithms/consistency.ts'
import type { Engine } from '../engine/engine.ts'
import { listed } from './run.ts'
import { reinforce, toyBase } from './toy/loops.ts'
import { checkpointOf } from './toy/model.ts'
import {
  type Dice,
  dice,
  type ToyRollout,
  type ToySample,
  toyBatch,
  toyRollouts,
} from './toy/train.ts'
import type { Experiment, ExperimentContext, Measurement } from './types.ts'

const [BOS, HINT, THINK, END] = [10, 11, 12, 13]
/** Reasoning is written in letters of its own, so that copying the hint is no reasoning. */
const LETTERS = 14
const VOCAB = 24
const GROUP = 8
const PROMPTS = 32
const STEPS = 200
const REASONING_RIGHT = 0.15
const HINT_RIGHT = 0.9
const OPTIONS = { coef: 0.5, margin: 0.01, max_confidence: 0.95 }

/** BOS a b HINT h THINK; what is right is a + b modulo ten. */
function question(random: Dice): Int32Array {
  const [a, b] = [random.below(10), random.below(10)]
  const hint = random.uniform() < HINT_RIGHT ? (a + b) % 10 : random.below(10)
  return Int32Array.of(BOS, a, b, HINT, hint, THINK)
}

const truth = (prompt: Int32Array): number => (prompt[1]! + prompt[2]!) % 10

/** How a digit is written in the reasoning. */
const letter = (digit: number): number => LETTERS + ((7 * digit + 3) % 10)

/** Reasoning token, answer token, END. */
function teacher(prompt: Int32Array, random: Dice): Int32Array {
  const reasoning = random.uniform() < REASONING_RIGHT ? truth(prompt) : random.below(10)
  return Int32Array.of(letter(reasoning), random.uniform() < 0.5 ? reasoning : prompt[4]!, END)
}

function taught(random: Dice): ToySample {
  const prompt = question(random)
  return { prompt, completion: teacher(prompt, random) }
}

const wellFormed = (completion: Int32Array): boolean =>
  completion.length === 3 && completion[2] === END
const isRight = (prompt: Int32Array, completion: Int32Array): boolean =>
  wellFormed(completion) && completion[1] === truth(prompt)

/** Log-probs of the answer tokens under the slot; none for a completion without an answer. */
async function confidences(
  engine: Engine,
  rollouts: readonly ToyRollout[],
  slot?: string,
): Promise<number[]> {
  const batch = toyBatch(rollouts)
  const { logprobs } = await engine.score(batch, slot === undefined ? {} : { slot })
  return rollouts.map((rollout, i) => {
    const at = batch.cuSeqlens[i]! + rollout.prompt.length + 1
    const span = wellFormed(rollout.completion) ? logprobs.slice(at, at + 1) : new Float32Array()
    return answerConfidence(span, OPTIONS.max_confidence)
  })
}

async function train(
  engine: Engine,
  seed: number,
  bonus: 'none' | 'policy' | 'ema',
  signal: AbortSignal,
): Promise<void> {
  await engine.updateSlot('ema', 1)
  await reinforce(engine, dice(`care rl ${seed}`), question, isRight, {
    ...{ seed, signal, steps: STEPS, prompts: PROMPTS, group: GROUP, learningRate: 1e-3 },
    ...{ stop: END, maxNewTokens: 3, maxCompletionLength: 3 },
    async reward(rollouts, accuracy) {
      if (bonus === 'none') return accuracy
      const sure = await confidences(engine, rollouts, bonus === 'ema' ? 'ema' : undefined)
      const extra = consistencyBonus(accuracy, sure, GROUP, OPTIONS)
      return accuracy.map((value, i) => value + extra[i]!)
    },
    async after(step) {
      if (step % 10 === 0) await engine.updateSlot('ema', 0.005)
    },
  })
}

/** Accuracy, and of the right answers the share that agrees with its reasoning. */
async function measure(engine: Engine, seed: number): Promise<{ right: number; agree: number }> {
  const random = dice(`care test ${seed}`)
  const prompts = Array.from({ length: 1024 }, () => question(random))
  const settings = { group: 1, maxNewTokens: 3, stop: END, seed, round: 1_000_000 }
  const rollouts = await toyRollouts(engine, prompts, settings)
  const right = rollouts.filter(({ prompt, completion }) => isRight(prompt, completion))
  const agree = right.filter(({ completion }) => completion[0] === letter(completion[1]!)).length
  return { right: right.length / rollouts.length, agree: agree / Math.max(1, right.length) }
}

async function run(
  seed: number,
  { threads, signal, progress }: ExperimentContext,
): Promise<Measurement> {
  await using engine = await toyBase({ vocab: VOCAB, seed, threads }, `care sft ${seed}`, taught, {
    ...{ steps: 300, batch: 64, learningRate: 2e-3, signal },
  })
  const restore = await checkpointOf(engine)
  const values: Measurement = {}
  const arms = [
    ['base', null],
    ['outcome', 'none'],
    ['policy', 'policy'],
    ['ema', 'ema'],
  ] as const
  for (const [name, bonus] of arms) {
    await restore()
    if (bonus) await train(engine, seed, bonus, signal)
    const { right, agree } = await measure(engine, seed)
    values[`${name}_accuracy`] = right
    values[`${name}_consistency`] = agree
    progress(`${name}: accuracy ${right.toFixed(3)}, consistency ${agree.toFixed(3)}`)
  }
  return values
}

export const careConsistency: Experiment = {
  name: 'care-consistency',
  paper: 'GRPO-CARE (arXiv 2506.16141)',
  claim:
    'a consistency bonus under a slow reference makes answers follow from their reasoning, at no cost in accuracy',
  gate: 'consistency with the EMA reference ≥ 0.9, outcome only ≤ 0.5, reference = policy ≤ 0.6; accuracy within 0.03 of outcome only',
  seconds: 25,
  run,
  verdict: rows => ({
    pass: rows.every(
      row =>
        row.ema_consistency! >= 0.9 &&
        row.outcome_consistency! <= 0.5 &&
        row.policy_consistency! <= 0.6 &&
        row.ema_accuracy! >= row.outcome_accuracy! - 0.03,
    ),
    measured: ['base', 'outcome', 'policy', 'ema']
      .map(
        arm =>
          `${arm}: consistency ${listed(rows, `${arm}_consistency`)}, accuracy ${listed(rows, `${arm}_accuracy`)}`,
      )
      .join('; '),
  }),
}
