/**
 * Guards: every round of a grpo stage is watched for the signs of a collapse (guards/values.ts),
 * judged by a pure core (guards/decide.ts), and what the recipe asks for is done here: warn, end the
 * stage, or go back to the last good state with a lower learning rate. Step numbers, the position in
 * the data and the streams of random numbers go on after a rollback, so the same samples that led
 * astray are not drawn again.
 *
 * A good state is checkpoints/good-<step>.bin (of several ranks: in parts, state-parts.ts): weights in fp32 and AdamW's moments. The
 * file that a saved state of the run refers to is kept with the newest, so that a run that was
 * killed can be taken up from that state.
 */

import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { GuardSpec } from '../config/schema/guards.ts'
import type { GrpoStage } from '../config/schema.ts'
import { flush, sumFile } from '../durable/files.ts'
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import type { Metrics } from '../report/events.ts'
import { note } from '../report/events.ts'
import { settled } from './checkpoint.ts'
import { listStates } from './find-state.ts'
import {
  FRESH_GUARDS,
  type GuardState,
  type Observation,
  observe,
  watchOptions,
} from './guards/decide.ts'
import { FRESH_WATCH, severity } from './guards/watch.ts'
import type { Session } from './session.ts'
import { isPartOf, partOf, partsOf } from './state-parts.ts'

/** The guards of one grpo stage. */
export class Guards {
  readonly #session: Session
  readonly #spec: GuardSpec
  /** Decided on the last round and not yet done. */
  #decided: Observation | null = null

  /** Call before `beginStage`; takes up the guards' state of a resumed stage. */
  constructor(session: Session, stage: GrpoStage) {
    this.#session = session
    this.#spec = stage.guards
    const resumed = session.resumed?.stage === 'grpo' ? session.resumed.guards : undefined
    session.guards = resumed ?? FRESH_GUARDS
  }

  /** Call when the engine holds the weights of the end of `step`: the first good state. */
  async begin(step: number): Promise<void> {
    if (this.#spec.action !== 'rollback') return
    const { good } = this.#state
    if (good === null) {
      const sha256 = await this.#keep(step)
      this.#session.guards = { ...this.#state, good: { step, watches: {}, sha256 } }
    } else if (!(await isThere(this.#path(good.step)))) {
      throw new KogrpoError(
        'E_RESUME',
        phrase(
          "the guards' good state {path} is missing, so a rollback would have nowhere to go; put it back, or start the run again",
          { path: this.#path(good.step) },
        ),
      )
    }
  }

  /** The stage's options with the learning rate that rollbacks have left. */
  adjust<T extends { learning_rate: number }>(stage: T): T {
    return { ...stage, learning_rate: stage.learning_rate * this.#state.learning_rate_factor }
  }

  /**
   * Takes in the metrics of a round that ended with `step`, and decides; `act` carries it out.
   * Returns `guards/<watch>`: where each moving average stands, 0 at its baseline, above 1 beyond
   * its limit; only watches that have a baseline.
   */
  observe(step: number, metrics: Metrics): Metrics {
    if (this.#spec.action === 'off') return {}
    this.#decided = observe(this.#state, step, metrics, this.#spec)
    const levels: Metrics = {}
    for (const [name, options] of watchOptions(this.#spec)) {
      const watch = this.#decided.watches[name] ?? FRESH_WATCH
      if (watch.baseline !== null) levels[`guards/${name}`] = severity(watch, options)
    }
    return levels
  }

  /**
   * Does what was decided on the last round, if anything is left to do: afterwards the engine may
   * hold earlier weights. Returns whether it does, and whether the stage is to end here.
   */
  async act(step: number): Promise<{ stop: boolean; restored: boolean }> {
    if (!this.#decided) return { stop: false, restored: false }
    const { reporter } = this.#session
    const { state, record, told, keep } = this.#decided
    this.#decided = null
    const sha256 = keep ? await this.#keep(step) : state.good?.sha256
    if (record?.restored_step !== undefined) await this.#restore(record.restored_step, sha256)
    this.#session.guards = { ...state, good: state.good && { ...state.good, sha256 } }
    if (told) reporter.emit(note('warning', told))
    return { stop: record?.action === 'stop', restored: record?.restored_step !== undefined }
  }

  get #state(): GuardState {
    return this.#session.guards ?? FRESH_GUARDS
  }

  #path(step: number): string {
    return join(this.#session.config.output_dir, 'checkpoints', `good-${step}.bin`)
  }

  /** Gives the engine a good state, which must be as it was written. */
  async #restore(step: number, sha256: string | undefined): Promise<void> {
    const path = this.#path(step)
    if (sha256 !== undefined && (await sumParts(path)) !== sha256) {
      throw new KogrpoError(
        'E_CHECKPOINT',
        phrase(
          "{path}, the guards' good state, is damaged: it is not as it was written, so the rollback cannot be made; start the run again",
          { path },
        ),
      )
    }
    await this.#session.engine.loadState(path)
  }

  /** Writes the engine's state as the good one of `step`, whole or not at all; its SHA-256. */
  async #keep(step: number): Promise<string> {
    const { engine, config, ranks } = this.#session
    // A saved state that is still being written may refer to the good state before, which then has to stay.
    await settled(this.#session)
    const path = this.#path(step)
    const parent = join(config.output_dir, 'checkpoints')
    await ranks.once(`good state of step ${step}, its directory`, async () => {
      await mkdir(parent, { recursive: true })
    })
    const partial = `${path}.partial`
    await engine.saveState(partial)
    const { sha256 } = await sumFile(partOf(partial, ranks))
    const sums = await ranks.gather(sha256, `good state of step ${step}, its parts`)
    await ranks.once(`good state of step ${step}`, async () => await this.#put(path, parent, step))
    return sums.join(' ')
  }

  /** Makes the file that was written the good state, and removes earlier ones. */
  async #put(path: string, parent: string, step: number): Promise<void> {
    const { config, ranks } = this.#session
    const name = basename(path)
    for (const old of await readdir(parent)) {
      if (isPartOf(old, name)) await rm(join(parent, old))
    }
    for (let rank = 0; rank < ranks.size; rank++) {
      const place = { rank, size: ranks.size }
      await rename(partOf(`${path}.partial`, place), partOf(path, place))
    }
    await flush(parent)
    const saved = await listStates(config.output_dir)
    const steps = [step, ...saved.map(({ guards }) => guards?.good?.step)]
    const needed = steps.map(kept => `good-${kept}.bin`)
    for (const file of await readdir(parent)) {
      const [good] = /^good-\d+\.bin(?=$|\.\d+-of-\d+$)/.exec(file) ?? []
      if (good && !needed.includes(good)) await rm(join(parent, file))
    }
  }
}

/** Whether all files of a good state are there. */
async function isThere(path: string): Promise<boolean> {
  const files: string[] = await readdir(dirname(path)).catch(() => [])
  return partsOf(basename(path), files).every(file => files.includes(file))
}

/** The hashes of a good state's files, in the order of ranks. */
async function sumParts(path: string): Promise<string> {
  const parent = dirname(path)
  const files = partsOf(basename(path), await readdir(parent))
  const sums: string[] = []
  for (const file of files) sums.push((await sumFile(join(parent, file))).sha256)
  return sums.join(' ')
}
