/**
 * What happens when a reward, the loss or the gradient of a step is not finite. The batch is saved, with the
 * weights that saw it, to nonfinite/<stage>-<step>/ (`kogrpo replay` shows where the first such value
 * arises); then the run stops, or the step is skipped: weights, moments and everything else stay as
 * they were, the next step draws the next data. Many skipped steps in a row stop the run in any case:
 * what makes them is not the data.
 */

import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { sumFile, writeFlushed } from '../durable/files.ts'
import { writeSums } from '../durable/sums.ts'
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import { type Metrics, note, type StageName } from '../report/events.ts'
import { shellWord } from '../shell-word.ts'
import {
  type NonFiniteSample,
  type ReplayBatch,
  type ReplayFile,
  replayText,
} from './replay-file.ts'
import type { Session } from './session.ts'
import { isPartOf, partOf } from './state-parts.ts'

/** Batches that are saved of a run at most: each comes with a copy of the weights. */
const MAX_SAVED = 3
/** Skipped steps in a row after which the run stops. */
export const MAX_SKIPPED = 10

type What = 'reward' | 'loss' | 'gradient'

interface NonFiniteOptions {
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
   * is not finite, or a reward is: then `stop` throws `E_DIVERGED` (`E_REWARD`), and `skip_step` leaves the step
   * out. Returns the metrics of the update; a norm that is not finite is null. Call on all ranks.
   */
  async update(
    step: number,
    loss: number | null | undefined,
    make: () => Promise<{ grad_norm: number; learning_rate: number }>,
    batches: () => ReplayBatch[],
    rewards: readonly NonFiniteSample[] = [],
  ): Promise<Metrics> {
    const made = await this.#made(loss ?? 0, rewards, make)
    if (!('what' in made)) {
      this.#skipped = 0
      return made
    }
    await this.#leaveOut({ stage: this.#stage, step, ...made }, batches(), rewards)
    return { grad_norm: null, 'nonfinite/skipped_steps': this.#skipped }
  }

  /** The step, or what of it is not finite. */
  async #made(
    loss: number,
    rewards: readonly NonFiniteSample[],
    make: () => Promise<{ grad_norm: number; learning_rate: number }>,
  ): Promise<{ grad_norm: number; learning_rate: number } | { what: What; value: string }> {
    const [first] = rewards
    if (first) return { what: 'reward', value: first.value }
    if (!Number.isFinite(loss)) return { what: 'loss', value: String(loss) }
    const made = await make()
    if (!Number.isFinite(made.grad_norm)) return { what: 'gradient', value: String(made.grad_norm) }
    return made
  }

  /** The engine must hold the weights of the step's beginning. */
  async #leaveOut(
    found: { stage: StageName; step: number; what: What; value: string },
    batches: ReplayBatch[],
    rewards: readonly NonFiniteSample[],
  ): Promise<void> {
    const { engine, reporter } = this.#session
    await engine.zeroGradients()
    const directory =
      this.#saved++ < MAX_SAVED ? await this.#save(found.step, found.what, batches, rewards) : null
    this.#skipped++
    const saved = directory === null ? phrase('none was saved') : shellWord(directory)
    const [reward] = rewards
    if (this.#policy === 'stop' && reward) {
      throw new KogrpoError(
        'E_REWARD',
        phrase(
          '{stage} step {step}: reward \'{reward}\' is {value} for sample {sample}; it must be a finite number, or null for "not applicable". The weights are those before the step; what it was given: npx kogrpo replay {saved}. Repair the reward, or let on_nonfinite: skip_step leave such steps out',
          { ...found, reward: reward.reward, sample: reward.sample, saved },
        ),
      )
    }
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
    const message = reward
      ? phrase(
          "{stage} step {step}: reward '{reward}' is {value} for sample {sample}: the step is skipped. The batch: {saved}",
          { ...found, reward: reward.reward, sample: reward.sample, saved },
        )
      : phrase(
          '{stage} step {step}: the {what} is not finite ({value}): the step is skipped. The batch: {saved}',
          { ...found, saved },
        )
    reporter.emit(note('warning', message))
  }

  async #save(
    step: number,
    what: What,
    batches: ReplayBatch[],
    rewards: readonly NonFiniteSample[],
  ): Promise<string> {
    const { engine, config, ranks } = this.#session
    const directory = join(config.output_dir, 'nonfinite', `${this.#stage}-${step}`)
    await ranks.once(`batch of step ${step}, its directory`, async () => {
      await mkdir(directory, { recursive: true })
      for (const old of await readdir(directory)) {
        if (isPartOf(old, 'engine.bin')) await rm(join(directory, old))
      }
    })
    await engine.saveState(join(directory, 'engine.bin'))
    const own = partOf('engine.bin', ranks)
    const sum = await sumFile(join(directory, own))
    const parts = await ranks.gather([own, sum] as const, `batch of step ${step}, its weights`)
    await ranks.once(`batch of step ${step}`, async () => {
      const file: ReplayFile = {
        ...{ version: 1, config, stage: this.#stage, step, what, batches },
        ...(rewards.length > 0 ? { rewards } : {}),
      }
      const text = Buffer.from(replayText(file))
      const path = join(directory, 'replay.json')
      await rm(path, { force: true })
      const replay = await writeFlushed(path, [text])
      await writeSums(directory, { ...Object.fromEntries(parts), 'replay.json': replay })
    })
    return directory
  }
}
