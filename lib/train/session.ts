/** What every stage of a run works with: the model on its engine, its tokenizer, and the reports. */
import { availableParallelism } from 'node:os'
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
import { Engine } from '../engine/engine.ts'
import { KogrpoError } from '../errors.ts'
import type { Outcome } from '../eval/evaluate.ts'
import type { Place } from '../launch/place.ts'
import { phrase } from '../messages/phrase.ts'
import { type ModelDirectory, openModelDirectory } from '../model/directory.ts'
import type { EvalStageName } from '../report/events.ts'
import type { Reporter } from '../report/reporter.ts'
import { describeSmoothing, suppressChinese } from '../smooth/processor.ts'
import { adaptersOf } from './adapters.ts'
import type { BestStates } from './best.ts'
import { expandedEngine } from './expand.ts'
import type { GuardState } from './guards/decide.ts'
import { Oracle } from './oracle.ts'
import { Ranks } from './ranks.ts'
import type { Boundary, SavedState } from './run-state.ts'
import { isBuiltin, modelPath, sourceRecords } from './sources.ts'

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
  /** What the guards of the grpo stage know; null before it. */
  guards: GuardState | null
  /** The judge of the grpo stage, opened before anything is trained; null without an oracle. */
  oracle: Oracle | null
}

/** What a run is connected to. */
export interface RunIo {
  reporter: Reporter
  signal: AbortSignal
  /** Take the run up again from here. */
  resume?: SavedState | undefined
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
  const oracle = await Oracle.open(config, io.resume?.oracle)
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
    guards: null,
    oracle,
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
  if (shard === 'gradients' || shard === 'parameters') {
    throw new KogrpoError(
      'E_CONFIG',
      phrase(
        'shard: {shard} is planned for (kogrpo plan) but cannot be trained with yet; choose none or optimizer',
        { shard },
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
  if (place && place.size > 1 && config.device === 'cuda') {
    throw new KogrpoError(
      'E_DEVICE',
      phrase('several ranks train on CPUs only (over Gloo) so far; use --device cpu'),
    )
  }
  const { init, dtype, gradient_checkpointing, lm_head_chunk, smooth } = config.model
  const options = {
    device: config.device,
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
    reporter.emit({
      type: 'note',
      level: 'info',
      message: `model.smooth: ${describeSmoothing(smoothing)}, in sampling and training; checkpoints hold the weights without it (kogrpo smooth writes it into them)`,
    })
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
  const { columns, domain } = source
  const options = { ...settings, columns, domain, tokenizer, template }
  const { samples, counts } = await collectSamples(sourceRecords(source, config.seed), record =>
    make(record, options),
  )
  if (counts.skipped > 0 || counts.truncated > 0) {
    reporter.emit({
      type: 'note',
      level: 'warning',
      message: `${source.path}: of ${counts.records} samples ${counts.skipped} were skipped and ${counts.truncated} truncated (longer than ${settings.maxLength} tokens)`,
    })
  }
  const repeated = isBuiltin(source) ? null : describeRepeated(samples)
  if (repeated !== null) {
    reporter.emit({ type: 'note', level: 'warning', message: `${source.path}: ${repeated}` })
  }
  return samples
}

/** The sources of a stage as an endless, shuffled mixture; `arrange` may order a source's samples. */
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
    const arranged = arrange(await loadSamples(session, source, make, settings), source)
    parts.push({ name: `${i} ${source.path}`, ...arranged, weight: source.weight })
  }
  return { mixture: new Mixture(parts, { seed }), samples: parts.flatMap(part => part.items) }
}
