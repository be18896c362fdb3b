/**
 * Supervised training: the pretrain and sft stages are one loop with other data and another mask.
 *
 *   each step: draw samples to fill batch × accumulation × max_length tokens, pack them,
 *   L = −(1/N) Σ log p over the N trained tokens of the whole step, one fused pass a micro-batch
 *   (or the masked tokens of objective.ts).
 */

import type { TrainStage } from '../config/schema.ts'
import { thinkInstruction } from '../config/think-template.ts'
import type { Mixture } from '../data/mixture.ts'
import { concatenate, type MicroBatch, pack } from '../data/packing.ts'
import { type SftSample, toSftSample } from '../data/samples.ts'
import { type Geometry, geometryOf } from '../plan/geometry.ts'
import type { Metrics } from '../report/events.ts'
import { equalBins, heaviestFirst, microBatchWork, sequenceWork, sizesOf } from './balance.ts'
import { BestKeeper } from './best.ts'
import { isDue, saveStageModel, saveStepCheckpoint } from './checkpoint.ts'
import { loadMixture, loadSamples, type SampleMaker } from './load-samples.ts'
import { FiniteSteps } from './nonfinite.ts'
import {
  type Objective,
  objectiveCoefficients,
  objectiveLoss,
  objectiveOf,
  type Prepared,
} from './objective.ts'
import { optimizerStep } from './optimizer.ts'
import { scoreInTurn } from './ranks.ts'
import { beginStage } from './resume.ts'
import type { Boundary } from './run-state.ts'
import { passBoundary, saveBeside } from './save-state.ts'
import type { Session } from './session.ts'
import { Timer } from './timer.ts'
import { setTrainedPart } from './trained-part.ts'

interface Totals {
  loss: number
  entropy: number
  correct: number
  trained: number
  tokens: number
}

/** Runs the stage; returns the path of its checkpoint. */
export async function trainSupervised(
  session: Session,
  name: 'pretrain' | 'sft',
  stage: TrainStage,
): Promise<string> {
  const { engine, config, reporter, ranks, signal } = session
  const seed = stage.seed ?? config.seed
  const objective = objectiveOf(session, stage)
  const settings = {
    ...{ maxLength: stage.max_length, overlong: stage.overlong, use: `${name}.data` },
    instruction: thinkInstruction(stage.think_template),
  }
  const make = sampleMaker(stage)
  const { mixture, samples } = await loadMixture(session, stage.data, seed, make, settings)
  const held: SftSample[] = []
  for (const [i, source] of (stage.eval_data ?? []).entries()) {
    const use = `${name}.eval_data[${i}]`
    held.push(...(await loadSamples(session, source, make, { ...settings, use })))
  }

  const steps = stage.max_steps ?? stepsOf(stage, samples)
  reporter.emit({ type: 'stage_start', stage: name, max_steps: steps })
  // Among ranks micro-batches are such that all take equally long (balance.ts).
  const geometry = ranks.alone ? null : geometryOf(engine.config)
  const draw = drawer(mixture, stage, geometry)
  const best = new BestKeeper(session, name, stage)
  const begins = session.resumed?.stage !== name
  await setTrainedPart(session, name, stage)
  const begun = await beginStage(session, name, mixture)
  const { first } = begun
  let { seen } = begun
  const finite = new FiniteSteps(session, name, stage, begun.skipped)
  const boundary = (step: number): Boundary => ({
    stage: name,
    step,
    num_tokens: seen,
    mixture: mixture.state(),
    skipped: finite.skipped,
    best: session.best,
  })
  const evaluate = async (step: number): Promise<Metrics> => {
    const metrics = await evaluateLoss(session, objective, held, stage)
    await best.consider(step, metrics)
    return metrics
  }
  if (begins && best.due(0, steps)) {
    reporter.emit({ type: 'step', stage: name, step: 0, metrics: await evaluate(0) })
  }
  for (let step = first; step <= steps; step++) {
    session.boundary = boundary(step - 1)
    if (isDue(stage.save_steps, step - 1)) await saveBeside(session)
    await passBoundary(session, `${name} step ${step}`)
    const timer = new Timer()
    const drawn = draw().map((batch, i) =>
      objective.prepare(batch, `${seed} ${name} masks ${step} ${i}`),
    )
    const batches = geometry
      ? heaviestFirst(drawn, ({ batch }) => microBatchWork(geometry, batch))
      : drawn
    const trained = batches.reduce((n, batch) => n + batch.trained, 0)
    const parts = await timer.time('update_actor', () =>
      ranks.accumulate(batches, `${name} step ${step}`, async part => {
        const coef = objectiveCoefficients(part, trained)
        return measure(part, await engine.forwardBackward(part.batch, coef, { signal }), trained)
      }),
    )
    const totals = sum(parts)
    const update = await timer.time('optimizer', () =>
      finite.update(
        step,
        totals.loss,
        () => optimizerStep(session, stage, step, steps),
        () => batches.map(part => ({ ...part.batch, coef: objectiveCoefficients(part, trained) })),
      ),
    )
    // What fails before the next boundary must not save these weights as those of the last one.
    session.boundary = null
    seen += totals.tokens
    const metrics: Metrics = {
      ...tokenMetrics(totals),
      ...update,
      epoch: mixture.position / mixture.size,
      num_tokens: seen,
      ...timer.metrics(totals.tokens),
    }
    if (held.length > 0 && (best.due(step, steps) || step === steps)) {
      Object.assign(metrics, await evaluate(step))
    }
    reporter.emit({ type: 'step', stage: name, step, metrics })
    if (isDue(stage.save_steps, step) && step < steps) {
      await saveStepCheckpoint(session, name, step)
    }
  }
  await best.end()
  session.boundary = boundary(steps)
  const checkpoint = await saveStageModel(session, name)
  reporter.emit({ type: 'stage_end', stage: name, checkpoint })
  return checkpoint
}

function sampleMaker(stage: TrainStage): SampleMaker<SftSample> {
  if (stage.assistant_only_loss) return toSftSample
  return (record, options) => {
    const { sample, truncated } = toSftSample(record, options)
    if (!sample) return { sample, truncated }
    const mask = new Uint8Array(sample.ids.length).fill(1)
    mask[0] = 0
    return { sample: { ...sample, mask, trained: mask.length - 1 }, truncated }
  }
}

const microBatchTokens = (stage: TrainStage): number =>
  stage.per_device_train_batch_size * stage.max_length

function stepsOf(stage: TrainStage, samples: readonly SftSample[]): number {
  const accumulation = stage.gradient_accumulation_steps
  const perEpoch = stage.packing
    ? samples.reduce((n, { ids }) => n + ids.length, 0) / (microBatchTokens(stage) * accumulation)
    : samples.length / (stage.per_device_train_batch_size * accumulation)
  return Math.max(1, Math.ceil(stage.num_train_epochs * perEpoch))
}

/** Micro-batches of the next step. A sample that no longer fits opens the step after. */
function drawer(
  mixture: Mixture<SftSample>,
  stage: TrainStage,
  geometry: Geometry | null,
): () => MicroBatch[] {
  const capacity = microBatchTokens(stage)
  const accumulation = stage.gradient_accumulation_steps
  const size = stage.per_device_train_batch_size
  if (!stage.packing && geometry) {
    return () => {
      const samples = mixture.take(size * accumulation).map(draw => draw.item)
      const work = samples.map(({ ids }) => sequenceWork(geometry, ids.length))
      const bins = equalBins(work, sizesOf(samples.length, size))
      return bins.map(members => concatenate(samples, members))
    }
  }
  if (!stage.packing) {
    return () =>
      Array.from({ length: accumulation }, () => {
        const samples = mixture.take(size).map(draw => draw.item)
        return concatenate(samples, Array.from(samples.keys()))
      })
  }
  return () => {
    const samples: SftSample[] = []
    let left = capacity * accumulation
    for (;;) {
      const before = mixture.state()
      const sample = mixture.next().item
      if (sample.ids.length > left) {
        mixture.restore(before)
        return pack(samples, capacity)
      }
      left -= sample.ids.length
      samples.push(sample)
    }
  }
}

function count(mask: Uint8Array): number {
  return mask.reduce((sum, bit) => sum + bit, 0)
}

function measure(
  part: Prepared,
  values: { logprobs: Float32Array; entropies: Float32Array; correct: Uint8Array },
  trained: number,
): Totals {
  return {
    loss: objectiveLoss(part, values.logprobs, trained),
    entropy: values.entropies.reduce((sum, x) => sum + x, 0),
    correct: count(values.correct),
    trained: count(part.batch.mask),
    tokens: part.batch.tokens.length,
  }
}

function sum(parts: readonly Totals[]): Totals {
  const totals: Totals = { loss: 0, entropy: 0, correct: 0, trained: 0, tokens: 0 }
  for (const part of parts) {
    for (const key of Object.keys(totals) as (keyof Totals)[]) totals[key] += part[key]
  }
  return totals
}

function tokenMetrics(totals: Totals): Metrics {
  return {
    loss: totals.loss,
    entropy: totals.entropy / totals.trained,
    mean_token_accuracy: totals.correct / totals.trained,
  }
}

async function evaluateLoss(
  { engine, ranks }: Session,
  objective: Objective,
  held: readonly SftSample[],
  stage: TrainStage,
): Promise<Metrics> {
  // The same masks at every evaluation.
  const batches = pack(held, microBatchTokens(stage)).map((batch, i) =>
    objective.prepare(batch, `held-out masks ${i}`),
  )
  const trained = batches.reduce((n, batch) => n + batch.trained, 0)
  const parts = await ranks.score(batches, 'loss on held-out data', false, async (part, turn) => {
    const values = await scoreInTurn(engine, turn, part?.batch ?? null)
    return part && measure(part, values!, trained)
  })
  const metrics = Object.entries(tokenMetrics(sum(parts.filter(part => part !== null))))
  return Object.fromEntries(metrics.map(([key, value]) => [`eval_${key}`, value]))
}
