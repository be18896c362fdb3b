/**
 * Checkpoints in Hugging Face's layout, which transformers, vLLM and kogrpo itself load as they are; of
 * a model with adapters the adapter alone, in PEFT's.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { removeDirectory } from '../durable/files.ts'
import { writeAdapterDirectory, writeModelDirectory } from '../model/directory.ts'
import type { StageName } from '../report/events.ts'
import type { Session } from './session.ts'

/** Writes the present weights to `name` in the run directory; returns the path. */
export async function saveCheckpoint(session: Session, name: string): Promise<string> {
  const { engine, config, directory, ranks } = session
  const path = join(config.output_dir, name)
  const dtype = config.model.save_dtype === 'bfloat16' ? 'BF16' : 'F32'
  await ranks.hold(`checkpoint ${name}`)
  await ranks.once(`checkpoint ${name}`, async () => {
    if (engine.lora) {
      await writeAdapterDirectory(path, {
        config: directory.config,
        base: directory.dir,
        lora: engine.lora,
        dtype,
        tokenizerDir: directory.tokenizerDir,
        writeWeights: (file, header) => engine.writeAdapter(file, header, dtype),
      })
      return
    }
    await writeModelDirectory(path, {
      config: directory.config,
      dtype,
      tokenizerDir: directory.tokenizerDir,
      writeWeights: (file, header) => engine.writeWeights(file, header, dtype),
    })
  })
  return path
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
  session.reporter.emit({ type: 'activity', activity: 'save' })
  await saveCheckpoint(session, `checkpoints/${stage}-${step}`)
  const { config, ranks } = session
  const limit = config[stage]?.save_total_limit
  if (limit === undefined || !ranks.first) return
  const parent = join(config.output_dir, 'checkpoints')
  const stepOf = (name: string): number =>
    Number(new RegExp(`^${stage}-(\\d+)$`).exec(name)?.[1] ?? Number.NaN)
  const names = (await readdir(parent)).filter(name => Number.isInteger(stepOf(name)))
  for (const name of names.sort((a, b) => stepOf(b) - stepOf(a)).slice(limit)) {
    await removeDirectory(join(parent, name))
  }
}

/** Whether the stage's `save_steps` asks for a checkpoint after `step`. */
export function savesAfter(stage: { save_steps: number }, step: number): boolean {
  return stage.save_steps > 0 && step > 0 && step % stage.save_steps === 0
}
