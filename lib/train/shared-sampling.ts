/** Sampling among ranks: each takes groups as it has room, and begins to rate what is complete. */
import type { GrpoStage } from '../config/schema.ts'
import type { GrpoSample } from '../data/samples.ts'
import type { Together } from '../engine/engine.ts'
import type { ExpectedLengths } from '../rollout/expected-lengths.ts'
import { type Rollout, type SamplingOptions, sampleGroups } from '../rollout/rollout.ts'
import type { Ratings } from './ratings.ts'
import type { Session } from './session.ts'

/** How a stage samples. */
export function samplingOf(
  stage: GrpoStage,
): Pick<SamplingOptions, 'maxCompletionLength' | 'temperature' | 'topK' | 'topP' | 'minP'> {
  return {
    maxCompletionLength: stage.max_completion_length,
    temperature: stage.sampling_temperature ?? stage.temperature,
    topK: stage.top_k,
    topP: stage.top_p,
    minP: stage.min_p,
  }
}

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
    lengths: ExpectedLengths
  },
): Promise<Rollout[]> {
  const { prompts, seed, streams, label, ratings, lengths } = wanted
  reporter.emit({ type: 'activity', activity: 'generation' })
  const size = stage.num_generations
  const sample = async (
    all: GrpoSample[],
    places: number[],
    together?: Together,
  ): Promise<[number, Omit<Rollout, 'prompt'>[]][]> => {
    const total = Math.ceil((all.length * size) / ranks.size) * stage.max_completion_length
    const groups = await sampleGroups(engine, tokenizer, all, {
      numGenerations: size,
      ...samplingOf(stage),
      places,
      together,
      seed,
      firstStream: streams,
      signal,
      onProgress: done => reporter.emit({ type: 'activity', activity: 'generation', done, total }),
      onGroup: (p, group) => ratings.begin(places[p]!, group),
    })
    // Every rank has the prompts.
    return groups.map(([p, group]) => [p, group.map(({ prompt: _prompt, ...rest }) => rest)])
  }
  const dealt = { expected: (prompt: GrpoSample) => lengths.of(prompt), sequences: size }
  const groups = await ranks.deal(prompts, label, dealt, sample)
  return groups.flatMap((group, p) => group.map(rest => ({ ...rest, prompt: prompts[p]! })))
}
