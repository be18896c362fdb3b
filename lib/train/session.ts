/** What every stage of a run works with: the model on its engine, its tokenizer, and the reports. */

import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { SmoothSettings } from '../config/schema/smooth.ts'
import type { Recipe, Source } from '../config/schema.ts'
import { ChatTemplate } from '../data/chat-template.ts'
import { Mixture } from '../data/mixture.ts'
import type { SourceRecord } from '../data/readers.ts'
import { describeRepeated } from '../data/repeated.ts'
import {
  collectSamples,
  type GrpoSample,
  type SampleOptions,
  type Outcome as SampleOutcome,
  type SftSample,
} from '../data/samples.ts'
import { Tokenizer } from '../data/tokenizer.ts'
import { sumFile } from '../durable/files.ts'
import { Engine } from '../engine/engine.ts'
import { KogrpoError } from '../errors.ts'
import type { Outcome } from '../eval/evaluate.ts'
import type { Place } from '../launch/place.ts'
import { joined, phrase } from '../messages/phrase.ts'
import { type ModelDirectory, openModelDirectory } from '../model/directory.ts'
import type { EvalStageName } from '../report/events.ts'
import { note } from '../report/events.ts'
import type { Reporter } from '../report/reporter.ts'
import { describeSmoothing, suppressChinese } from '../smooth/processor.ts'
import { adaptersOf } from './adapters.ts'
import type { BestStates } from './best.ts'
import { DataLedger } from './data-ledger.ts'
import { DenseReward } from './dense.ts'
import { engineUse } from './engine-use.ts'
import { expandedEngine } from './expand.ts'
import { returnTo } from './find-state.ts'
import type { GuardState } from './guards/decide.ts'
import { Oracle } from './oracle.ts'
import { Ranks } from './ranks.ts'
import type { Boundary, SavedState } from './run-state.ts'
import { SameRun } from './same-run.ts'
import { StateSaver, statesToKeep } from './save-state.ts'
import { isBuiltin, modelPath, sourceRecords } from './sources.ts'
import { trainsParts } from './trained-part.ts'

export { modelPath } from './sources.ts'

export interface Session {
  config: Recipe
  engine: Engine
  directory: ModelDirectory
  tokenizer: Tokenizer
  template: ChatTemplate
  reporter: Reporter
  /** The processes that train together; this one alone, as a rule. */
  ranks: Ranks
  /** Of `ranks`: several stop together, at a step boundary. */
  signal: AbortSignal
  /** Evaluations made so far. */
  outcomes: Map<EvalStageName, Outcome[]>
  /** The last step boundary whose weights the engine holds; null before the first stage, and
   *  after a resume until its weights are loaded: the state on disk is then still the last. */
  boundary: Boundary | null
  /** The state this run is taken up from, until its stage has begun. */
  resumed: SavedState | null
  /** The best models of the stages so far. */
  best: BestStates
  /** Whether this is the run that was saved. */
  same: SameRun
  /** What the sources held. */
  data: DataLedger
  /** XXH64 of the weights that the run began with, and SHA-256 of tokenizer.json. */
  modelHash: string
  tokenizerHash: string
  saver: StateSaver
  /** What the guards of the grpo stage know; null before it. */
  guards: GuardState | null
  /** The judge of the grpo stage, opened before anything is trained; null without an oracle. */
  oracle: Oracle | null
  /** The reward model that rates the tokens of completions; null without `dense_reward`. */
  dense: DenseReward | null
}

/** What a run is connected to. */
export interface RunIo {
  reporter: Reporter
  signal: AbortSignal
  /** Take the run up again from here. */
  resume?: SavedState | undefined
  /** Go on also where recipe, tokenizer or data are not those of the state; it is recorded. */
  acceptChanges?: boolean | undefined
  /** The run stands still and does not end either: what its watchdog says. */
  giveUp?: ((message: string) => void) | undefined
  /** This process is one rank of several. */
  place?: Place | undefined
}

/** Opens the model of a recipe. The caller disposes the engine. */
export async function openSession(config: Recipe, io: RunIo): Promise<Session> {
  const { path, init, config: changes } = config.model
  const directory = await openModelDirectory(modelPath(path), {
    weights: init === 'pretrained',
    config: changes,
  })
  const tokenizer = await Tokenizer.load(directory.tokenizerDir)
  tokenizer.requireModel(directory.config)
  const engine = await openEngine(config, directory, tokenizer, io)
  try {
    return await sessionOf(config, io, directory, tokenizer, engine)
  } catch (error) {
    await engine.dispose()
    throw error
  }
}

async function sessionOf(
  recipe: Recipe,
  io: RunIo,
  directory: ModelDirectory,
  tokenizer: Tokenizer,
  engine: Engine,
): Promise<Session> {
  const { config, ranks } = await joinRanks(recipe, engine, io)
  const same = new SameRun(io.resume, io.acceptChanges ?? false, io.reporter)
  same.checkRecipe(config)
  const tokenizerFile = join(directory.tokenizerDir, 'tokenizer.json')
  const { sha256: tokenizerHash } = await sumFile(tokenizerFile)
  same.checkHash('tokenizer', tokenizerFile, io.resume?.tokenizer, tokenizerHash)
  const model = (await engine.weightDigests()).parameters.toString(16)
  same.checkThat(
    'model',
    io.resume === undefined || io.resume.model === model
      ? null
      : `${directory.dir} with other weights`,
  )
  const oracle = await Oracle.open(config, io.resume?.oracle)
  const cache = io.resume?.judge_cache
  if (oracle && cache) same.checkThat('judge cache', oracle.checkCache(cache))
  const dense = await DenseReward.open(config, tokenizerHash).catch(async error => {
    await oracle?.close()
    throw error
  })
  if (io.resume && ranks.first) {
    await returnTo(config.output_dir, io.resume, statesToKeep(config, io.resume.stage))
  }
  return {
    config,
    engine,
    ranks,
    directory,
    tokenizer,
    template: new ChatTemplate(tokenizer),
    reporter: io.reporter,
    signal: ranks.signal,
    outcomes: new Map(io.resume?.outcomes),
    boundary: null,
    resumed: io.resume ?? null,
    best: io.resume?.best ?? {},
    same,
    data: new DataLedger(same, io.resume?.data),
    modelHash: model,
    tokenizerHash,
    saver: new StateSaver(io.resume?.path),
    guards: null,
    oracle,
    dense,
  }
}

function sharedThreads({ localSize }: Place): number {
  return Math.max(1, Math.floor(availableParallelism() / localSize))
}

/** Meets the other ranks. All have one recipe, and rank 0's directory. */
async function joinRanks(
  config: Recipe,
  engine: Engine,
  { place, signal }: RunIo,
): Promise<{ config: Recipe; ranks: Ranks }> {
  if (!place) return { config, ranks: Ranks.alone(signal) }
  const { shard } = config
  if (shard === 'parameters' && (config.lora || trainsParts(config))) {
    throw new KogrpoError(
      'E_CONFIG',
      phrase(
        'shard: parameters divides what is trained, and lora, train_only and trainable_neurons train a part; choose gradients',
      ),
    )
  }
  const ranks = await Ranks.join(engine, place, shard, signal)
  const { output_dir, threads: _threads, ...rest } = config
  await ranks.agree('recipe', JSON.stringify(rest))
  const [first] = await ranks.gather(output_dir, 'the output directory')
  return { config: { ...config, output_dir: first! }, ranks }
}

async function openEngine(
  config: Recipe,
  directory: ModelDirectory,
  tokenizer: Tokenizer,
  { reporter, place }: RunIo,
): Promise<Engine> {
  if (place && place.size > 1 && config.device !== 'cpu') {
    throw new KogrpoError(
      'E_DEVICE',
      phrase('several ranks train on CPUs only (over Gloo) so far; use --device cpu'),
    )
  }
  const { init, dtype, moments, gradient_checkpointing, lm_head_chunk, smooth } = config.model
  const options = {
    device: config.device,
    deterministic: config.deterministic,
    moments,
    use: engineUse(config),
    // Ranks of one machine share its processors.
    threads: config.threads || (place ? sharedThreads(place) : 0),
    dtype,
    gradientCheckpointing: gradient_checkpointing,
    lmHeadChunk: lm_head_chunk ?? 0,
    lora: adaptersOf(config, directory, reporter),
    loraSeed: config.lora?.seed ?? config.seed,
  }
  const make = async (): Promise<Engine> => {
    if (init === 'pretrained') return await Engine.load(directory, options)
    if (init === 'expanded') {
      return await expandedEngine(
        await openModelDirectory(directory.dir),
        directory.config,
        options,
      )
    }
    return await Engine.create({
      ...options,
      config: directory.config,
      init: { seed: config.seed, std: initializerRange(directory) },
    })
  }
  const engine = await make()
  if (smooth !== undefined) await smoothEngine(engine, tokenizer, directory, smooth, reporter)
  return engine
}

/** Suppresses Chinese for the whole run, and says so; disposes the engine when that fails. */
async function smoothEngine(
  engine: Engine,
  tokenizer: Tokenizer,
  directory: ModelDirectory,
  settings: SmoothSettings,
  reporter: Reporter,
): Promise<void> {
  try {
    const smoothing = await suppressChinese(engine, tokenizer, directory.dir, settings)
    reporter.emit(
      note(
        'info',
        phrase(
          'model.smooth: {what}, in sampling and training; checkpoints hold the weights without it (kogrpo smooth writes it into them)',
          { what: describeSmoothing(smoothing) },
        ),
      ),
    )
  } catch (error) {
    await engine.dispose()
    throw error
  }
}

function initializerRange(directory: ModelDirectory): number {
  const range = directory.config.raw.initializer_range
  return typeof range === 'number' && range > 0 ? range : 0.02
}

/** How a stage turns records into samples. */
export type SampleMaker<T> = (record: SourceRecord, options: SampleOptions) => SampleOutcome<T>

export interface SampleSettings {
  /** The key of the recipe that names the source, such as "sft.data[0]". */
  use: string
  maxLength: number
  overlong: SampleOptions['overlong']
  systemPrompt?: string | undefined
  enableThinking?: boolean | undefined
}

/** Samples of one source; what was skipped, truncated or stands there twice is reported. */
export async function loadSamples<T extends SftSample | GrpoSample>(
  session: Session,
  source: Source,
  make: SampleMaker<T>,
  settings: SampleSettings,
): Promise<T[]> {
  const { tokenizer, template, reporter, config } = session
  const { use, ...rest } = settings
  const { columns, domain } = source
  const options = { ...rest, columns, domain, tokenizer, template }
  const records = session.data.watch(use, source.path, sourceRecords(source, config.seed))
  const { samples, counts } = await collectSamples(records, record => make(record, options))
  if (counts.skipped > 0 || counts.truncated > 0) {
    reporter.emit(
      note(
        'warning',
        phrase(
          '{path}: of {records} samples {skipped} were skipped and {truncated} truncated (longer than {limit} tokens)',
          { path: source.path, ...counts, limit: settings.maxLength },
        ),
      ),
    )
  }
  const repeated = isBuiltin(source) ? null : describeRepeated(samples)
  if (repeated !== null) {
    reporter.emit(note('warning', joined([source.path, repeated], ': ')))
  }
  return samples
}

/** The sources of a stage as an endless, shuffled mixture; `settings.use` names their list, `arrange`
 *  may order a source's samples. */
export async function loadMixture<T extends SftSample | GrpoSample>(
  session: Session,
  sources: Source[],
  seed: number,
  make: SampleMaker<T>,
  settings: SampleSettings,
  arrange: (
    items: T[],
    source: Source,
  ) => { items: T[]; buckets?: number[] | undefined } = items => ({
    items,
  }),
): Promise<{ mixture: Mixture<T>; samples: T[] }> {
  const parts = []
  for (const [i, source] of sources.entries()) {
    const use = `${settings.use}[${i}]`
    const items = await loadSamples(session, source, make, { ...settings, use })
    parts.push({ name: `${i} ${source.path}`, ...arrange(items, source), weight: source.weight })
  }
  return { mixture: new Mixture(parts, { seed }), samples: parts.flatMap(part => part.items) }
}
