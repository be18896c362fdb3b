/**
 * Loads the native addon and gives it types. This file and engine.ts are the only TypeScript that
 * knows the addon. Looked for, in this order: KOGRPO_NATIVE (a path), the build with CUDA, the node-gyp
 * build, the cmake-js build. An addon that is absent or does not load is an error that lists what was tried.
 */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { KogrpoError, messageOf } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import type { CudaStatus } from './device.ts'

interface NativeTensor {
  name: string
  file: string
  begin: number
  dtype: string
}

export interface OpenedEngine {
  threads: number
  isa: string
  device: string
  memoryPlan: string
}

interface NativeTokenValues {
  logprobs: Float32Array
  entropies: Float32Array
  correct: Uint8Array
}

/** XXH64 of the fp32 parameters; of what the sampler multiplies with; of what that should be. */
export interface WeightDigests {
  parameters: bigint
  sampler: bigint
  expected: bigint
}

/** The first value of a forward pass that is not finite: tensor, token of the batch, column. */
export interface NonFinite {
  tensor: string
  row: number
  column: number
  /** How many values of the tensor are not finite. */
  count: number
  value: number
}

/** Aborts the call it was given to, and tells its progress (unit: see the call). */
export interface Control {
  abort(): void
  readonly progress: number
  /** Parts of the result that have come since it was asked last (generate with `stream`). */
  take(): unknown[]
}

/** Events of a serving session, as parallel arrays (native/addon/engine_serve.cpp). */
export interface NativeEvents {
  request: Int32Array
  /** 0: a prompt token's log-prob, 1: a token, 2: ended by a stop token, 3: by its length. */
  kind: Int32Array
  token: Int32Array
  logprob: Float32Array
  modelLogprob: Float32Array
  /** How many entries of topIds and topLogprobs are each event's. */
  top: Int32Array
  topIds: Int32Array
  topLogprobs: Float32Array
}

/** What a serving session has in hand, and what it has done since it was opened. */
export interface ServingStats {
  running: number
  waiting: number
  /** Pages of keys and values: all, those of live requests, those kept for their prefixes. */
  pages: number
  pagesUsed: number
  pagesKept: number
  steps: number
  /** Prompt tokens read, and those that the prefix cache or a shared prompt spared. */
  promptRows: number
  prefixRows: number
  generated: number
  preemptions: number
}

interface NativeSnapshot {
  blocks: Uint8Array<ArrayBuffer>[]
  release(): void
}

/** Arguments are documented in engine.ts, where they are checked. */
export interface NativeEngine {
  open(config: object, options: object): Promise<OpenedEngine>
  close(): Promise<void>
  initialize(init: object, control?: Control): Promise<void>
  loadParameters(tensors: NativeTensor[], control?: Control): Promise<void>
  saveParameters(
    path: string,
    header: Uint8Array,
    names: string[],
    dtype: string,
    label: string,
    control?: Control,
  ): Promise<void>
  rewriteTensors(
    path: string,
    header: Uint8Array,
    sources: object[],
    dtype: string,
    control?: Control,
  ): Promise<void>
  readParameter(name: string): Promise<Float32Array>
  writeParameter(name: string, values: Float32Array): Promise<void>
  readGradient(name: string): Promise<Float32Array>
  saveState(path: string): Promise<void>
  loadState(path: string): Promise<void>
  snapshotState(): Promise<NativeSnapshot>
  snapshotParameters(
    names: string[],
    dtype: 'F32' | 'BF16',
    keep: boolean,
    label: string,
  ): Promise<NativeSnapshot>
  weightDigests(): Promise<WeightDigests>
  forwardStreaming(
    batch: object | null,
    options: { slot: string; label: string },
    control?: Control,
  ): Promise<NativeTokenValues>
  trace(batch: object, control?: Control): Promise<NonFinite | null>
  setTrainable(options: { names: string[]; parts: object[] }): Promise<void>
  updateSlot(options: { slot: string; alpha: number }): Promise<void>
  forward(batch: object, control?: Control): Promise<NativeTokenValues & { handle?: number }>
  backward(options: object, control?: Control): Promise<void>
  release(options: { handle: number }): Promise<void>
  forwardBackward(batch: object, control?: Control): Promise<NativeTokenValues>
  setLogitScale(scale?: Float32Array): Promise<void>
  activationImpact(batch: object, control?: Control): Promise<Float32Array>
  logits(tokens: Int32Array, positions: Int32Array): Promise<Float32Array>
  generate(
    requests: object[],
    options: object,
    control?: Control,
  ): Promise<{ tokens: Int32Array; logprobs: Float32Array; finishReason: 'stop' | 'length' }[]>
  serveOpen(options: object): Promise<ServingStats>
  serveSubmit(id: number, request: object): void
  serveCancel(id: number): void
  serveStep(options: {
    seconds: number
  }): Promise<{ live: boolean; events: NativeEvents; stats: ServingStats }>
  serveClose(): Promise<void>
  join(options: object): Promise<void>
  beginTurn(options: { contributors: number; label: string }): Promise<void>
  accumulate(): Promise<void>
  holdWeights(options: { slots: boolean; label: string }): Promise<void>
  allGatherBytes(options: { bytes: Uint8Array; label: string }): Promise<Uint8Array[]>
  zeroGradients(): Promise<void>
  optimizerStep(options: object): Promise<number>
  resetOptimizer(): Promise<void>
  memoryUse(): Promise<
    Record<'parameters' | 'gradients' | 'moments' | 'slots' | 'mostGathered', number>
  >
  layout(): Promise<{ name: string; rows: number; cols: number; offset: number; decay: boolean }[]>
  benchmark(
    options: object,
    control?: Control,
  ): Promise<{ seconds: Float64Array; peakFlops: Float64Array }>
}

interface NativeAddon {
  NativeEngine: new () => NativeEngine
  Control: new () => Control
  machine(): { instructionSets: string[]; threads: number }
  /** Initialises CUDA's driver, where there is one. */
  cuda(): CudaStatus
}

/** Where the addon may be, relative to the package's root (dist/engine and lib/engine are equally deep). */
export function addonPaths(): string[] {
  const override = process.env.KOGRPO_NATIVE
  if (override) return [override]
  const root = new URL('../../', import.meta.url)
  return ['build-cuda', 'build', 'build-cmake'].map(folder =>
    fileURLToPath(new URL(`${folder}/Release/kogrpo.node`, root)),
  )
}

/** What builds the addon, whether or not a package manager lets packages run their install scripts. */
export function buildCommand(): string {
  return `node ${fileURLToPath(new URL('../../scripts/install.mjs', import.meta.url))}`
}

let loaded: NativeAddon | undefined

/** The addon, loaded once per process. Throws `E_NATIVE` with the remedy if there is none. */
export function loadNative(): NativeAddon {
  if (loaded) return loaded
  const require = createRequire(import.meta.url)
  const tried: string[] = []
  for (const path of addonPaths()) {
    if (!existsSync(path)) {
      tried.push(`  ${path}: not there`)
      continue
    }
    try {
      loaded = require(path) as NativeAddon
      return loaded
    } catch (error) {
      tried.push(`  ${path}: ${messageOf(error)}`)
    }
  }
  throw new KogrpoError(
    'E_NATIVE',
    phrase(
      'the native addon could not be loaded on {platform}-{arch}, Node {version}:\n{tried}\nBuild it with: {command}\n(npm rebuild kogrpo does the same where your package manager lets packages run install scripts)',
      {
        platform: process.platform,
        arch: process.arch,
        version: process.version,
        tried: tried.join('\n'),
        command: buildCommand(),
      },
    ),
  )
}
