/** Opens the model of a recipe on its engine, alone or as one of several ranks, and all that a run needs beside it. */
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { SmoothSettings } from '../config/schema/smooth.ts'
import type { Recipe } from '../config/schema.ts'
import { ChatTemplate } from '../data/chat-template.ts'
import { Tokenizer } from '../data/tokenizer.ts'
import { sumFile } from '../durable/files.ts'
import { Engine } from '../engine/engine.ts'
import { deviceOf, type Place } from '../launch/place.ts'
import { phrase } from '../messages/phrase.ts'
import { type ModelDirectory, openModelDirectory } from '../model/directory.ts'
import { note } from '../report/events.ts'
import type { Reporter } from '../report/reporter.ts'
import { loadOwnRewards } from '../rewards/own.ts'
import { describeSmoothing, suppressChinese } from '../smooth/processor.ts'
import { adaptersOf } from './adapters.ts'
import { DataLedger } from './data-ledger.ts'
import { DenseReward } from './dense.ts'
import { engineUse } from './engine-use.ts'
import { expandedEngine } from './expand.ts'
import { returnTo } from './find-state.ts'
import { Oracle } from './oracle.ts'
import { Ranks } from './ranks.ts'
import { describeRanks, streamsRollout } from './rollout-weights.ts'
import { SameRun } from './same-run.ts'
import { StateSaver, statesToKeep } from './save-state.ts'
import type { RunIo, Session } from './session.ts'
import { modelPath } from './sources.ts'

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
  const ownRewards = await loadOwnRewards(config.grpo?.reward_functions)
  for (const { name, path, sha256 } of ownRewards) {
    const key = `grpo.reward_functions.${name}`
    same.checkHash(key, path, io.resume?.reward_functions?.[name], sha256)
  }
  const oracle = await Oracle.open(config, io.resume?.oracle)
  let dense: DenseReward | null = null
  try {
    const { judge_cache: cache, dense_reward: rewarding } = io.resume ?? {}
    if (oracle && cache) same.checkThat('judge cache', oracle.checkCache(cache))
    dense = await DenseReward.open(config, tokenizerHash)
    if (dense && rewarding !== undefined && rewarding !== dense.hash) {
      const { path } = config.grpo!.dense_reward!
      same.checkThat('grpo.dense_reward', `${path} with other weights`)
    }
    if (io.resume && ranks.first) {
      await returnTo(config.output_dir, io.resume, statesToKeep(config, io.resume.stage))
    }
  } catch (error) {
    await dense?.close()
    await oracle?.close()
    throw error
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
    ownRewards,
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
  { place, signal, reporter }: RunIo,
): Promise<{ config: Recipe; ranks: Ranks }> {
  if (!place) return { config, ranks: Ranks.alone(signal) }
  const { shard } = config
  const ranks = await Ranks.join(engine, place, shard, signal)
  const { output_dir, threads: _threads, ...rest } = config
  await ranks.agree('recipe', JSON.stringify(rest))
  const [first] = await ranks.gather(output_dir, 'the output directory')
  const streams = streamsRollout(
    config,
    engine.config,
    place,
    process.availableMemory(),
    engine.lora,
  )
  ranks.streams = (await ranks.gather(streams, 'where the weights are to be')).includes(true)
  reporter.emit(note('info', describeRanks(place, shard, ranks.streams)))
  return { config: { ...config, output_dir: first! }, ranks }
}

async function openEngine(
  config: Recipe,
  directory: ModelDirectory,
  tokenizer: Tokenizer,
  { reporter, place }: RunIo,
): Promise<Engine> {
  const { init, dtype, moments, gradient_checkpointing, lm_head_chunk, smooth } = config.model
  const options = {
    device: deviceOf(config.device, place ?? null, process.env),
    deterministic: config.deterministic,
    moments,
    use: engineUse(config, place?.size),
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
