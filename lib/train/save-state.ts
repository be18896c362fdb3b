/**
 * Saves where a run stands between two optimizer steps, beside the training: the engine's weights and
 * moments are copied (that is all that training waits for), then hashed, written and flushed while the
 * next steps are made. A state is a directory `checkpoints/state-<stage>-<step>-<evaluations>`:
 *
 *   engine.bin   weights in fp32, AdamW's moments and step count, the reference model
 *   state.json   everything else (run-state.ts)
 *   SHA256SUMS   of the two, as `sha256sum -c` reads it
 *
 * It is written as `.state-….partial` and renamed when all of it lies on the disk; only then do earlier
 * ones go. Where memory has no room for the copy, training waits until the state is written.
 *
 * Several ranks write engine.bin in parts, and a model's files of weights (checkpoint.ts), all at once. That
 * the others have written theirs is known at the next step's boundary, where rank 0 renames.
 */
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Recipe } from '../config/schema.ts'
import {
  type FileSum,
  flush,
  freshDirectory,
  publishDirectory,
  sumFile,
  writeFlushed,
} from '../durable/files.ts'
import { requireSpace } from '../durable/space.ts'
import { writeSums } from '../durable/sums.ts'
import type { Snapshot } from '../engine/engine.ts'
import { KogrpoError, messageOf } from '../errors.ts'
import { failure, phrase } from '../messages/phrase.ts'
import type { StageName } from '../report/events.ts'
import { packageVersion } from '../version.ts'
import { pruneStates, STATE_FILE, stateName, WEIGHTS_FILE } from './find-state.ts'
import type { Ranks } from './ranks.ts'
import { type RunState, STATE_VERSION } from './run-state.ts'
import type { Saver, Session, Writing } from './session.ts'
import { partOf } from './state-parts.ts'

/** What several ranks are writing. */
interface Part {
  label: string
  state: boolean
  written: Promise<{ value: unknown } | { code: string; error: string }>
  ready: boolean
  /** On rank 0, of all parts. */
  publish: (values: unknown[]) => Promise<void>
  drop: () => Promise<void>
}

/** The saving that is under way, and what this process knows to be whole. */
export class StateSaver implements Saver {
  #writing: Promise<void> = Promise.resolve()
  /** A state is under way: the next one waits for it, so that one copy is held at a time. */
  #state = false
  /** What several ranks are writing, and has not been made one. */
  #parts: Part[] = []
  /** Names of states that this process has written or verified. */
  readonly #whole = new Set<string>()

  /** `resumed`: the path of the state that the run was taken up from, verified. */
  constructor(resumed?: string) {
    if (resumed !== undefined) this.#whole.add(basename(resumed))
  }

  /**
   * Begins to save the session's last boundary and returns its path, null before the first boundary;
   * when it returns the engine may go on. Call on all ranks. Throws `E_CHECKPOINT` and `E_DISK_FULL`,
   * also for the state before, whose writing had not ended.
   */
  async begin(session: Session): Promise<string | null> {
    const { boundary, engine, config, outcomes, ranks } = session
    if (this.#state) await this.settle()
    if (this.#parts.some(({ state }) => state)) await this.finish(ranks)
    if (!boundary) return null
    const name = stateName(boundary.stage, boundary.step, outcomes.size)
    const parent = join(config.output_dir, 'checkpoints')
    const path = join(parent, name)
    const label = `saved state ${name}`
    if (await ranks.once(label, async () => this.#whole.has(name) && existsSync(path))) return path
    const text = Buffer.from(JSON.stringify(stateOf(session)))
    const partial = join(parent, `.${name}.partial`)
    const { parameters, moments, slots } = await engine.memoryUse()
    const bytes = parameters + Math.max(moments, 2 * parameters) + slots
    const pieces = config.shard === 'parameters' ? ranks.size : 1
    const copies = await ranks.once(`${label}, its directory`, async () => {
      await failing(async () => {
        await mkdir(parent, { recursive: true })
        await requireSpace(parent, pieces * bytes + text.length, `the state ${name} of the run`)
        await freshDirectory(partial)
      })
      return bytes < process.availableMemory() / 2
    })
    const file = partOf(WEIGHTS_FILE, ranks)
    const snapshot = copies ? await engine.snapshotState() : null
    if (!snapshot) await failing(async () => await engine.saveState(join(partial, WEIGHTS_FILE)))
    const write = async (): Promise<FileSum> => {
      const weights = join(partial, file)
      return await (snapshot ? written(weights, snapshot) : sumFile(weights))
    }
    const publish = async (parts: { file: string; sum: FileSum }[]): Promise<void> => {
      const sums = Object.fromEntries(parts.map(({ file, sum }) => [file, sum]))
      await writeSums(partial, { ...sums, [STATE_FILE]: await stored(partial, text) })
      await flush(partial)
      await publishDirectory(partial, path)
      this.#whole.add(name)
      await pruneStates(config.output_dir, statesToKeep(config, boundary.stage))
    }
    this.#state = true
    // After the models of this step: a run that is taken up here does not write them again.
    this.#begin(ranks, true, {
      label,
      write: async () => ({ file, sum: await failing(write) }),
      publish: async parts => await failing(async () => await publish(parts)),
    })
    return path
  }

  /** Of what was begun before, failures are thrown here. */
  async beside<T>(ranks: Ranks, writing: Writing<T>): Promise<void> {
    await this.settle()
    await this.finish(ranks)
    this.#begin(ranks, false, writing)
  }

  #begin<T>(ranks: Ranks, state: boolean, writing: Writing<T>): void {
    const { label, write, publish, drop = async (): Promise<void> => {} } = writing
    const mine = this.#writing.then(write)
    if (ranks.size === 1) {
      const alone = mine.then(
        async value => await publish([value]),
        async error => {
          await drop()
          throw error
        },
      )
      this.#next(alone)
      return
    }
    const part: Part = {
      ...{ label, state, ready: false, drop },
      written: mine.then(
        value => ({ value }),
        error => ({
          code: error instanceof KogrpoError ? error.code : 'E_CHECKPOINT',
          error: messageOf(error),
        }),
      ),
      publish: async values => await publish(values as T[]),
    }
    this.#parts.push(part)
    this.#next(
      part.written.then(() => {
        part.ready = true
      }),
    )
  }

  get ready(): boolean {
    return this.#parts.length > 0 && this.#parts.every(part => part.ready)
  }

  async finish(ranks: Ranks): Promise<void> {
    for (let part = this.#parts.shift(); part; part = this.#parts.shift()) {
      const { label, written, publish, drop } = part
      const all = await ranks.gather(await written, `${label}, written`)
      await ranks.once(`${label} is there`, async () => {
        const failed = all.find(one => 'error' in one)
        if (!failed) return await publish(all.map(one => (one as { value: unknown }).value))
        await drop()
      })
      const failed = all.find(one => 'error' in one)
      if (failed && 'error' in failed) throw new KogrpoError(failed.code, failed.error)
    }
  }

  /** A failure is thrown by settle(), which every save and the end of the run call. */
  #next(writing: Promise<void>): void {
    this.#writing = writing
    writing.catch(() => {})
  }

  /** Waits until nothing is being written any more. Throws what became of it. */
  async settle(): Promise<void> {
    const writing = this.#writing
    this.#writing = Promise.resolve()
    this.#state = false
    await writing
  }
}

/** Saves the session's last boundary and waits until it lies on the disk; returns its path. */
export async function saveState(session: Session): Promise<string | null> {
  const path = await session.saver.begin(session)
  await session.saver.settle()
  await session.saver.finish(session.ranks)
  return path
}

/** Between two steps: stops all ranks if any was asked to, and ends the saving of a state that all have written. */
export async function passBoundary({ ranks, saver }: Session, label: string): Promise<void> {
  if (await ranks.boundary(label, saver.ready)) await saver.finish(ranks)
}

/** Begins to save the session's last boundary; training may go on. */
export async function saveBeside(session: Session): Promise<void> {
  session.reporter.emit({ type: 'activity', activity: 'save' })
  await session.saver.begin(session)
}

function stateOf(session: Session): RunState {
  const { boundary, config, outcomes, oracle, dense, ownRewards = [] } = session
  return {
    version: STATE_VERSION,
    versions: { kogrpo: packageVersion(), node: process.version },
    ...boundary!,
    config,
    model: session.modelHash,
    tokenizer: session.tokenizerHash,
    data: Object.fromEntries(session.data.records),
    random: {
      generator: 'Philox4x32-10 keyed by seed, sequence and position',
      seed: config[boundary!.stage]?.seed ?? config.seed,
    },
    dense_reward: dense?.hash,
    reward_functions:
      ownRewards.length > 0
        ? Object.fromEntries(ownRewards.map(({ name, sha256 }) => [name, sha256]))
        : undefined,
    judge_cache: oracle?.cachePosition() ?? undefined,
    changes: session.same.changes,
    outcomes: [...outcomes],
  }
}

/** How many states stay once one of `stage` is saved. */
export function statesToKeep(config: Recipe, stage: StageName): number {
  return config[stage]?.save_total_limit ?? 1
}

async function written(path: string, snapshot: Snapshot): Promise<FileSum> {
  try {
    return await writeFlushed(path, snapshot.blocks)
  } finally {
    snapshot.release()
  }
}

async function stored(directory: string, text: Uint8Array): Promise<FileSum> {
  return await writeFlushed(join(directory, STATE_FILE), [text])
}

/** Runs `work`; what fails is an `E_CHECKPOINT` that says what still stands. */
async function failing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (cause instanceof KogrpoError && cause.code === 'E_DISK_FULL') throw cause
    throw new KogrpoError(
      'E_CHECKPOINT',
      phrase("cannot save the run's state: {reason}; the last saved state is whole", {
        reason: failure(cause),
      }),
      { cause },
    )
  }
}
