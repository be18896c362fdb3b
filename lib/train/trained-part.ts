/**
 * What of the model a stage trains, as the engine's names: `train_only`, `trainable_neurons`, or all of
 * it. Set before the stage's moments are made or read, because they exist for trained tensors alone.
 */

import type { FreezingOptions, TrainOnly } from '../config/schema/freezing.ts'
import type { Recipe } from '../config/schema.ts'
import type { TrainableOptions } from '../engine/engine.ts'
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import type { ModelDirectory } from '../model/directory.ts'
import { parameterLayout } from '../model/parameters.ts'
import { readMask } from '../neurons/mask.ts'
import type { StageName } from '../report/events.ts'
import { note } from '../report/events.ts'
import type { Session } from './session.ts'

const LAYER = /^model\.layers\.(\d+)\./

/** Tells the engine what `stage` trains, and the reports where it is not everything. Call on all ranks. */
export async function setTrainedPart(
  { config, directory, engine, ranks, reporter }: Session,
  name: StageName,
  stage: FreezingOptions,
): Promise<void> {
  // Adapters are what is trained wherever there are some.
  if (engine.lora !== null || !trainsParts(config)) return
  const part = await trainedPart(directory, name, stage)
  await ranks.hold(`what ${name} trains`)
  await engine.setTrainable(part)
  const { parameters, total } = parameterLayout(directory.config)
  const trained = trainedElements(part, parameters)
  if (trained === total) return
  const share = ((100 * trained) / total).toPrecision(3)
  reporter.emit(
    note(
      'info',
      phrase(
        '{name}: {trained} of {total} parameters are trained ({share} %), in {part} of {tensors} tensors; the rest keeps its bits',
        {
          name,
          trained: trained.toLocaleString('en-US'),
          total: total.toLocaleString('en-US'),
          share,
          part: part.names.length,
          tensors: parameters.length,
        },
      ),
    ),
  )
}

/** Whether a stage of the recipe names what it trains. */
function trainsParts({ pretrain, sft, grpo }: Pick<Recipe, StageName>): boolean {
  return [pretrain, sft, grpo].some(
    stage => stage?.train_only !== undefined || stage?.trainable_neurons !== undefined,
  )
}

/** Elements that training moves. */
function trainedElements(
  { names, parts = [] }: TrainableOptions,
  parameters: ReturnType<typeof parameterLayout>['parameters'],
): number {
  const partly = new Map(parts.map(part => [part.name, part]))
  const chosen = new Set(names)
  let elements = 0
  for (const { name, shape, size } of parameters) {
    if (!chosen.has(name)) continue
    const part = partly.get(name)
    const [rows = 1, cols = 1] = shape
    elements += part?.rows
      ? part.rows.length * cols
      : part?.columns
        ? part.columns.length * rows
        : size
  }
  return elements
}

async function trainedPart(
  { config }: ModelDirectory,
  name: StageName,
  { train_only, trainable_neurons }: FreezingOptions,
): Promise<TrainableOptions> {
  if (trainable_neurons !== undefined) return await readMask(trainable_neurons, config)
  const names = parameterLayout(config).parameters.map(p => p.name)
  if (train_only === undefined) return { names }
  const { layers } = train_only
  const beyond = Array.isArray(layers) && layers.find(layer => layer >= config.numLayers)
  if (beyond !== false && beyond !== undefined) {
    throw new KogrpoError(
      'E_CONFIG',
      phrase(
        '{name}.train_only.layers: there is no layer {beyond}; the model has {layers}, counted from 0',
        {
          name,
          beyond,
          layers: config.numLayers,
        },
      ),
    )
  }
  const tied = config.tieWordEmbeddings
  return { names: names.filter(tensor => chosen(tensor, train_only, tied)) }
}

function chosen(tensor: string, only: TrainOnly, tied: boolean): boolean {
  if (tensor === 'model.embed_tokens.weight') return only.embed || (tied && only.head)
  if (tensor === 'lm_head.weight') return only.head
  if (tensor === 'model.norm.weight') return only.norm
  const layer = Number(LAYER.exec(tensor)![1])
  if (Array.isArray(only.layers)) return only.layers.includes(layer)
  return (
    only.layers === 'all' ||
    (only.layers !== 'none' && (layer % 2 === 1) === (only.layers === 'odd'))
  )
}
