/**
 * The best model of a stage. Of the evaluations between its steps, step 0 among them (the model that the
 * stage began with), the one with the best `metric_for_best_model` is kept as a checkpoint,
 * checkpoints/<stage>-best; with `load_best_model_at_end` the stage ends with its weights. The keys are
 * transformers' (TrainingArguments). What is known of it is plain JSON and part of a saved state, so that a
 * resumed run keeps and ends with what the uninterrupted one would have.
 */

import { join } from 'node:path'
import { phrase } from '../messages/phrase.ts'
import { openModelDirectory } from '../model/directory.ts'
import type { Metrics, StageName } from '../report/events.ts'
import { note } from '../report/events.ts'
import { saveCheckpoint, settled } from './checkpoint.ts'
import type { BestState } from './run-state.ts'
import type { Session } from './session.ts'

interface BestOptions {
  eval_steps: number
  metric_for_best_model?: string | undefined
  greater_is_better?: boolean | undefined
  load_best_model_at_end: boolean
  /** grpo: looks at every evaluation too. */
  ref_reset_plateau?: unknown
}

const DEFAULT_METRIC: Record<StageName, string> = {
  pretrain: 'eval_loss',
  sft: 'eval_loss',
  grpo: 'eval_accuracy',
}

/** Whether more of a metric is better: not of losses, entropies and lengths. */
function moreIsBetter(metric: string): boolean {
  return !/(loss|entropy|length)$/.test(metric)
}

/** Where the best checkpoint of a stage lies in a run directory. */
const bestCheckpoint = (stage: StageName): string => `checkpoints/${stage}-best`

/** Keeps the best model of one stage; does nothing where the recipe does not ask for it. */
export class BestKeeper {
  readonly #session: Session
  readonly #name: StageName
  readonly #options: BestOptions
  readonly #metric: string | null
  readonly #greater: boolean

  constructor(session: Session, name: StageName, options: BestOptions) {
    const { metric_for_best_model, greater_is_better, load_best_model_at_end } = options
    this.#session = session
    this.#name = name
    this.#options = options
    this.#metric = metric_for_best_model ?? (load_best_model_at_end ? DEFAULT_METRIC[name] : null)
    this.#greater = greater_is_better ?? (this.#metric !== null && moreIsBetter(this.#metric))
  }

  /** Whether an evaluation is due after `step` of `steps`; the last one competes as well. */
  due(step: number, steps: number): boolean {
    const { eval_steps } = this.#options
    return eval_steps > 0 && (step % eval_steps === 0 || (this.#metric !== null && step === steps))
  }

  /** The step whose evaluation was stopped before the run was taken up. */
  get missed(): number | undefined {
    return this.#state.missed
  }

  /** The evaluation of `step` was stopped; it is to be made up for where something depends on it. */
  miss(step: number): void {
    if (this.#metric !== null || this.#options.ref_reset_plateau !== undefined)
      this.#state = { ...this.#state, missed: step }
  }

  /** Takes in the evaluation of the present weights; better ones than all before are kept. */
  async consider(step: number, metrics: Metrics): Promise<void> {
    const { missed: _, ...state } = this.#state
    this.#state = state
    const value = this.#metric === null ? undefined : metrics[this.#metric]
    if (typeof value !== 'number' || !Number.isFinite(value)) return
    const { kept } = state
    if (kept && (this.#greater ? value <= kept.value : value >= kept.value)) return
    const checkpoint = bestCheckpoint(this.#name)
    await saveCheckpoint(this.#session, checkpoint)
    this.#state = { kept: { step, metric: this.#metric!, value, checkpoint } }
  }

  /** At the end of the stage: makes the kept weights the engine's, where that is asked for. */
  async end(): Promise<void> {
    const { kept, loaded } = this.#state
    if (!kept || loaded) return
    const { engine, config, reporter } = this.#session
    const directory = join(config.output_dir, kept.checkpoint)
    const best = {
      stage: this.#name,
      metric: kept.metric,
      value: kept.value.toFixed(4),
      step: kept.step,
      directory,
    }
    let text = phrase(
      'the best model of {stage}: {metric} {value} at step {step}, in {directory}',
      best,
    )
    if (this.#options.load_best_model_at_end) {
      await settled(this.#session)
      await engine.loadWeights(await openModelDirectory(directory))
      this.#state = { ...this.#state, loaded: true }
      text = phrase(
        'the best model of {stage}: {metric} {value} at step {step}, in {directory}; the stage ends with it',
        best,
      )
    }
    reporter.emit(note('info', text))
  }

  get #state(): BestState {
    return this.#session.best[this.#name] ?? {}
  }

  set #state(state: BestState) {
    this.#session.best = { ...this.#session.best, [this.#name]: state }
  }
}
