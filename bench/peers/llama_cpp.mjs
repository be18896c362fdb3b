#!/usr/bin/env node
// Decoding beside llama.cpp: one process holds both with the same random weights, bf16, and lets them
// take turns: one token for each of `batch` sequences a step, greedily, from a prompt of one token.
//   node bench/peers/llama_cpp.mjs --llama DIR --gguf FILE [--geometry FILE] [--threads N] [--new N]
//     [--rounds N] [--batches 1,16] [--output FILE]
// DIR is where `npm install --ignore-scripts node-llama-cpp` was run: prebuilt binaries, nothing is compiled. FILE is
// written where it does not exist, and must be of the geometry where it does. Prints a JSON line per round
// and batch: seconds and processor seconds of a step of each side, the bandwidth that the same threads
// reached just before (256 MiB read), the bytes that a step reads (packed bf16 matrices, half of the
// context's keys and values, also bf16), and how many first tokens of each sequence are equal (rounding
// decides near ties of random weights otherwise).
// --output: the medians beside the bars.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { Engine, parseModelConfig } from '../../dist/index.js'
import { parameterLayout } from '../../dist/model/parameters.js'
import { isGgufOf, writeGguf } from './gguf.mjs'

const { values: given } = parseArgs({
  options: {
    llama: { type: 'string' },
    gguf: { type: 'string' },
    geometry: {
      type: 'string',
      default: fileURLToPath(new URL('../geometry-qwen3-0.6b.json', import.meta.url)),
    },
    threads: { type: 'string', default: '2' },
    new: { type: 'string', default: '32' },
    rounds: { type: 'string', default: '5' },
    batches: { type: 'string', default: '1,16' },
    output: { type: 'string' },
  },
})
if (!given.llama || !given.gguf) {
  console.error('llama_cpp.mjs: --llama DIR and --gguf FILE are needed (see the head of the file)')
  process.exit(2)
}
const threads = Number(given.threads)
const fresh = Number(given.new)
const rounds = Number(given.rounds)
const batches = given.batches.split(',').map(Number)
/** Bars of the comparison: times llama.cpp's speed by batch, and the share of the bandwidth at 1. */
const BARS = { 1: 1, 16: 1.5 }
const BANDWIDTH_BAR = 0.9
const READ_FLOATS = 1 << 26

const config = parseModelConfig(JSON.parse(readFileSync(given.geometry, 'utf8')), given.geometry)
const engine = await Engine.create({ config, threads, dtype: 'bfloat16', init: { seed: 0 } })
const shapes = new Map(parameterLayout(config).parameters.map(p => [p.name, p.shape]))
if (!existsSync(given.gguf)) await writeGguf(given.gguf, engine, shapes)
else if (!isGgufOf(given.gguf, config, shapes))
  throw new Error(`${given.gguf} is of another geometry: remove it, or name another file`)
const require = createRequire(join(given.llama, 'package.json'))
const { getLlama } = await import(pathToFileURL(require.resolve('node-llama-cpp')).href)
const llama = await getLlama({ gpu: false, build: 'never', maxThreads: threads })
const model = await llama.loadModel({ modelPath: given.gguf, gpuLayers: 0 })

/** Wall and processor seconds of a step. */
async function timed(body) {
  const before = process.cpuUsage()
  const start = performance.now()
  const result = await body()
  const wall = (performance.now() - start) / 1000 / fresh
  const { user, system } = process.cpuUsage(before)
  return { result, wall, cpu: (user + system) / 1e6 / fresh }
}

async function decodeOurs(first) {
  const requests = first.map((token, stream) => ({
    tokens: Int32Array.of(token),
    maxNewTokens: fresh,
    temperature: 0,
    stream,
  }))
  const completions = await engine.generate(requests, { maxSequences: first.length })
  return completions.map(({ tokens }) => [...tokens])
}

async function decodeTheirs(sequences, first) {
  return await Promise.all(
    sequences.map(async (sequence, i) => {
      const tokens = []
      const options = { temperature: 0, yieldEogToken: true }
      for await (const token of sequence.evaluate([first[i]], options)) {
        tokens.push(token)
        if (tokens.length === fresh) break
      }
      return tokens
    }),
  )
}

function stepBytes(batch) {
  const c = config
  const layer =
    c.hiddenSize * c.headDim * (2 * c.numHeads + 2 * c.numKvHeads) +
    3 * c.hiddenSize * c.intermediateSize
  const weights = 2 * (c.numLayers * layer + c.vocabSize * c.hiddenSize)
  return weights + batch * c.numLayers * 2 * c.numKvHeads * c.headDim * (fresh / 2) * 2
}

const equalFirst = (a, b) => {
  const at = a.findIndex((token, i) => token !== b[i])
  return at < 0 ? a.length : at
}

const lines = []
for (const batch of batches) {
  const context = await model.createContext({
    sequences: batch,
    contextSize: Math.max(256, fresh + 8),
    threads: { ideal: threads, min: threads },
  })
  const sequences = Array.from({ length: batch }, () => context.getSequence())
  const first = Array.from({ length: batch }, (_, i) => 1000 + ((i * 37) % (config.vocabSize / 2)))
  for (let round = 0; round <= rounds; round++) {
    const read = await engine.benchmark({ kind: 'bandwidth', n: READ_FLOATS, runs: 3 })
    const bandwidth = (4 * READ_FLOATS) / Math.min(...read.seconds)
    const ours = await timed(() => decodeOurs(first))
    for (const sequence of sequences) await sequence.clearHistory()
    const theirs = await timed(() => decodeTheirs(sequences, first))
    if (round === 0) continue // warm-up
    const equal = ours.result.map((tokens, i) => equalFirst(tokens, theirs.result[i]))
    const line = {
      mode: 'decode_llama_cpp',
      batch,
      round,
      threads,
      new: fresh,
      kogrpo: { step_s: ours.wall, cpu_s: ours.cpu },
      llama_cpp: { step_s: theirs.wall, cpu_s: theirs.cpu },
      ratio: theirs.wall / ours.wall,
      cpu_ratio: theirs.cpu / ours.cpu,
      bandwidth,
      share_of_bandwidth: stepBytes(batch) / ours.wall / bandwidth,
      equal_first_tokens: Math.min(...equal),
    }
    lines.push(line)
    console.log(JSON.stringify(line))
  }
  await context.dispose()
}

if (given.output) {
  const median = values => values.sort((a, b) => a - b)[values.length >> 1]
  const of = (batch, key) => median(lines.filter(l => l.batch === batch).map(l => l[key]))
  const comparison = batches.map(batch => ({
    batch,
    ratio: of(batch, 'ratio'),
    cpu_ratio: of(batch, 'cpu_ratio'),
    bar: BARS[batch],
    share_of_bandwidth: of(batch, 'share_of_bandwidth'),
    ...(batch === 1 && { bandwidth_bar: BANDWIDTH_BAR }),
  }))
  const { version } = JSON.parse(
    readFileSync(join(given.llama, 'node_modules/node-llama-cpp/package.json'), 'utf8'),
  )
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, load_average: loadavg()[0] }
  const versions = { 'node-llama-cpp': version, 'llama.cpp': llama.llamaCppRelease?.release }
  const record = { time: new Date().toISOString(), machine, versions, comparison, results: lines }
  writeFileSync(given.output, `${JSON.stringify(record, null, 2)}\n`)
}
await model.dispose()
await engine.dispose()
process.exit(0)
