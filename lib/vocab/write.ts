/** A checkpoint with new tokens: rows of embedding and LM head, tokenizer, config. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type FurtherRows, rewriteTensors, type TensorSource } from '../engine/rewrite.ts'
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import type { ModelConfig } from '../model/config.ts'
import type { ModelDirectory } from '../model/directory.ts'
import { parameterLayout } from '../model/parameters.ts'
import { writeModelDirectory } from '../model/write-directory.ts'
import { extendedRows, type NewTokens, type VocabularyInit } from './extend.ts'

const VOCABULARY = new Set(['model.embed_tokens.weight', 'lm_head.weight'])

interface ExtendOptions {
  init: VocabularyInit
  /** The number of rows is rounded up to a multiple of it where the padding does not suffice. */
  padTo: number
  /** Of init random: standard normals, as many as asked for. */
  normals: (count: number) => Float32Array
  signal?: AbortSignal | undefined
}

/** What was written. */
interface Extended {
  dtype: 'F32' | 'BF16'
  rowsBefore: number
  rows: number
}

/** Writes the model to `output`. Memory: a few megabytes and the new rows. Throws `E_MODEL_WRITE`. */
export async function writeExtended(
  directory: ModelDirectory,
  tokenizerSize: number,
  added: NewTokens,
  output: string,
  { init, padTo, normals, signal }: ExtendOptions,
): Promise<Extended> {
  const { config, weights, dir, tokenizerDir } = directory
  if (!weights)
    throw new KogrpoError('E_MODEL_FILE', phrase('{dir} was opened without its weights', { dir }))
  const count = added.tokens.length
  const rows = extendedRows(config.vocabSize, tokenizerSize, count, padTo)
  const written: ModelConfig = {
    ...config,
    vocabSize: rows,
    raw: { ...config.raw, vocab_size: rows },
  }
  const range = config.raw.initializer_range
  const std = typeof range === 'number' && range > 0 ? range : 0.02
  const sources = weights.map(({ parameter: { name, shape }, entry }): TensorSource => {
    const { file, begin, dtype } = entry
    const [height, cols] = shape.length === 1 ? [1, shape[0]!] : [shape[0]!, shape[1]!]
    if (!VOCABULARY.has(name)) return { file, begin, dtype, rows: height, cols }
    const random = init === 'random' ? normals(count * cols).map(x => std * x) : undefined
    const further = furtherRows(added, init, tokenizerSize, height, rows)
    return {
      file,
      begin,
      dtype,
      rows: tokenizerSize,
      cols,
      further: { ...further, values: random },
    }
  })
  const dtype = weights.every(({ entry }) => entry.dtype === 'BF16') ? 'BF16' : 'F32'
  await writeModelDirectory(output, {
    config: written,
    dtype,
    tokenizerDir,
    writeWeights: (file, header, { begin, end }) =>
      rewriteTensors(file, header, sources.slice(begin, end), dtype, { signal }),
    writeExtras: temporary => extendTokenizer(temporary, added.tokens, tokenizerSize),
  })
  return { dtype, rowsBefore: parameterLayout(config).parameters[0]!.shape[0]!, rows }
}

/** The rows from the tokenizer's size on: new tokens, the padding that is left as it was, zeros. */
function furtherRows(
  { subtokens }: NewTokens,
  init: VocabularyInit,
  size: number,
  height: number,
  rows: number,
): FurtherRows {
  const ids: number[] = []
  const cu = [0]
  const of: number[] = []
  const list = (members: Iterable<number>): number => {
    for (const id of members) ids.push(id)
    return cu.push(ids.length) - 2
  }
  if (init === 'subtoken_mean') for (const members of subtokens) of.push(list(members))
  if (init === 'mean') {
    const mean = list(Array.from({ length: size }, (_, id) => id))
    for (const _ of subtokens) of.push(mean)
  }
  for (let id = size + subtokens.length; id < rows; id++) of.push(id < height ? list([id]) : -1)
  return { height, ids: Int32Array.from(ids), cu: Int32Array.from(cu), of: Int32Array.from(of) }
}

interface AddedToken {
  content: string
  single_word: boolean
  lstrip: boolean
  rstrip: boolean
  normalized: boolean
  special: boolean
}

const added = (content: string): AddedToken => ({
  content,
  ...{ single_word: false, lstrip: false, rstrip: false, normalized: false, special: false },
})

/** Adds the tokens to tokenizer.json, and to tokenizer_config.json where it lists added tokens. */
async function extendTokenizer(
  dir: string,
  tokens: readonly string[],
  begin: number,
): Promise<void> {
  const edit = async (file: string, change: (json: never) => void): Promise<void> => {
    const path = join(dir, file)
    const json = JSON.parse(await readFile(path, 'utf8'))
    change(json as never)
    await writeFile(path, `${JSON.stringify(json, null, 2)}\n`)
  }
  await edit('tokenizer.json', (json: { added_tokens: (AddedToken & { id: number })[] }) => {
    for (const [i, token] of tokens.entries()) {
      json.added_tokens.push({ id: begin + i, ...added(token) })
    }
  })
  await edit(
    'tokenizer_config.json',
    (json: { added_tokens_decoder?: Record<string, AddedToken> }) => {
      if (json.added_tokens_decoder === undefined) return
      for (const [i, token] of tokens.entries()) {
        json.added_tokens_decoder[begin + i] = added(token)
      }
    },
  )
}
