/**
 * RedWhale (arXiv 2408.11294): new tokens whose rows begin as the mean of the tokens that wrote them so
 * far, then training in stages, embedding first. A byte-level model of Korean word problems gets 400
 * merges of bytes as tokens; bits per character of held-out text at the beginning, after 100 steps of
 * the embedding alone, and after 100 of the whole model.
 */
import { sftCoefficients } from '../algorithms/sft.ts'
import { pack } from '../data/packing.ts'
import type { Engine } from '../engine/engine.ts'
import { miniDataset } from '../mini/datasets.ts'
import { parameterLayout } from '../model/parameters.ts'
import { listed } from './run.ts'
import { learnMerges, type Merges } from './toy/merges.ts'
import { toyEngine } from './toy/model.ts'
import { dice } from './toy/train.ts'
import type { Experiment, ExperimentContext, Measurement } from './types.ts'

const BYTES = 256
const MERGES = 400
const BASE_STEPS = 2400
const LENGTH = 128
const BATCH = 8
const EMBED = 'model.embed_tokens.weight'
const INITS = ['subtoken_mean', 'random', 'mean'] as const

/** Korean text of the miniature's problems, and the share that is held out. */
function corpus(seed: number): { train: string; held: string } {
  const texts: string[] = []
  for (const record of miniDataset('mini:sft', { seed, size: 400 })) {
    texts.push(
      JSON.stringify(record)
        .replaceAll(/[^가-힣 ]+/g, ' ')
        .replaceAll(/ +/g, ' '),
    )
  }
  const cut = Math.floor(texts.length * 0.9)
  return { train: texts.slice(0, cut).join('\n'), held: texts.slice(cut).join('\n') }
}

const bytesOf = (text: string): number[] => [...Buffer.from(text, 'utf8')]

function windows(ids: readonly number[]): { ids: Int32Array; mask: Uint8Array }[] {
  const parts = []
  for (let at = 0; at + LENGTH <= ids.length; at += LENGTH) {
    const mask = new Uint8Array(LENGTH).fill(1)
    mask[0] = 0
    parts.push({ ids: Int32Array.from(ids.slice(at, at + LENGTH)), mask })
  }
  return parts
}

async function trainSteps(
  engine: Engine,
  ids: readonly number[],
  steps: number,
  learningRate: number,
  key: string,
  signal: AbortSignal,
): Promise<void> {
  const all = windows(ids)
  const random = dice(key)
  for (let step = 0; step < steps; step++) {
    signal.throwIfAborted()
    const chosen = Array.from({ length: BATCH }, () => all[random.below(all.length)]!)
    const [batch] = pack(chosen, BATCH * LENGTH)
    const trained = batch!.mask.reduce((sum, bit) => sum + bit, 0)
    await engine.forwardBackward(batch!, sftCoefficients(batch!.mask, trained))
    await engine.optimizerStep({ learningRate, maxGradNorm: 1 })
  }
}

/** −log2 of the held-out text by character, however it is cut into tokens. */
async function bitsPerCharacter(engine: Engine, text: string, ids: number[]): Promise<number> {
  const parts = windows(ids)
  const batches = pack(parts, 16 * LENGTH)
  let nats = 0
  let tokens = 0
  for (const batch of batches) {
    const { logprobs } = await engine.score(batch)
    for (const [t, bit] of batch.mask.entries()) {
      if (bit === 0) continue
      nats -= logprobs[t]!
      tokens++
    }
  }
  return (nats / Math.LN2 / tokens) * (ids.length / text.length)
}

/** The trained model with rows for the words. */
async function extended(
  base: Engine,
  tokens: Merges['bytes'],
  init: (typeof INITS)[number],
  seed: number,
  threads: number,
): Promise<Engine> {
  const engine = await toyEngine({ vocab: BYTES + MERGES, seed, threads })
  for (const { name } of parameterLayout(base.config).parameters) {
    if (name !== EMBED) await engine.writeParameter(name, await base.readParameter(name))
  }
  const old = await base.readParameter(EMBED)
  // What is drawn at random is in the new engine already.
  const rows = await engine.readParameter(EMBED)
  const width = base.config.hiddenSize
  rows.set(old.subarray(0, BYTES * width))
  const every = Array.from({ length: BYTES }, (_, id) => id)
  for (const [i, written] of tokens.entries()) {
    if (init === 'random') continue
    const members = init === 'mean' ? every : written
    for (let c = 0; c < width; c++) {
      const sum = members.reduce((total, id) => total + old[id * width + c]!, 0)
      rows[(BYTES + i) * width + c] = sum / members.length
    }
  }
  await engine.writeParameter(EMBED, rows)
  return engine
}

async function run(
  seed: number,
  { threads, progress, signal }: ExperimentContext,
): Promise<Measurement> {
  const { train, held } = corpus(seed)
  const merges = learnMerges(train, MERGES)
  await using base = await toyEngine({ vocab: BYTES, seed, threads })
  await trainSteps(base, bytesOf(train), BASE_STEPS, 3e-3, `base ${seed}`, signal)
  const ids = merges.encode(held)
  const values: Measurement = {
    token_ratio: ids.length / bytesOf(held).length,
    bytes: await bitsPerCharacter(base, held, bytesOf(held)),
    frozen_differs: 0,
  }
  for (const init of INITS) {
    await using engine = await extended(base, merges.bytes, init, seed, threads)
    values[`${init}_init`] = await bitsPerCharacter(engine, held, ids)
    const names = parameterLayout(engine.config).parameters.map(p => p.name)
    const others = names.filter(name => name !== EMBED)
    const before = await Promise.all(others.map(name => engine.readParameter(name)))
    await engine.setTrainable({ names: [EMBED] })
    const text = merges.encode(train)
    await trainSteps(engine, text, 100, 3e-3, `embed ${seed}`, signal)
    values[`${init}_embed`] = await bitsPerCharacter(engine, held, ids)
    for (const [i, name] of others.entries()) {
      const after = await engine.readParameter(name)
      if (!after.every((x, k) => Object.is(x, before[i]![k]))) values.frozen_differs!++
    }
    await engine.setTrainable({ names })
    await trainSteps(engine, text, 100, 1e-3, `full ${seed}`, signal)
    values[`${init}_full`] = await bitsPerCharacter(engine, held, ids)
    progress(
      `${init}: ${values[`${init}_init`]!.toFixed(2)}, ${values[`${init}_embed`]!.toFixed(2)}, ${values[`${init}_full`]!.toFixed(2)} bits a character`,
    )
  }
  return values
}

export const redwhaleVocabulary: Experiment = {
  name: 'redwhale-vocab',
  paper: 'RedWhale (arXiv 2408.11294)',
  claim:
    'a new token begins best as the mean of the tokens that wrote it; embedding first, the rest frozen',
  gate: 'bits per character: subtoken mean < random − 1.5 at the beginning, < random after training; every tensor but the embedding bit-identical after the first stage',
  seconds: 200,
  run,
  verdict: rows => ({
    pass: rows.every(
      row =>
        row.subtoken_mean_init! < row.random_init! - 1.5 &&
        row.subtoken_mean_full! < row.random_full! &&
        row.frozen_differs === 0,
    ),
    measured: INITS.map(
      init =>
        `${init} ${listed(rows, `${init}_init`)}, embedding trained ${listed(rows, `${init}_embed`)}, then all ${listed(rows, `${init}_full`)}`,
    ).join('; '),
  }),
}
