/**
 * Checkpoints in Hugging Face's layout, which transformers, vLLM and kogrpo itself load as they are; of
 * a model with adapters the adapter alone, in PEFT's.
 *
 * Ranks share the files of weights, one after the other in turns: what files there are, and every byte
 * of them, follows from the model alone (lib/model/weight-shards.ts). Weights in pieces are gathered block by
 * block for whoever writes them. Rank 0 adds the rest and gives the directory its name when all have written.
 */
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { parseSize } from '../config/size.ts'
import { type FileSum, removeDirectory, sumFile, writeFlushed } from '../durable/files.ts'
import type { Snapshot } from '../engine/engine.ts'
import type { WeightFile } from '../model/weight-shards.ts'
import {
  beginDirectory,
  checkSize,
  type DirectoryPlan,
  dropDirectory,
  endDirectory,
  planAdapter,
  planModel,
  temporaryOf,
  unwritten,
} from '../model/write-directory.ts'
import type { StageName } from '../report/events.ts'
import type { Session } from './session.ts'

/**
 * Writes the present weights to `name` in the run directory, beside the training where memory has room for
 * a copy, then calls `after` on rank 0; returns the path. Call on all ranks. A failure is thrown here or by
 * the next save, or by the saver's settle() and finish().
 */
export async function saveCheckpoint(
  session: Session,
  name: string,
  after: () => Promise<void> = async () => {},
): Promise<string> {
  const { config, ranks, saver } = session
  const path = join(config.output_dir, name)
  const plan = planOf(session)
  await settled(session)
  await ranks.once(`checkpoint ${name}`, async () => await beginDirectory(path, plan))
  const bytes = plan.files.reduce((sum, file) => sum + file.bytes, 0)
  const room = bytes < process.availableMemory() / 2
  const sees = existsSync(temporaryOf(path))
  const all = await ranks.gather({ room, sees }, `checkpoint ${name}, who writes`)
  const copies = all.every(({ room }) => room)
  // A rank on a machine that does not share the directory leaves the files to the others.
  const writers = [...all.keys()].filter(rank => all[rank]!.sees)
  const write = await weightsWriter(session, name, plan, { path, copies, writers })
  await saver.beside(ranks, {
    label: `checkpoint ${name}`,
    write,
    publish: async parts => {
      await endDirectory(path, plan, Object.assign({}, ...parts))
      await after()
    },
    drop: async () => await dropDirectory(path),
  })
  if (!copies) await settled(session)
  return path
}

/** The same for the model with which a stage ends; it lies on the disk when this returns. Call on all ranks. */
export async function saveStageModel(session: Session, name: string): Promise<string> {
  const path = await saveCheckpoint(session, name)
  await settled(session)
  return path
}

/** Returns when everything that was begun lies on the disk. Call on all ranks. */
export async function settled({ saver, ranks }: Session): Promise<void> {
  await saver.settle()
  await saver.finish(ranks)
}

function planOf({ engine, directory, config: { model } }: Session): DirectoryPlan {
  const { config, tokenizerDir, dir: base } = directory
  const about = { config, tokenizerDir, dtype: dtypeOf(model.save_dtype) }
  return engine.lora
    ? planAdapter({ ...about, base, lora: engine.lora })
    : planModel({ ...about, maxShardSize: parseSize(model.max_shard_size) })
}

const dtypeOf = (saved: 'float32' | 'bfloat16'): 'F32' | 'BF16' =>
  saved === 'bfloat16' ? 'BF16' : 'F32'

/**
 * Copies this rank's files of weights, or writes them at once; what then remains to be done, which gives the
 * hashes of its files, as far as they are known. The engine may go on before that. A collective where
 * weights are in pieces: what fails is told when all have come through.
 */
async function weightsWriter(
  { engine, ranks, config }: Session,
  name: string,
  { files }: DirectoryPlan,
  { path, copies, writers }: { path: string; copies: boolean; writers: readonly number[] },
): Promise<() => Promise<Record<string, FileSum>>> {
  const dtype = dtypeOf(config.model.save_dtype)
  const own: { file: WeightFile; to: string; copy: Snapshot | null }[] = []
  let failed: unknown
  for (const [i, file] of files.entries()) {
    const keep = writers[i % writers.length] === ranks.rank
    if (!keep && !ranks.divided) continue
    const to = join(temporaryOf(path), file.name)
    const part = { names: file.parameters, label: `checkpoint ${name}, ${file.name}` }
    try {
      const copy = copies ? await engine.snapshotWeights(dtype, { ...part, keep }) : null
      if (!copies) await engine.writeWeights(keep ? to : null, file.header, dtype, part)
      if (keep) own.push({ file, to, copy })
    } catch (error) {
      // The others wait for this rank in the next file, unless a rank is lost.
      failed ??= error
      if ((error as { code?: string }).code === 'ERR_RANKS') throw error
    }
  }
  return async () => {
    const sums: Record<string, FileSum> = {}
    try {
      if (failed !== undefined) throw failed
      for (const { file, to, copy } of own) {
        if (copy) sums[file.name] = await writeFlushed(to, [file.header, ...copy.blocks])
        else if (files.length > 1) sums[file.name] = await sumFile(to)
        await checkSize(to, file.bytes)
        copy?.release()
      }
    } catch (error) {
      throw unwritten(path, error)
    } finally {
      for (const { copy } of own) copy?.release()
    }
    return sums
  }
}

/**
 * Writes the model after `step` to checkpoints/<stage>-<step>; with `save_total_limit` only that many
 * of the stage's stay, the latest. The best one (best.ts) has a name of its own and stays.
 */
export async function saveStepCheckpoint(
  session: Session,
  stage: StageName,
  step: number,
): Promise<void> {
  const { config, reporter } = session
  reporter.emit({ type: 'activity', activity: 'save' })
  await saveCheckpoint(session, `checkpoints/${stage}-${step}`, async () => {
    const limit = config[stage]?.save_total_limit
    if (limit !== undefined) await prune(join(config.output_dir, 'checkpoints'), stage, limit)
  })
}

/** Removes all but the `limit` latest step checkpoints of a stage. */
async function prune(parent: string, stage: StageName, limit: number): Promise<void> {
  const stepOf = (name: string): number =>
    Number(new RegExp(`^${stage}-(\\d+)$`).exec(name)?.[1] ?? Number.NaN)
  const names = (await readdir(parent)).filter(name => Number.isInteger(stepOf(name)))
  for (const name of names.sort((a, b) => stepOf(b) - stepOf(a)).slice(limit)) {
    await removeDirectory(join(parent, name))
  }
}

/**
 * Whether something is due after `step` that is done every so many steps (0: never) and was last looked at
 * after `since`.
 */
export function isDue(every: number, step: number, since = step - 1): boolean {
  const times = (steps: number): number => Math.floor(Math.max(0, steps) / every)
  return every > 0 && times(step) > times(since)
}
