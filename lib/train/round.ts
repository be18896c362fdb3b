/**
 * One round: the rollouts of one generation as micro-batches, with what every optimizer pass over them
 * shares. `prepareRound` computes it once: the reference's log-probs (a reference that moves during the
 * round serves from the next one, as in TRL) and, where the sampler is corrected for, the trainer's
 * log-probs of the policy that sampled.
 */
import { importanceMetrics, importanceWeights } from '../algorithms/importance-correction.ts'
import { NotFinite, type PolicyLossOptions } from '../algorithms/policy-loss.ts'
import type { GrpoStage } from '../config/schema.ts'
import { concatenate, type MicroBatch, type Packable } from '../data/packing.ts'
import type { ForwardOptions } from '../engine/engine.ts'
import { type Geometry, geometryOf } from '../plan/geometry.ts'
import type { Metrics } from '../report/events.ts'
import { type Rollout, trainingSequence } from '../rollout/rollout.ts'
import { equalBins, heaviestFirst, microBatchWork, sequenceWork, sizesOf } from './balance.ts'
import { scoreInTurn } from './ranks.ts'
import { REFERENCE_SLOT } from './reference.ts'
import type { ReplayBatch } from './replay-file.ts'
import type { Session } from './session.ts'

/** A micro-batch; arrays are one a token but for the advantages, one a completion unless tokens have
 *  their own. */
export interface RoundBatch {
  batch: MicroBatch
  advantages: Float32Array
  /** The sampler's log-probs. */
  sampled: Float32Array
  /** The trainer's log-probs of the policy that sampled; the sampler's own unless it is corrected for.
   *  These and the two below are there on the rank that trains on the micro-batch. */
  old: Float32Array
  reference: Float32Array | null
  /** Importance weights of the correction. */
  weights: Float32Array | null
  /** Which completions are refinements; null where none is. */
  refined: Uint8Array | null
}

export interface Round {
  batches: RoundBatch[]
  /** Of the whole optimizer step. */
  options: PolicyLossOptions
  metrics: Metrics
}

/** The round as it is saved where its step was not finite; every rank has what it trains on. */
export function replayBatches({ batches, options }: Round): ReplayBatch[] {
  return batches.map(({ batch, advantages, sampled, old, reference, weights, refined }) => ({
    tokens: batch.tokens,
    cuSeqlens: batch.cuSeqlens,
    mask: batch.mask,
    prefixes: batch.prefixes,
    advantages,
    sampled,
    old,
    reference: reference ?? undefined,
    weights: weights ?? undefined,
    refined: refined ?? undefined,
    options,
  }))
}

/** How the trainer reads log-probs: tempered as the sampler, over the ids of the tokenizer. */
export function forwardOptions({ tokenizer, signal }: Session, stage: GrpoStage): ForwardOptions {
  return { temperature: stage.temperature, vocabLimit: tokenizer.size, signal }
}

/** What the completions are worth. */
interface RolloutAdvantages {
  /** One a rollout. */
  advantages: Float32Array
  /** Added to them, one array a rollout and one number a token of its completion (dense_reward). */
  tokenAdvantages?: readonly Float32Array[] | null
}

/** Makes the round of rollouts that the present weights sampled. */
export async function prepareRound(
  session: Session,
  stage: GrpoStage,
  rollouts: readonly Rollout[],
  advantages: RolloutAdvantages,
  step = 0,
): Promise<Round> {
  const { engine, ranks } = session
  const forward = forwardOptions(session, stage)
  const geometry = ranks.alone ? null : geometryOf(engine.config)
  const { batches, options } = cut(stage, rollouts, advantages, geometry)
  const mode = stage.importance_sampling_correction
  const refined = batches.some(part => part.refined !== null)
  if (mode === 'none' && stage.beta === 0 && !refined)
    return { batches, options, metrics: importanceMetrics([]) }
  // Every rank prepares the micro-batches that it will train on.
  const reads = mode !== 'none' || refined
  const stats = await ranks.score(
    batches,
    `old and reference log-probs, step ${step}`,
    stage.beta !== 0,
    async (part, turn) => {
      const score = async (slot: string, wanted: boolean): Promise<Float32Array | null> => {
        const batch = part !== null && wanted ? part.batch : null
        return (await scoreInTurn(engine, turn, batch, { ...forward, slot }))?.logprobs ?? null
      }
      const old = reads ? await score('policy', mode !== 'none' || part?.refined != null) : null
      const reference = stage.beta !== 0 ? await score(REFERENCE_SLOT, true) : null
      if (part === null) return null
      const { batch, sampled } = part
      let measured: ReturnType<typeof importanceWeights>['stats'] | null = null
      if (mode !== 'none') {
        part.old = old!
        const corrected = weightsOrNaN({
          mode,
          clip_max: stage.importance_sampling_clip_max,
          clip_min: stage.importance_sampling_clip_min,
          logprobs: part.old,
          sampled,
          mask: batch.mask,
          cuSeqlens: batch.cuSeqlens,
        })
        part.weights = corrected.weights
        measured = corrected.stats ?? null
      }
      if (part.refined) {
        // A refinement was sampled from another prompt: here it is read under the plain question. The
        // other completions' log-probs are the sampler's own, to the bit.
        part.old = old!
        part.sampled = part.old
      }
      if (reference) part.reference = reference
      return measured
    },
  )
  const measured = stats.filter(part => part !== null)
  return { batches, options, metrics: importanceMetrics(measured) }
}

/** Weights that cannot be formed are NaN: the loss finds them, on all ranks at once (policy-update.ts). */
function weightsOrNaN(
  input: Parameters<typeof importanceWeights>[0],
): Partial<ReturnType<typeof importanceWeights>> & { weights: Float32Array } {
  try {
    return importanceWeights(input)
  } catch (error) {
    if (!(error instanceof NotFinite)) throw error
    return { weights: new Float32Array(input.mask.length).fill(Number.NaN) }
  }
}

/**
 * Rollouts as micro-batches of per_device_train_batch_size completions: in order, or, with a geometry, such
 * that ranks take equally long (balance.ts).
 */
function cut(
  stage: GrpoStage,
  rollouts: readonly Rollout[],
  { advantages, tokenAdvantages }: RolloutAdvantages,
  geometry: Geometry | null,
): Pick<Round, 'batches' | 'options'> {
  const sequences = rollouts.map(rollout => trainingSequence(rollout, stage))
  const batches: RoundBatch[] = []
  const all = [...rollouts.keys()]
  for (const members of geometry
    ? balanced(stage, rollouts, sequences, geometry)
    : inPieces(all, stage.per_device_train_batch_size)) {
    const batch = concatenate(sequences, members)
    const sampled = spread(batch, rollouts)
    batches.push({
      batch,
      advantages: tokenAdvantages
        ? spreadAdvantages(batch, advantages, tokenAdvantages)
        : Float32Array.from(members, i => advantages[i]!),
      sampled,
      old: sampled,
      reference: null,
      weights: null,
      refined: members.some(i => rollouts[i]!.refined)
        ? Uint8Array.from(members, i => Number(rollouts[i]!.refined === true))
        : null,
    })
  }
  return {
    batches: geometry
      ? heaviestFirst(batches, ({ batch }) => microBatchWork(geometry, batch))
      : batches,
    options: lossOptions(stage, sequences),
  }
}

function inPieces<T>(items: readonly T[], size: number): T[][] {
  return sizesOf(items.length, size).map((n, i) => items.slice(i * size, i * size + n))
}

/**
 * Members of micro-batches of about equal work. Where a prompt is computed once for its completions, those
 * of a group stay together: whole groups are divided among the micro-batches that hold several, and the
 * completions of a group among the micro-batches that it fills.
 */
function balanced(
  stage: GrpoStage,
  rollouts: readonly Rollout[],
  sequences: readonly Packable[],
  geometry: Geometry,
): number[][] {
  const { per_device_train_batch_size: size, num_generations: group, shared_prefix } = stage
  const all = [...rollouts.keys()]
  const work = sequences.map(({ ids }) => sequenceWork(geometry, ids.length))
  const divide = (units: number[][], count: number): number[][] => {
    const of = units.map(unit => unit.reduce((sum, i) => sum + work[i]!, 0))
    const bins = equalBins(of, sizesOf(units.length, count))
    return bins.map(bin => bin.flatMap(unit => units[unit]!))
  }
  if (!shared_prefix) {
    return divide(
      all.map(i => [i]),
      size,
    )
  }
  if (size % group === 0) return divide(inPieces(all, group), size / group)
  if (group % size === 0) {
    return inPieces(all, group).flatMap(members =>
      divide(
        members.map(i => [i]),
        size,
      ),
    )
  }
  return inPieces(all, size)
}

/** The sampler's log-probs at the places of a micro-batch's tokens. */
function spread(batch: MicroBatch, rollouts: readonly Rollout[]): Float32Array {
  const values = new Float32Array(batch.tokens.length)
  for (const [i, member] of batch.members.entries()) {
    const { prompt, logprobs } = rollouts[member]!
    values.set(logprobs, batch.cuSeqlens[i]! + prompt.promptIds.length)
  }
  return values
}

/** A completion's advantage plus that of each of its tokens; 0 on prompts. */
function spreadAdvantages(
  batch: MicroBatch,
  advantages: Float32Array,
  tokenAdvantages: readonly Float32Array[],
): Float32Array {
  const values = new Float32Array(batch.tokens.length)
  for (const [i, member] of batch.members.entries()) {
    const own = tokenAdvantages[member]!
    const from = batch.cuSeqlens[i + 1]! - own.length
    for (const [t, value] of own.entries()) values[from + t] = advantages[member]! + value
  }
  return values
}

function lossOptions(
  stage: GrpoStage,
  sequences: readonly { mask: Uint8Array }[],
): PolicyLossOptions {
  const count = (mask: Uint8Array): number => mask.reduce((sum, bit) => sum + bit, 0)
  return {
    loss_type: stage.loss_type,
    epsilon: stage.epsilon,
    epsilon_high: stage.epsilon_high,
    delta: stage.delta,
    beta: stage.beta,
    kl_estimator: stage.kl_estimator,
    kl_level: stage.kl_level,
    sapo_temperature_pos: stage.sapo_temperature_pos,
    sapo_temperature_neg: stage.sapo_temperature_neg,
    importance_sampling_level: stage.importance_sampling_level,
    max_completion_length: stage.max_completion_length,
    num_completions: sequences.length,
    num_tokens: sequences.reduce((sum, { mask }) => sum + count(mask), 0),
  }
}
