/**
 * Looks at a model through the eyes of a grpo stage without training it: k completions of each prompt,
 * sampled and rewarded as the stage would, the checker alone deciding. What rl-check, data difficulty
 * and eval diversity measure with.
 */

import type { GrpoStage, Recipe } from '../config/schema.ts'
import { concatenate } from '../data/packing.ts'
import type { GrpoSample } from '../data/samples.ts'
import { KogrpoError } from '../errors.ts'
import { describeReadiness, notReady, type Readiness, readiness } from '../eval/readiness.ts'
import { phrase } from '../messages/phrase.ts'
import { note } from '../report/events.ts'
import { ExpectedLengths } from '../rollout/expected-lengths.ts'
import { type Rollout, trainingSequence } from '../rollout/rollout.ts'
import { loadPrompts } from './load-samples.ts'
import { ACCURACY } from './oracle.ts'
import { Ratings } from './ratings.ts'
import { forwardOptions } from './round.ts'
import { columnNames, Scorer } from './scoring.ts'
import type { Session } from './session.ts'
import { sampleShared } from './shared-sampling.ts'

/** Prompts sampled at a time: bounds the text that is held for scoring. */
const CHUNK = 64

/** Seeds of a probe differ from those of the training that follows. */
const PROBE_SEED = 0x9e37_79b9

interface Probe {
  prompt: GrpoSample
  /** k completions. */
  rollouts: Rollout[]
  /** Of the accuracy reward, one a completion; null without that reward. */
  accuracy: (number | null)[] | null
  /** Whether all rewards are equal. */
  equal: boolean
}

/** The recipe with what a probe does not need taken out: the evaluation, the judge, the rewards of tokens. */
export function probeRecipe(recipe: Recipe): Recipe & { grpo: GrpoStage } {
  const { grpo } = recipe
  if (!grpo) {
    throw new KogrpoError(
      'E_CONFIG',
      phrase(
        'the recipe has no stage grpo, which says the prompts, the rewards and how to sample; add grpo',
      ),
    )
  }
  const oracle = { ...grpo.oracle, rule: 'none' as const, judge: undefined }
  return { ...recipe, eval: undefined, grpo: { ...grpo, oracle, dense_reward: undefined } }
}

/** The prompts of the stage, in the order of its sources; `limit` of them, spread evenly. */
export async function probePrompts(
  session: Session,
  stage: GrpoStage,
  limit: number,
): Promise<GrpoSample[]> {
  const { samples } = await loadPrompts(session, stage)
  return spreadEvenly(samples, limit)
}

/** `limit` items at equal distances, all where there are no more. */
export function spreadEvenly<T>(items: readonly T[], limit: number): T[] {
  if (items.length <= limit) return [...items]
  return Array.from({ length: limit }, (_, i) => items[Math.floor((i * items.length) / limit)]!)
}

/** Samples and rewards `k` completions of each prompt. `seed` sets apart several probes. */
export async function probe(
  session: Session,
  stage: GrpoStage,
  prompts: readonly GrpoSample[],
  k: number,
): Promise<Probe[]> {
  const asked = { ...stage, num_generations: k }
  const scorer = new Scorer(asked, null, session.ownRewards)
  const { ranks, reporter, signal } = session
  const seed = ((stage.seed ?? session.config.seed) + PROBE_SEED) >>> 0
  const probes: Probe[] = []
  const lengths = new ExpectedLengths()
  for (let first = 0; first < prompts.length; first += CHUNK) {
    const chunk = prompts.slice(first, first + CHUNK)
    const label = `probe ${first}`
    const ratings = new Ratings(scorer, columnNames(chunk), reporter, signal, 'throw')
    const wanted = { prompts: chunk, seed, streams: first * k, label, ratings, lengths }
    const rollouts = await sampleShared(session, asked, wanted)
    ratings.sampled()
    lengths.learn(rollouts)
    const rated = await ranks.collect(chunk.length, `${label}, rated`, await ratings.entries())
    const { names, values, zero_std } = scorer.settle(rollouts, rated, {
      judge_s: 0,
      step: 1,
    })
    const row = values[names.indexOf(ACCURACY)] ?? null
    chunk.forEach((prompt, p) => {
      const own = <T>(all: readonly T[]): T[] => all.slice(p * k, (p + 1) * k)
      const accuracy = row && own(row)
      probes.push({ prompt, rollouts: own(rollouts), accuracy, equal: zero_std[p]! })
    })
  }
  return probes
}

/** What the probes say about the readiness for reinforcement. */
export function probedReadiness(probes: readonly Probe[], k: number): Readiness {
  return readiness({
    num_generations: k,
    accuracy: probes[0]?.accuracy ? probes.flatMap(({ accuracy }) => accuracy ?? []) : null,
    zero_std: probes.map(({ equal }) => equal),
    completions: probes.flatMap(({ rollouts }) => rollouts.map(({ text }) => text)),
  })
}

/** Mean entropy over the tokens of each completion, under the distribution that is trained. */
export async function probeEntropies(
  session: Session,
  stage: GrpoStage,
  probes: readonly Probe[],
): Promise<number[]> {
  const means: number[] = []
  for (const { rollouts } of probes) {
    const sequences = rollouts.map(rollout =>
      trainingSequence(rollout, { ...stage, mask_truncated_completions: false }),
    )
    const batch = concatenate(sequences, Array.from(sequences.keys()))
    const { entropies } = await session.engine.score(batch, forwardOptions(session, stage))
    for (const [i, { tokens }] of rollouts.entries()) {
      const end = batch.cuSeqlens[i + 1]!
      const sum = entropies.slice(end - tokens.length, end).reduce((a, b) => a + b, 0)
      means.push(sum / Math.max(1, tokens.length))
    }
  }
  return means
}

/**
 * Before the first update of a grpo stage: says what a model that is not ready needs, or throws
 * `E_NOT_READY` where the recipe asks for that. `first` holds the figures of the first round, which are
 * looked at unless the recipe has prompts sampled for it alone.
 */
export async function checkReadiness(
  session: Session,
  stage: GrpoStage,
  samples: readonly GrpoSample[],
  first: Readiness,
): Promise<void> {
  const { action, prompts, max_dead_group_rate } = stage.readiness
  if (action === 'off') return
  let figures = first
  if (prompts !== undefined) {
    const k = stage.num_generations
    const probes = await probe(session, stage, spreadEvenly(samples, prompts), k)
    figures = probedReadiness(probes, k)
  }
  const problem = notReady(figures, max_dead_group_rate)
  if (problem === null) return
  const text = phrase('readiness for RL ({figures}): {problem}', {
    figures: describeReadiness(figures),
    problem,
  })
  if (action === 'stop') throw new KogrpoError('E_NOT_READY', text)
  session.reporter.emit(note('warning', text))
}
