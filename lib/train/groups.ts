/**
 * The groups of one round: prompts are drawn, completed and scored. With dynamic sampling (DAPO,
 * arXiv 2503.14476, sec. 3.2) only groups that can teach something stay, those whose rewards differ:
 *
 *   mask       the others are left out of the loss and of its denominators
 *   resample   and replaced by groups of further prompts, in at most max_rounds further generations;
 *              what is still missing then is left out
 *
 * Prompts, random streams and verdicts follow from the position in the data and the number of the
 * round alone, so a resumed run makes the same groups.
 */
import { equalGroups } from '../algorithms/group-statistics.ts'
import type { GrpoStage } from '../config/schema.ts'
import type { Mixture } from '../data/mixture.ts'
import type { GrpoSample } from '../data/samples.ts'
import type { Metrics } from '../report/events.ts'
import type { RewardValues } from '../rewards/types.ts'
import { type Rollout, sampleRollouts } from '../rollout/rollout.ts'
import { completionMetrics, completionRows } from './completion-metrics.ts'
import type { Scorer, Scores } from './scoring.ts'
import type { Session } from './session.ts'
import type { Timer } from './timer.ts'

/** What is trained on in a round. */
export interface Groups {
  rollouts: Rollout[]
  /** One a rollout. */
  advantages: Float32Array
  /** Tokens generated, those of groups that were left out included. */
  generated: number
  /** Of everything that was sampled; rewards and verdicts are those of the first generation, the
   *  judge's costs those of all. */
  metrics: Metrics
}

export interface GroupSource {
  mixture: Mixture<GrpoSample>
  scorer: Scorer
  seed: number
  /** Groups of a round. */
  prompts: number
}

/** Samples the groups of round `round` (from 0), which begins with optimizer step `step`. */
export async function sampleGroups(
  session: Session,
  stage: GrpoStage,
  { mixture, scorer, seed, prompts }: GroupSource,
  round: number,
  step: number,
  timer: Timer,
): Promise<Groups> {
  const { mode, max_rounds } = stage.dynamic_sampling
  const size = stage.num_generations
  const generations = mode === 'resample' ? 1 + max_rounds : 1
  const streams = round * generations * prompts * size
  const all: Rollout[] = []
  const rollouts: Rollout[] = []
  const values: RewardValues[] = []
  const dead: boolean[] = []
  let first: Scores | null = null
  let rounds = 0
  while (rounds < generations && rollouts.length < prompts * size) {
    const drawn = mixture.take(prompts - rollouts.length / size).map(draw => draw.item)
    const sampled = await timer.time('gen', () =>
      complete(session, stage, drawn, seed, streams + all.length, step),
    )
    const scores = await timer.time('reward', () => scorer.score(sampled, session.signal))
    const tokenizer = session.config.logging.token_logprobs ? session.tokenizer : null
    const rows = completionRows(step, sampled, scores, tokenizer)
    session.reporter.emit({ type: 'completions', rows })
    const equal = deadGroups(stage, scores)
    if (first) addCosts(first.metrics, scores.metrics)
    first ??= scores
    rounds++
    all.push(...sampled)
    dead.push(...equal)
    const stays = (i: number): boolean => mode === 'off' || !equal[Math.floor(i / size)]
    rollouts.push(...sampled.filter((_, i) => stays(i)))
    scores.values.forEach((row, k) => {
      values[k] = [...(values[k] ?? []), ...row.filter((_, i) => stays(i))]
    })
  }
  const scored = first!.metrics
  const groups = rollouts.length / size
  let advantages = first!.advantages
  if (mode !== 'off') {
    advantages = groups === 0 ? new Float32Array() : scorer.advantages(values).advantages
  }
  return {
    rollouts,
    advantages,
    generated: all.reduce((sum, { tokens }) => sum + tokens.length, 0),
    metrics: {
      ...scored,
      ...completionMetrics(all),
      ...(mode === 'off'
        ? {}
        : {
            frac_reward_zero_std: dead.filter(Boolean).length / dead.length,
            'dynamic_sampling/rounds': rounds,
            'dynamic_sampling/kept_groups': groups,
            'dynamic_sampling/rollouts_per_kept_group': groups === 0 ? null : all.length / groups,
          }),
    },
  }
}

/** What judging costs is the sum over the generations of a round. */
const COSTS = ['requests', 'cache_hits', 'prompt_tokens', 'completion_tokens'].map(
  name => `judge/${name}`,
)

function addCosts(metrics: Metrics, further: Metrics): void {
  for (const key of [...COSTS, 'timing_s/judge']) {
    const value = further[key]
    if (typeof value === 'number') metrics[key] = (metrics[key] ?? 0) + value
  }
}

/** Of every group, whether the reward that dynamic sampling looks at is equal in it. */
function deadGroups(stage: GrpoStage, scores: Scores): boolean[] {
  const { metric } = stage.dynamic_sampling
  if (metric === 'reward') return scores.zero_std
  return equalGroups(scores.values[scores.names.indexOf(metric)]!, stage.num_generations)
}

/** Completions of the prompts, `num_generations` adjacent ones each. */
async function complete(
  { engine, tokenizer, reporter, ranks, signal }: Session,
  stage: GrpoStage,
  prompts: readonly GrpoSample[],
  seed: number,
  firstStream: number,
  step: number,
): Promise<Rollout[]> {
  reporter.emit({ type: 'activity', activity: 'generation' })
  const size = stage.num_generations
  const sample = async (
    own: GrpoSample[],
    places: number[],
  ): Promise<Omit<Rollout, 'prompt'>[][]> => {
    const total = own.length * size * stage.max_completion_length
    const rollouts = await sampleRollouts(engine, tokenizer, own, {
      numGenerations: size,
      maxCompletionLength: stage.max_completion_length,
      temperature: stage.sampling_temperature ?? stage.temperature,
      topK: stage.top_k,
      topP: stage.top_p,
      minP: stage.min_p,
      places,
      seed,
      firstStream,
      signal,
      onProgress: done => reporter.emit({ type: 'activity', activity: 'generation', done, total }),
    })
    // Every rank has the prompts.
    return own.map((_, p) =>
      rollouts.slice(p * size, (p + 1) * size).map(({ prompt: _prompt, ...rest }) => rest),
    )
  }
  const groups = await ranks.share(prompts, `generation, step ${step}`, sample)
  return groups.flatMap((group, p) => group.map(rest => ({ ...rest, prompt: prompts[p]! })))
}
