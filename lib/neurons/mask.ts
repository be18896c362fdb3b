/**
 * A mask file: which rows and columns of which matrices are trained ("neurons"; 2402.18815, 2601.05459).
 * JSON with the geometry of the model it was made for, how it was made, and by tensor either the rows or
 * the columns, ascending. Everything that it does not name is frozen.
 */
import { readFile } from 'node:fs/promises'
import * as z from 'zod'
import type { TrainableOptions } from '../engine/engine.ts'
import { KogrpoError } from '../errors.ts'
import { failure, joined, type Phrase, phrase } from '../messages/phrase.ts'
import type { ModelConfig } from '../model/config.ts'
import { parameterLayout } from '../model/parameters.ts'

const index = z.int().min(0)
const indices = z
  .array(index)
  .min(1)
  .refine(list => list.every((i, n) => n === 0 || list[n - 1]! < i), {
    error: 'expected ascending indices, each once',
  })

const schema = z.strictObject({
  format: z.literal('kogrpo-neurons-1'),
  /** Sizes of the model: layers, hidden, intermediate, query and key/value rows. */
  geometry: z.array(z.int().positive()).length(5),
  source: z.record(z.string(), z.unknown()),
  tensors: z.record(
    z.string(),
    z.union([z.strictObject({ rows: indices }), z.strictObject({ columns: indices })]),
  ),
})

export type NeuronMask = z.output<typeof schema>

/** What of a model's sizes a mask depends on. */
export function geometryOf(config: ModelConfig): number[] {
  const { numLayers, hiddenSize, intermediateSize, numHeads, numKvHeads, headDim } = config
  return [numLayers, hiddenSize, intermediateSize, numHeads * headDim, numKvHeads * headDim]
}

/** The mask in `file` as the engine takes it. Throws `E_NEURONS` naming the file and the tensor. */
export async function readMask(file: string, config: ModelConfig): Promise<TrainableOptions> {
  const refuse = (reason: Phrase): never => {
    throw new KogrpoError('E_NEURONS', joined([file, reason], ': '))
  }
  let json: unknown
  try {
    json = JSON.parse(await readFile(file, 'utf8'))
  } catch (cause) {
    throw new KogrpoError(
      'E_NEURONS',
      phrase('{file}: cannot be read as JSON: {reason}', { file, reason: failure(cause) }),
      { cause },
    )
  }
  const parsed = schema.safeParse(json)
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!
    return refuse(
      phrase('"{key}": {message}; make the file with kogrpo neurons', {
        key: path.join('.'),
        message,
      }),
    )
  }
  const { geometry, tensors } = parsed.data
  if (geometry.join() !== geometryOf(config).join()) {
    refuse(
      phrase('is for a model of sizes {sizes}, this one has {own}', {
        sizes: geometry.join(' '),
        own: geometryOf(config).join(' '),
      }),
    )
  }
  const shapes = new Map(parameterLayout(config).parameters.map(({ name, shape }) => [name, shape]))
  const parts = Object.entries(tensors).map(([name, part]) => {
    const shape = shapes.get(name)
    if (shape === undefined || shape.length !== 2)
      return refuse(phrase('"{name}" is no matrix of the model', { name }))
    const [list, size] = 'rows' in part ? [part.rows, shape[0]!] : [part.columns, shape[1]!]
    const last = list.at(-1)!
    if (last >= size)
      refuse(phrase('"{name}": index {last} is beyond its {size}', { name, last, size }))
    return 'rows' in part
      ? { name, rows: Int32Array.from(list) }
      : { name, columns: Int32Array.from(list) }
  })
  if (parts.length === 0) refuse(phrase('names no neuron, so nothing would be trained'))
  return { names: parts.map(({ name }) => name), parts }
}
