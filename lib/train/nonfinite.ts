/**
 * What happens when the loss or the gradient of a step is not finite. The batch is saved, with the
 * weights that saw it, to nonfinite/<stage>-<step>/ (`kogrpo replay` shows where the first such value
 * arises); then the run stops, or the step is skipped: weights, moments and everything else stay as
 * they were, the next step draws the next data. Many skipped steps in a row stop the run in any case:
 * what makes them is not the data.
 */

import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { sumFile, writeFlushed } from '../durable/files.ts'
import { writeSums } from '../durable/sums.ts'
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import type { Metrics, StageName } from '../report/events.ts'
import { note } from '../report/events.ts'
import { type ReplayBatch, type ReplayFile, replayText } from './replay-file.ts'
import type { Session } from './session.ts'

/** Batches that are saved of a run at most: each comes with a copy of the weights. */
const MAX_SAVED = 3
/** Skipped steps in a row after which the run stops. */
export const MAX_SKIPPED = 10

export interface NonFiniteOptions {
  on_nonfinite: 'stop' | 'skip_step'
}

/** Watches the steps of one stage. */
export class FiniteSteps {
  readonly #session: Session
  readonly #stage: StageName
  readonly #policy: NonFiniteOptions['on_nonfinite']
  #skipped: number
  #saved = 0

  /** `skipped`: steps in a row before the first, of a resumed run. */
  constructor(session: Session, stage: StageName, options: NonFiniteOptions, skipped: number) {
    this.#session = session
    this.#stage = stage
    this.#policy = options.on_nonfinite
    this.#skipped = skipped
  }

  /** Steps in a row that were skipped; part of a saved state. */
  get skipped(): number {
    return this.#skipped
  }

  /**
   * Makes the optimizer step `make` on gradients that have been accumulated for `loss`, unless either
   * is not finite: then `stop` throws `E_DIVERGED`, and `skip_step` leaves the step out. Returns the
   * metrics of the update; a norm that is not finite is null. Call on all ranks.
   */
  async update(
    step: number,
    loss: number | null | undefined,
    make: () => Promise<{ grad_norm: number; learning_rate: number }>,
    batches: () => ReplayBatch[],
  ): Promise<Metrics> {
    if (await this.#finite(step, 'loss', loss ?? 0, batches)) {
      const made = await make()
      if (await this.#finite(step, 'gradient', made.grad_norm, batches)) {
        this.#skipped = 0
        return made
      }
    }
    return { grad_norm: null, 'nonfinite/skipped_steps': this.#skipped }
  }

  /** The engine must hold the weights of the step's beginning. */
  async #finite(
    step: number,
    what: 'loss' | 'gradient',
    value: number,
    batches: () => ReplayBatch[],
  ): Promise<boolean> {
    if (Number.isFinite(value)) return true
    const { engine, reporter } = this.#session
    await engine.zeroGradients()
    const directory = this.#saved++ < MAX_SAVED ? await this.#save(step, what, batches()) : null
    this.#skipped++
    const found = { stage: this.#stage, step, what, value: String(value) }
    const saved = directory ?? 'none was saved'
    if (this.#policy === 'stop') {
      throw new KogrpoError(
        'E_DIVERGED',
        phrase(
          '{stage} step {step}: the {what} is not finite ({value}); the weights are those before the step. Where it arose: npx kogrpo replay {saved}. Lower learning_rate or max_grad_norm, or let on_nonfinite: skip_step leave such steps out',
          { ...found, saved },
        ),
      )
    }
    if (this.#skipped >= MAX_SKIPPED) {
      throw new KogrpoError(
        'E_DIVERGED',
        phrase(
          '{stage} step {step}: the {what} is not finite ({value}), {skipped} steps in a row: it is not the data. Go back to an earlier checkpoint, with a lower learning_rate',
          { ...found, skipped: this.#skipped },
        ),
      )
    }
    reporter.emit(
      note(
        'warning',
        phrase(
          '{stage} step {step}: the {what} is not finite ({value}): the step is skipped. The batch: {saved}',
          { ...found, saved },
        ),
      ),
    )
    return false
  }

  async #save(step: number, what: string, batches: ReplayBatch[]): Promise<string> {
    const { engine, config, ranks } = this.#session
    const directory = join(config.output_dir, 'nonfinite', `${this.#stage}-${step}`)
    await ranks.once(`batch of step ${step}, its directory`, async () => {
      await mkdir(directory, { recursive: true })
    })
    const weights = join(directory, 'engine.bin')
    await engine.saveState(weights)
    await ranks.once(`batch of step ${step}`, async () => {
      const file: ReplayFile = { version: 1, config, stage: this.#stage, step, what, batches }
      const text = Buffer.from(replayText(file))
      const path = join(directory, 'replay.json')
      await rm(path, { force: true })
      const replay = await writeFlushed(path, [text])
      await writeSums(directory, { 'engine.bin': await sumFile(weights), 'replay.json': replay })
    })
    return directory
  }
}
