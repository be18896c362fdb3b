/** Sampling among ranks: each samples a share of the prompts, and begins to rate what is complete. */
import type { GrpoStage } from '../config/schema.ts'
import type { GrpoSample } from '../data/samples.ts'
import { type Rollout, sampleRollouts } from '../rollout/rollout.ts'
import type { Ratings } from './ratings.ts'
import type { Session } from './session.ts'

/**
 * Completions of the prompts, `num_generations` adjacent ones each: every rank samples and begins to rate
 * its share, and all get all.
 */
export async function sampleShared(
  { engine, tokenizer, reporter, ranks, signal }: Session,
  stage: GrpoStage,
  wanted: {
    prompts: readonly GrpoSample[]
    seed: number
    /** Stream of the first completion. */
    streams: number
    label: string
    ratings: Ratings
  },
): Promise<Rollout[]> {
  const { prompts, seed, streams, label, ratings } = wanted
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
      firstStream: streams,
      signal,
      onProgress: done => reporter.emit({ type: 'activity', activity: 'generation', done, total }),
      onGroup: (p, group) => ratings.begin(places[p]!, group),
    })
    // Every rank has the prompts.
    return own.map((_, p) =>
      rollouts.slice(p * size, (p + 1) * size).map(({ prompt: _prompt, ...rest }) => rest),
    )
  }
  const groups = await ranks.share(prompts, label, sample)
  return groups.flatMap((group, p) => group.map(rest => ({ ...rest, prompt: prompts[p]! })))
}
