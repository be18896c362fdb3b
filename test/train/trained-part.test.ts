/** Stages that train a part of the model: the rest of their checkpoints has the bits of the base. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { RecipeInput } from '../../lib/config/schema.ts'
import { Engine } from '../../lib/engine/engine.ts'
import { openModelDirectory } from '../../lib/model/directory.ts'
import { parameterLayout } from '../../lib/model/parameters.ts'
import { geometryOf } from '../../lib/neurons/mask.ts'
import { runTraining } from '../../lib/train/run.ts'
import { recorder, temporaryDirectory, tinyRecipe } from './tiny.ts'

const stage = {
  data: [{ path: 'mini:sft', size: 100 }],
  max_steps: 2,
  per_device_train_batch_size: 2,
  max_length: 256,
  learning_rate: 1e-2,
  weight_decay: 0.1,
}

/** Names of the tensors that differ between two stages' checkpoints, and the notes of the run. */
async function changed(
  changes: RecipeInput,
  stages: readonly string[],
): Promise<{ names: string[][]; notes: string }> {
  const config = await tinyRecipe({ seed: 5, threads: 1, ...changes })
  const { reporter, events } = recorder()
  await runTraining(config, { reporter, signal: new AbortController().signal })
  const all: Map<string, Float32Array>[] = []
  for (const name of stages) {
    const directory = await openModelDirectory(join(config.output_dir, name))
    await using engine = await Engine.load(directory)
    const values = new Map<string, Float32Array>()
    for (const { name } of parameterLayout(directory.config).parameters) {
      values.set(name, await engine.readParameter(name))
    }
    all.push(values)
  }
  const names = all
    .slice(1)
    .map((values, i) =>
      [...values].flatMap(([name, value]) =>
        Buffer.compare(Buffer.from(value.buffer), Buffer.from(all[i]!.get(name)!.buffer)) === 0
          ? []
          : [name],
      ),
    )
  const notes = events.flatMap(event => (event.type === 'note' ? [String(event.message)] : []))
  return { names, notes: notes.join('\n') }
}

describe('a stage that trains a part', () => {
  it('leaves the rest as the stage before left it, and the next stage may train another part', async () => {
    const { names, notes } = await changed(
      {
        pretrain: { ...stage, assistant_only_loss: true, max_steps: 25 },
        sft: { ...stage, train_only: { layers: 'odd', norm: true } },
        grpo: {
          data: [{ path: 'mini:grpo', size: 20 }],
          max_steps: 2,
          num_generations: 4,
          per_device_train_batch_size: 8,
          max_completion_length: 48,
          learning_rate: 1e-2,
          beta: 0.05,
          rewards: [{ name: 'overlong', options: { soft_punish_cache: 40 } }],
          train_only: { embed: true },
        },
      },
      ['pretrain', 'sft', 'rl'],
    )
    const [sft, rl] = names
    expect(sft!.length).toBe(12)
    for (const name of sft!) expect(name).toMatch(/^model\.(layers\.1\.|norm\.)/)
    expect(rl).toEqual(['model.embed_tokens.weight'])
    expect(notes).toMatch(/sft: [\d,]+ of [\d,]+ parameters are trained \([\d.]+ %\), in 12 of 24/)
  })

  it('trains the neurons of a mask file', async () => {
    const file = join(await temporaryDirectory(), 'mask.json')
    const config = await tinyRecipe({ sft: stage })
    const { config: model } = await openModelDirectory(config.model.path, { weights: false })
    const tensors = {
      'model.layers.0.mlp.up_proj.weight': { rows: [1, 2] },
      'model.layers.0.mlp.down_proj.weight': { columns: [1, 2] },
    }
    const mask = { format: 'kogrpo-neurons-1', geometry: geometryOf(model), source: {}, tensors }
    await writeFile(file, JSON.stringify(mask))
    const { names, notes } = await changed(
      { pretrain: { ...stage, max_steps: 1 }, sft: { ...stage, trainable_neurons: file } },
      ['pretrain', 'sft'],
    )
    expect(names[0]).toEqual(Object.keys(tensors))
    expect(notes).toMatch(/sft: 128 of/)
  })

  it.each([
    [{ train_only: {} }, /train_only: names nothing/],
    [{ train_only: { layers: [7] } }, /there is no layer 7; the model has 2/],
    [{ train_only: { embed: true }, trainable_neurons: 'x' }, /both say what is trained/],
    [{ trainable_neurons: 'nowhere.json' }, /nowhere.json: cannot be read/],
  ])('refuses %j', async (key, message) => {
    await expect(
      changed({ sft: { ...stage, ...(key as object) } }, []).then(() => 'trained'),
    ).rejects.toThrow(message)
  })
})
