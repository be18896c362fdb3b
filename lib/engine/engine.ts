/**
 * One model on one device. The engine samples and trains on the same weights and knows no algorithm:
 * a loss arrives as coefficients, ∂L/∂logprob (and ∂L/∂entropy) per token.
 *
 * Batches are packed: `tokens` holds sequences one behind the other, sequence b is
 * [cuSeqlens[b], cuSeqlens[b + 1]). `logprobs[t]` is log p(tokens[t] | the tokens before it in its
 * sequence); it is 0 at each sequence's first token and where `mask` is 0.
 *
 * Every value is a function of its own sequence alone, to the bit: not of the batch, the packing, the
 * chunking or the thread count, and the log-prob of a sampled token is the one forward() gives. (On a
 * GPU with `deterministic`; nearly without.)
 *
 * Calls of one engine run in order on its own thread; several engines may live side by side. Failures
 * are Errors with a `code` (ERR_INVALID_ARGUMENT, ERR_IO, ERR_OUT_OF_MEMORY, ERR_DEVICE,
 * ABORT_ERR, ERR_ENGINE).
 */
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import type { ModelConfig } from '../model/config.ts'
import type { ModelDirectory } from '../model/directory.ts'
import { type Adapter, adapterParameters, type LoraConfig, loraScale } from '../model/lora.ts'
import { type Parameter, parameterLayout } from '../model/parameters.ts'
import { controlled, handingOver } from './control.ts'
import {
  type Control,
  loadNative,
  type NativeEngine,
  type NonFinite,
  type OpenedEngine,
  type WeightDigests,
} from './native.ts'
import type {
  Batch,
  BenchmarkOptions,
  Completion,
  EngineOptions,
  ForwardOptions,
  GenerateOptions,
  JoinOptions,
  OptimizerOptions,
  SavedPart,
  Snapshot,
  TokenValues,
  TrainableOptions,
} from './options.ts'
import type { GenerateRequest } from './request.ts'
import { type ServingOptions, ServingSession } from './serving.ts'

export type { NonFinite, WeightDigests } from './native.ts'
export type * from './options.ts'
export type { GenerateRequest } from './request.ts'

/** One model on one device: generates, scores, differentiates, updates. Dispose of it. */
export class Engine implements AsyncDisposable {
  readonly config: ModelConfig
  readonly threads: number
  /** Instruction set of the kernels in use. */
  readonly isa: string
  /** "cpu (avx512)", "cuda:0 (NVIDIA H200)". */
  readonly device: string
  /** What the model takes on a GPU, a line an item; '' on the CPU. */
  readonly memoryPlan: string
  /** The adapters it has; null: none, and the weights themselves are trained. */
  readonly lora: LoraConfig | null
  readonly #native: NativeEngine

  private constructor(
    native: NativeEngine,
    { config, lora = null }: Pick<EngineOptions, 'config'> & { lora?: LoraConfig | null },
    { threads, isa, device, memoryPlan }: OpenedEngine,
  ) {
    this.#native = native
    this.config = config
    this.lora = lora
    this.threads = threads
    this.isa = isa
    this.device = device
    this.memoryPlan = memoryPlan
  }

  /** An engine with random (`init`) or, until they are loaded, undefined weights. */
  static async create(options: EngineOptions): Promise<Engine> {
    const native = new (loadNative().NativeEngine)()
    const { config, threads = 0, gradientCheckpointing = false, lmHeadChunk = 0 } = options
    const { lora, device = 'cpu', deterministic = false, moments = '8bit', use } = options
    const { dtype = 'float32' } = options
    const opening = native.open(config, {
      device,
      deterministic,
      moments,
      ...(use && { use: { headChunk: lmHeadChunk || undefined, ...use } }),
      threads,
      gradientCheckpointing,
      lmHeadChunk,
      dtype,
      ...(lora && {
        lora: {
          rank: lora.r,
          scale: loraScale(lora),
          targets: lora.target_modules,
          dropout: lora.lora_dropout,
          seed: options.loraSeed ?? 0,
        },
      }),
    })
    const opened = await opening.catch((error: Error & { code?: string }) => {
      if (error.code !== 'ERR_DEVICE') throw error
      throw new KogrpoError(
        'E_DEVICE',
        phrase(
          'device {device}: {problem}; --device cpu does without (kogrpo doctor shows what can run)',
          { device, problem: error.message },
        ),
      )
    })
    const engine = new Engine(native, { config, lora: lora ?? null }, opened)
    if (options.init) await native.initialize(options.init)
    if (lora) await native.initialize({ seed: options.loraSeed ?? 0, adapters: true })
    return engine
  }

  /** An engine with the weights of a Hugging Face directory (opened with its weights), and of its
   *  adapter where it has one. */
  static async load(
    directory: ModelDirectory,
    options: Omit<EngineOptions, 'config' | 'init'> = {},
  ): Promise<Engine> {
    const { config, adapter } = directory
    const lora = options.lora ?? adapter?.config
    const engine = await Engine.create({ ...options, config, lora })
    try {
      await engine.loadWeights(directory)
      return engine
    } catch (error) {
      await engine.dispose()
      throw error
    }
  }

  /** Replaces the weights, and the adapters where it has some, by those of a directory of the same
   *  geometry; moments and slots stay. */
  async loadWeights({ weights, dir, adapter }: ModelDirectory): Promise<void> {
    if (!weights)
      throw new KogrpoError('E_MODEL_FILE', phrase('{dir} was opened without its weights', { dir }))
    await this.#load(weights)
    if (adapter) await this.loadAdapter(adapter)
  }

  /** Reads an adapter of this engine's shape. */
  async loadAdapter(adapter: Adapter): Promise<void> {
    await this.#load(adapter.weights)
  }

  async #load(weights: Adapter['weights']): Promise<void> {
    await this.#native.loadParameters(
      weights.map(({ parameter: { name }, entry: { file, begin, dtype } }) => ({
        name,
        file,
        begin,
        dtype,
      })),
    )
  }

  /**
   * Writes `header` (a safetensors header of `names` in flat order as `dtype`; default: all parameters, of a
   * model with adapters these alone) and the weights behind it. bf16 rounds to nearest, ties to even. With
   * `shard: 'parameters'` a collective, unless the weights are held: one block of the model is gathered at a
   * time, and a rank without a `file` takes part only.
   */
  async writeWeights(
    file: string | null,
    header: Uint8Array,
    dtype: 'F32' | 'BF16',
    { names = this.#written(), label = '' }: SavedPart = {},
  ): Promise<void> {
    await this.#native.saveParameters(file ?? '', new Uint8Array(header), [...names], dtype, label)
  }

  /** A copy of what writeWeights writes behind the header, to be written while the engine goes on; a rank
   *  that does not `keep` it takes part only. */
  async snapshotWeights(
    dtype: 'F32' | 'BF16',
    { names = this.#written(), label = '', keep = true }: SavedPart & { keep?: boolean } = {},
  ): Promise<Snapshot> {
    return await this.#native.snapshotParameters([...names], dtype, keep, label)
  }

  #written(): string[] {
    const { parameters } = this.lora
      ? { parameters: adapterParameters(this.config, this.lora, 0) }
      : parameterLayout(this.config)
    return parameters.map(({ name }) => name)
  }

  /** What training moves from now on: the rest keeps its bits, and has no gradient, no moments and no
   *  copy in a slot. Until then: every parameter, or the adapters. Forgets moments and step count;
   *  refused while slots are held. */
  async setTrainable({ names, parts = [] }: TrainableOptions): Promise<void> {
    await this.#native.setTrainable({ names: [...names], parts: [...parts] })
  }

  /** Log-probs and entropies of a batch under a parameter slot (`base`: the model without its
   *  adapters); nothing is kept. */
  async score(
    batch: Batch,
    { signal, ...options }: ForwardOptions & { slot?: string } = {},
  ): Promise<TokenValues> {
    return await controlled(signal, control =>
      this.#native.forward({ ...batch, ...options }, control),
    )
  }

  /**
   * score() with `shard: 'parameters'` where the weights are not held: a collective between turns that gathers
   * them block by block, under the policy or a slot. A rank without a batch takes part, and gets null.
   */
  async scoreStreaming(
    batch: Batch | null,
    {
      signal,
      slot = 'policy',
      label,
      ...options
    }: ForwardOptions & { slot?: string; label: string },
  ): Promise<TokenValues | null> {
    const values = await controlled(signal, control =>
      this.#native.forwardStreaming(batch && { ...batch, ...options }, { slot, label }, control),
    )
    return batch && values
  }

  /** As score() under the policy, and keeps what backward(handle, …) needs: one or the other of
   *  backward and release must follow. A training pass, as forwardBackward() is: with lora_dropout the
   *  adapters leave part of their inputs out, so the values are not those of score(). What is left out
   *  follows from the seed, the optimizer's step and each token's own beginning of its sequence. Once the
   *  parameters have changed (optimizerStep, loadState, writeParameter …) only release is left. */
  async forward(
    batch: Batch,
    { signal, ...options }: ForwardOptions = {},
  ): Promise<TokenValues & { handle: number }> {
    const result = await controlled(signal, control =>
      this.#native.forward({ ...batch, ...options, keep: true }, control),
    )
    return { ...result, handle: result.handle as number }
  }

  /** Adds the gradient of a loss with ∂L/∂logprobs[t] = coef[t] and ∂L/∂entropies[t] =
   *  entropyCoef[t]. Aborted half way it leaves the gradients undefined: zeroGradients(). */
  async backward(
    handle: number,
    coef: Float32Array,
    entropyCoef?: Float32Array,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<void> {
    await controlled(signal, control =>
      this.#native.backward({ handle, coef, entropyCoef }, control),
    )
  }

  /** Frees a handle of forward() that no backward will follow. */
  async release(handle: number): Promise<void> {
    await this.#native.release({ handle })
  }

  /** forward() and backward() in one pass for coefficients that are known beforehand: the gradient of
   *  the logits is formed chunk by chunk and nothing is computed twice. */
  async forwardBackward(
    batch: Batch,
    coef: Float32Array,
    { signal, ...options }: ForwardOptions & { entropyCoef?: Float32Array } = {},
  ): Promise<TokenValues> {
    return await controlled(signal, control =>
      this.#native.forwardBackward({ ...batch, ...options, coef }, control),
    )
  }

  /** Multiplies every logit of vocabulary id v by scale[v] (positive, finite) from now on: in sampling,
   *  log-probs and gradients alike, under every slot. Null: plain logits again. The weights stay as
   *  they are. Refused between forward() and backward(). */
  async setLogitScale(scale: Float32Array | null): Promise<void> {
    await this.#native.setLogitScale(scale ?? undefined)
  }

  /**
   * How much of each layer's output every neuron makes on a batch (native/engine/engine_impact.cpp): by
   * layer the rows of q, of k, of v, then the channels of the feed-forward.
   */
  async activationImpact(batch: Batch, signal?: AbortSignal): Promise<Float32Array> {
    return await controlled(signal, control => this.#native.activationImpact(batch, control))
  }

  /** Rows of logits [positions.length, vocabSize] of one sequence: for tests and small looks. */
  async logits(tokens: Int32Array, positions: Int32Array): Promise<Float32Array> {
    return await this.#native.logits(tokens, positions)
  }

  /** Completions in the order of the requests. Requests with equal prompts share the prompt's
   *  computation. The bytes of a completion do not depend on the other requests. Where ranks sample
   *  together layer by layer the abort of one ends the call on all, with `ABORT_ERR` that names it. */
  async generate(
    requests: GenerateRequest[],
    { signal, onProgress, onCompletion, ...options }: GenerateOptions = {},
  ): Promise<Completion[]> {
    const call = (control: Control, stream: boolean): Promise<Completion[]> =>
      this.#native.generate(requests, { ...options, stream }, control)
    return await controlled(
      signal,
      control =>
        onCompletion
          ? handingOver(control, onCompletion, () => call(control, true))
          : call(control, false),
      onProgress,
    )
  }

  /** Opens a serving session: requests come and go at any time (serving.ts). One at a time; other
   *  calls run between its steps, and those that change weights are refused while a request is live. */
  async serve(options: ServingOptions): Promise<ServingSession> {
    return new ServingSession(this.#native, await this.#native.serveOpen(options))
  }

  /**
   * Makes this engine one rank of several that train the same model; before the first step. From then
   * on gradients are made in turns, from beginTurn() to accumulate() on all ranks, and optimizerStep is a
   * collective. saveState writes this rank's part, loadState reads all of them. What a collective could not
   * do is an Error with code ERR_RANKS that names the ranks at fault.
   */
  async join(options: JoinOptions): Promise<void> {
    await this.#native.join(options)
  }

  /** Begins a turn: each of the first `contributors` ranks makes one backward, which sends its gradient
   *  layer by layer. */
  async beginTurn(contributors: number, label: string): Promise<void> {
    await this.#native.beginTurn({ contributors, label })
  }

  /** Ends the turn: its gradients are in the sum of the step. */
  async accumulate(): Promise<void> {
    await this.#native.accumulate()
  }

  /**
   * With `shard: 'parameters'`, gathers the weights on all ranks (a collective) unless they are there:
   * whatever uses them outside of a turn needs it, and the next turn or change ends it. `slots`: those of
   * the parameter slots too.
   */
  async holdWeights(slots: boolean, label: string): Promise<void> {
    await this.#native.holdWeights({ slots, label })
  }

  /** The bytes of every rank, in the order of ranks. */
  async allGather(bytes: Uint8Array, label: string): Promise<Uint8Array[]> {
    return await this.#native.allGatherBytes({ bytes: new Uint8Array(bytes), label })
  }

  async zeroGradients(): Promise<void> {
    await this.#native.zeroGradients()
  }

  /** Clips, makes one AdamW step and clears the gradients. `gradNorm` is the norm before clipping; if
   *  it is not finite nothing has changed but the gradients, which are cleared. */
  async optimizerStep(options: OptimizerOptions): Promise<{ gradNorm: number }> {
    return { gradNorm: await this.#native.optimizerStep(options) }
  }

  /** Forgets moments and step count. */
  async resetOptimizer(): Promise<void> {
    await this.#native.resetOptimizer()
  }

  /** slot ← (1 − alpha)·slot + alpha·policy; a new slot becomes a copy. It holds what is trained: of a
   *  model with adapters these alone. Throws `ERR_OUT_OF_MEMORY` and leaves every slot as it was. */
  async updateSlot(slot: string, alpha = 1): Promise<void> {
    await this.#native.updateSlot({ slot, alpha })
  }

  /** Writes fp32 weights, moments, step count and slots, for an exact resume, to the file `path`; one of
   *  several ranks writes its part, e.g. `path`.2-of-4. */
  async saveState(path: string): Promise<void> {
    await this.#native.saveState(path)
  }

  /** From the file `path` or the parts that any number of ranks wrote of it. */
  async loadState(path: string): Promise<void> {
    await this.#native.loadState(path)
  }

  /** A copy of what saveState would write, to be written while the engine goes on. */
  async snapshotState(): Promise<Snapshot> {
    return await this.#native.snapshotState()
  }

  /** Hashes of the weights as they are trained and as they are sampled from. `sampler` and `expected`
   *  differ where weights did not reach the sampler; both are 0 before anything was sampled. */
  async weightDigests(): Promise<WeightDigests> {
    return await this.#native.weightDigests()
  }

  /** The first value of a forward pass that is not finite, in the order of computing; else null. */
  async trace(
    batch: Batch,
    { signal, slot }: { signal?: AbortSignal; slot?: string } = {},
  ): Promise<NonFinite | null> {
    return await controlled(signal, control => this.#native.trace({ ...batch, slot }, control))
  }

  async readParameter(name: string): Promise<Float32Array> {
    return await this.#native.readParameter(name)
  }

  async writeParameter(name: string, values: Float32Array): Promise<void> {
    await this.#native.writeParameter(name, values)
  }

  async readGradient(name: string): Promise<Float32Array> {
    return await this.#native.readGradient(name)
  }

  /** Bytes by purpose. Of weights in pieces `mostGathered` is the most that was ever gathered from other
   *  ranks at a time, beside the room for two layers that `parameters` counts. */
  async memoryUse(): Promise<
    Record<'parameters' | 'gradients' | 'moments' | 'slots' | 'mostGathered', number>
  > {
    return await this.#native.memoryUse()
  }

  /** The parameters in the engine's flat order (for the test that holds it to lib/model). */
  async layout(): Promise<Pick<Parameter, 'name' | 'offset' | 'decay'>[]> {
    return await this.#native.layout()
  }

  /** Seconds of one operation in each run, and before each run the operations per second that one
   *  core reaches on registers alone. */
  async benchmark({
    signal,
    ...options
  }: BenchmarkOptions): Promise<{ seconds: Float64Array; peakFlops: Float64Array }> {
    return await controlled(signal, control => this.#native.benchmark(options, control))
  }

  /** Frees the memory now; later calls fail. */
  async dispose(): Promise<void> {
    await this.#native.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose()
  }
}
