/**
 * Oracle-guided Dr. GRPO (arXiv 2508.10355 on arXiv 2503.20783):
 *
 *   each step: sample G completions of each prompt with the present policy
 *              reward them; where the recipe says so the oracle overrules the checker
 *              A = r − mean of the group, without a standard deviation
 *              L = −Σ A · ratio / (completions of the step · max_completion_length), clipped
 *              one AdamW step
 */

import { NotFinite } from '../algorithms/policy-loss.ts'
import type { GrpoStage } from '../config/schema.ts'
import type { Metrics } from '../report/events.ts'
import { note } from '../report/events.ts'
import { ExpectedLengths } from '../rollout/expected-lengths.ts'
import { BestKeeper } from './best.ts'
import { isDue, saveStageModel, saveStepCheckpoint } from './checkpoint.ts'
import { arrangePrompts } from './curriculum.ts'
import { Guards } from './guards.ts'
import { loadPrompts } from './load-samples.ts'
import { watchNarrowing } from './narrowing.ts'
import { FiniteSteps } from './nonfinite.ts'
import { optimizerStep } from './optimizer.ts'
import { accumulatePolicyGradient, type PolicyUpdate } from './policy-update.ts'
import { checkReadiness } from './probe.ts'
import { beginReference, moveReference, resetOnPlateau } from './reference.ts'
import { beginStage } from './resume.ts'
import { prepareRound, type Round, replayBatches } from './round.ts'
import { type ReadyRound, RoundQueue } from './round-queue.ts'
import type { Boundary } from './run-state.ts'
import { passBoundary, saveBeside } from './save-state.ts'
import { Scorer } from './scoring.ts'
import type { Session } from './session.ts'
import { Timer } from './timer.ts'
import { setTrainedPart } from './trained-part.ts'
import { checkWeights } from './weights-check.ts'

/** The held-out problems, for evaluations between steps. */
export interface HeldOut {
  /** Metrics of the weights that the stage begins with, which have been evaluated. */
  before(): Metrics
  /** Evaluates the present weights; `signal` stops it. */
  now(signal: AbortSignal): Promise<Metrics>
}

/** Runs the stage; returns the path of its checkpoint. */
export async function trainGrpo(
  session: Session,
  stage: GrpoStage,
  heldOut: HeldOut,
): Promise<string> {
  const { config, reporter, signal } = session
  const seed = stage.seed ?? config.seed
  const prompts =
    (stage.per_device_train_batch_size * stage.gradient_accumulation_steps) / stage.num_generations
  const { mixture, samples } = await loadPrompts(session, stage, (items, source) =>
    arrangePrompts(session, stage, items, source),
  )
  const source = {
    mixture,
    scorer: new Scorer(stage, session.oracle, session.ownRewards),
    seed,
    prompts,
    lengths: new ExpectedLengths(),
  }
  const epochs = Math.ceil((stage.num_train_epochs * samples.length) / prompts)
  const steps = stage.max_steps ?? Math.max(1, epochs) * stage.num_iterations
  reporter.emit({ type: 'stage_start', stage: 'grpo', max_steps: steps })
  if (session.oracle) {
    reporter.emit(note('info', session.oracle.describe()))
  }

  const queue = new RoundQueue(session, stage, source, Math.ceil(steps / stage.num_iterations))
  const guards = new Guards(session, stage)
  const best = new BestKeeper(session, 'grpo', stage)
  const begins = session.resumed?.stage !== 'grpo'
  const pending = begins ? undefined : session.resumed?.pending
  let plateau = begins ? undefined : session.resumed?.plateau
  let narrowing = begins ? undefined : session.resumed?.narrowing
  await setTrainedPart(session, 'grpo', stage)
  const begun = await beginStage(session, 'grpo', mixture)
  const { first } = begun
  let { seen } = begun
  const finite = new FiniteSteps(session, 'grpo', stage, begun.skipped)
  await beginReference(session, stage, first)
  await guards.begin(first - 1)
  const roundOf = (step: number): number => Math.floor((step - 1) / stage.num_iterations)
  if (pending) await queue.restore(roundOf(first), pending, new Timer())
  const boundary = (step: number): Boundary => ({
    stage: 'grpo',
    step,
    num_tokens: seen,
    mixture: mixture.state(),
    skipped: finite.skipped,
    best: session.best,
    guards: session.guards ?? undefined,
    plateau,
    narrowing,
    oracle: queue.oracle(),
    pending: queue.state(),
  })

  const endsRound = (step: number): boolean => step % stage.num_iterations === 0 || step === steps
  const evaluate = async (step: number): Promise<Metrics> => {
    // Within a round nothing can be taken up: what is stopped there could not be made up for.
    const stops = endsRound(step) ? signal : new AbortController().signal
    const metrics = await unlessAborted(stops, heldOut.now(stops))
    if (metrics) {
      await best.consider(step, metrics)
      plateau = await resetOnPlateau(session, stage, step, metrics, plateau)
    } else best.miss(step)
    return metrics ?? {}
  }
  if (begins && best.due(0, steps)) {
    const metrics = heldOut.before()
    reporter.emit({ type: 'step', stage: 'grpo', step: 0, metrics })
    await best.consider(0, metrics)
  }
  if (best.missed === first - 1) await evaluate(first - 1)

  let ready: ReadyRound | null = null
  let round: Round | null = null
  for (let step = first; step <= steps; step++) {
    const timer = new Timer()
    const fresh = (step - 1) % stage.num_iterations === 0
    let generated = 0
    if (fresh || !ready || !round) {
      // Between two rounds the run can be stopped: no update is under way.
      session.boundary = boundary(step - 1)
      const { num_iterations: passes, save_steps, check_weights_steps } = stage
      if (isDue(save_steps, step - 1, step - 1 - passes)) await saveBeside(session)
      await passBoundary(session, `grpo step ${step}`)
      ;({ ready, generated } = await queue.next(roundOf(step), step - 1, timer))
      if (isDue(check_weights_steps, step, step - passes)) await checkWeights(session, step)
      const { rollouts, advantages, tokenAdvantages, rows } = ready
      reporter.emit({ type: 'completions', rows })
      if (step === 1) await checkReadiness(session, stage, samples, ready.readiness)
      narrowing = watchNarrowing(narrowing, stage, step, ready.readiness, reporter)
      round = await timer.time('update_actor', () =>
        prepareRound(session, stage, rollouts, { advantages, tokenAdvantages }, step),
      )
    }
    reporter.emit({ type: 'activity', activity: 'update' })
    const pass = round
    const staleness = step - 1 - ready.sampledAt
    const { nonfinite } = ready
    // Nothing is computed of a round whose rewards are not finite: `finite` says what becomes of it.
    const update: PolicyUpdate =
      nonfinite.length > 0
        ? { metrics: {}, trained: false, tokens: 0 }
        : await timer.time('update_actor', () =>
            accumulatePolicyGradient(
              fresh ? session : uninterrupted(session),
              stage,
              pass,
              staleness === 0,
              step,
            ).catch(notFinite),
          )
    const optimizer = await timer.time('optimizer', () =>
      finite.update(
        step,
        update.metrics.loss,
        () => optimizerStep(session, guards.adjust(stage), step, steps, update.trained),
        () => replayBatches(pass),
        nonfinite,
      ),
    )
    // What fails before the next boundary must not save these weights as those of the last one.
    session.boundary = null
    await moveReference(session, stage, step)
    seen += update.tokens
    const measured = { ...update.metrics, ...ready.metrics, ...optimizer }
    reporter.emit({
      type: 'step',
      stage: 'grpo',
      step,
      metrics: {
        ...measured,
        ...(stage.rollout_mode === 'one_step_off' ? { 'sampling/staleness': staleness } : {}),
        ...(endsRound(step) ? guards.observe(step, measured) : {}),
        epoch: ready.position / mixture.size,
        num_tokens: seen,
        ...(best.due(step, steps) ? await evaluate(step) : {}),
        ...timer.metrics(update.tokens + generated),
      },
    })
    const { stop, restored } = await guards.act(step)
    if (stop) break
    if (restored) queue.drop()
    if (isDue(stage.save_steps, step) && step < steps) {
      await saveStepCheckpoint(session, 'grpo', step)
    }
  }
  queue.drop()
  // A stop may have cost the last evaluation, which decides with what weights the stage ends.
  session.boundary = boundary(steps)
  await passBoundary(session, 'the end of grpo')
  await best.end()
  session.boundary = boundary(steps)
  const checkpoint = await saveStageModel(session, 'rl')
  reporter.emit({ type: 'stage_end', stage: 'grpo', checkpoint })
  return checkpoint
}

/** A loss that cannot be formed is one that is not finite. */
function notFinite(error: unknown): PolicyUpdate {
  if (!(error instanceof NotFinite)) throw error
  return { metrics: { loss: Number.NaN }, trained: true, tokens: 0 }
}

/** Later passes over the same rollouts run to their end: their round is one whole. */
function uninterrupted(session: Session): Session {
  return { ...session, signal: new AbortController().signal }
}

/** The step is made when it is evaluated; an evaluation that is stopped is left out of it (null). */
async function unlessAborted(
  signal: AbortSignal,
  metrics: Promise<Metrics>,
): Promise<Metrics | null> {
  return await metrics.catch(error => {
    if (signal.aborted) return null
    throw error
  })
}
