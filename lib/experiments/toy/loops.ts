/**
 * The loops that experiments share: supervised steps on fresh samples, Dr. GRPO on fresh prompts, an exam
 * of sampled answers. What is drawn follows from the loop's key alone, so arms of an experiment see the
 * same prompts.
 */
import type { Engine } from '../../engine/engine.ts'
import { type ToyOptions, toyEngine } from './model.ts'
import {
  accuracy,
  type Dice,
  dice,
  type GrpoStepOptions,
  grpoStep,
  sftStep,
  type ToyRollout,
  type ToySample,
  toyRollouts,
} from './train.ts'

type Right = (prompt: Int32Array, completion: Int32Array) => boolean

interface SupervisedLoop {
  steps: number
  learningRate: number
  /** Samples of a step (default: 32). */
  batch?: number
  /** One step on samples (default: next tokens); what it draws comes after them. */
  step?(engine: Engine, samples: ToySample[], learningRate: number, random: Dice): Promise<unknown>
  signal: AbortSignal
}

/** AdamW steps on samples that `make` draws from `random`. */
export async function supervise(
  engine: Engine,
  random: Dice,
  make: (random: Dice) => ToySample,
  { steps, learningRate, batch = 32, step = sftStep, signal }: SupervisedLoop,
): Promise<void> {
  for (let i = 0; i < steps; i++) {
    signal.throwIfAborted()
    await step(
      engine,
      Array.from({ length: batch }, () => make(random)),
      learningRate,
      random,
    )
  }
}

/** A model that was taught on samples which the key determines, and begins anew from there. The caller disposes it. */
export async function toyBase(
  options: ToyOptions,
  key: string,
  make: (random: Dice) => ToySample,
  loop: SupervisedLoop,
): Promise<Engine> {
  const engine = await toyEngine(options)
  try {
    await supervise(engine, dice(key), make, loop)
    await engine.resetOptimizer()
    return engine
  } catch (error) {
    await engine.dispose()
    throw error
  }
}

type GrpoOutcome = Awaited<ReturnType<typeof grpoStep>> & { rewards: readonly number[] }

interface ReinforcedLoop extends GrpoStepOptions {
  seed: number
  steps: number
  /** Prompts of a step. */
  prompts: number
  stop: number
  maxNewTokens: number
  signal: AbortSignal
  /** The prompts of a step (default: `prompts` calls of `ask`). */
  draw?: () => Int32Array[]
  /** Rewards instead of 1 for right and 0 for wrong. */
  reward?(rollouts: readonly ToyRollout[], right: readonly number[]): Promise<readonly number[]>
  /** After step number `step`, from 1. */
  after?(step: number, outcome: GrpoOutcome): Promise<void> | void
}

/** On-policy steps: sample, rate, update. */
export async function reinforce(
  engine: Engine,
  random: Dice,
  ask: (random: Dice) => Int32Array,
  right: Right,
  loop: ReinforcedLoop,
): Promise<void> {
  const { group, seed, stop, maxNewTokens, signal } = loop
  for (let step = 1; step <= loop.steps; step++) {
    signal.throwIfAborted()
    const prompts = loop.draw?.() ?? Array.from({ length: loop.prompts }, () => ask(random))
    const settings = { group, maxNewTokens, stop, seed, round: step }
    const rollouts = await toyRollouts(engine, prompts, settings)
    const hits = rollouts.map(({ prompt, completion }) => Number(right(prompt, completion)))
    const rewards = (await loop.reward?.(rollouts, hits)) ?? hits
    const outcome = await grpoStep(engine, rollouts, rewards, loop)
    await loop.after?.(step, { ...outcome, rewards })
  }
}

/** Share of `count` prompts answered right by sampling (temperature 1 unless given). */
export async function examine(
  engine: Engine,
  key: string,
  count: number,
  ask: (random: Dice) => Int32Array,
  right: Right,
  settings: { maxNewTokens: number; stop: number; seed: number; temperature?: number },
): Promise<number> {
  const random = dice(key)
  const prompts = Array.from({ length: count }, () => ask(random))
  return await accuracy(engine, prompts, right, { temperature: 1, round: 1_000_000, ...settings })
}
