/**
 * A plan for a recipe on a cluster: what each rank holds, what goes over the links, how long a step
 * takes; and if it does not fit, the nearest settings that do. The knobs are tried in the order in which
 * they cost least: recompute more, shard more, smaller micro-batches.
 */
import { hasReference } from '../config/neighbour-rules.ts'
import type { GrpoStage, Recipe, SftStage } from '../config/schema.ts'
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import type { ModelConfig } from '../model/config.ts'
import { adapterParameters, elementsOf } from '../model/lora.ts'
import { type Geometry, geometryOf, type Recompute } from './geometry.ts'
import { type Cluster, EFFICIENCY } from './hardware.ts'
import { cacheTokens, type MemoryPlan, planMemory, SHARDS, type Shard } from './memory.ts'
import {
  type CommunicationVolume,
  communicationVolume,
  decodeSeconds,
  exposedSeconds,
  modelFlopsUtilisation,
  trainSecondsPerToken,
} from './time.ts'

interface Settings {
  shard: Shard
  recompute: Recompute
  /** Sequences (or packed rows) of a micro-batch of one rank. */
  batch: number
}

export interface PhaseTime {
  name: 'sampling' | 'training' | 'optimizer' | 'exposed communication'
  seconds: number
}

export interface StagePlan {
  stage: 'sft' | 'grpo'
  load: Load
  settings: Settings
  memory: MemoryPlan
  fits: boolean
  /** Tokens that keys and values may hold while sampling, a rank; null for sft. */
  cacheTokens: number | null
  communication: CommunicationVolume
  /** On a processor none but what was measured there (withPhases). */
  phases: PhaseTime[]
  /** Tokens of a step over all ranks, and per second; null on a processor that was not measured. */
  tokens: number
  tokensPerSecond: number | null
  /** Of the training phase. */
  mfu: number | null
}

const RECOMPUTE: readonly Recompute[] = ['none', 'norm_swiglu', 'ffn', 'block']
const HEAD_CHUNK = 1024

/** What a stage asks of every optimizer step. */
export interface Load {
  /** Elements of LoRA's adapters; 0: the weights are trained. */
  adapters?: number
  /** The weights under adapters are 8-bit integers. */
  int8?: boolean
  /** Products, and with them a processor's keys and values, are of bfloat16. */
  bf16?: boolean
  stage: 'sft' | 'grpo'
  /** Tokens of a sequence or packed row: they bound the memory. */
  length: number
  /** What they have on the average: they make the time. */
  mean: number
  /** Mean tokens that attention stays within: of a sample, of which a packed row has several. */
  sample: number
  /** Share of the tokens that have a log-prob, and so logits. */
  scored: number
  /** Sequences of an optimizer step over all ranks: a step is the same however many ranks make it. */
  sequences: number
  batch: number
  reference: boolean
  /** Limits and means of prompt and completion tokens, completions of all ranks and of a prompt; null for
   *  sft. */
  rollout: {
    prompt: number
    completion: number
    meanPrompt: number
    meanCompletion: number
    completions: number
    group: number
  } | null
}

/** Mean tokens, where they are known. */
export interface Lengths {
  prompt?: number | undefined
  completion?: number | undefined
  /** Of a sample of sft, and those of them that are trained. */
  sample?: number | undefined
  trained?: number | undefined
}

/** Without lengths: rows of one sample, all of it trained. */
function sftLoad(stage: SftStage, lengths: Lengths): Load {
  const batch = stage.per_device_train_batch_size
  const { sample = stage.max_length, trained = sample } = lengths
  return {
    stage: 'sft',
    length: stage.max_length,
    mean: stage.packing ? stage.max_length : sample,
    ...{ sample, scored: trained / sample },
    sequences: batch * stage.gradient_accumulation_steps,
    batch,
    reference: false,
    rollout: null,
  }
}

/** Prompts and completions differ in length; on the average a run's have about half of the limit. */
function grpoLoad(stage: GrpoStage, lengths: Lengths): Load {
  const { max_prompt_length: prompt, max_completion_length: completion } = stage
  const { prompt: meanPrompt = prompt / 2, completion: meanCompletion = completion / 2 } = lengths
  const batch = stage.per_device_train_batch_size
  const completions = batch * stage.gradient_accumulation_steps
  return {
    stage: 'grpo',
    length: prompt + completion,
    mean: meanPrompt + meanCompletion,
    sample: meanPrompt + meanCompletion,
    scored: meanCompletion / (meanPrompt + meanCompletion),
    sequences: completions * stage.num_iterations,
    batch,
    reference: hasReference(stage),
    rollout: {
      ...{ prompt, completion, meanPrompt, meanCompletion, completions },
      group: stage.num_generations,
    },
  }
}

/** Plans of the recipe's stages, with these settings, or with the nearest that fit. */
export function planRecipe(
  recipe: Recipe,
  config: ModelConfig,
  cluster: Cluster,
  wanted: Partial<Settings>,
  lengths: Lengths = {},
): { asked: StagePlan[]; nearest: StagePlan[] } {
  const geometry = geometryOf(config)
  const int8 = recipe.model.dtype === 'int8'
  if (int8 && !cluster.cpu) {
    throw new KogrpoError(
      'E_CONFIG',
      phrase(
        'model.dtype: int8 weights are multiplied on the CPU only; plan with --gpus CPU-64GB or with bfloat16',
      ),
    )
  }
  const adapters = recipe.lora ? elementsOf(adapterParameters(config, recipe.lora, 0)) : 0
  const loads = [
    ...(recipe.sft ? [sftLoad(recipe.sft, lengths)] : []),
    ...(recipe.grpo ? [grpoLoad(recipe.grpo, lengths)] : []),
  ].map(load => ({ ...load, adapters, int8, bf16: recipe.model.dtype === 'bfloat16' }))
  const asked = loads.map(load => {
    const settings = {
      shard: wanted.shard ?? recipe.shard,
      recompute: wanted.recompute ?? (recipe.model.gradient_checkpointing ? 'block' : 'none'),
      batch: wanted.batch ?? load.batch,
    }
    return planStage(geometry, load, cluster, settings)
  })
  const nearest = asked.map((plan, i) =>
    plan.fits ? plan : nearestFit(geometry, loads[i]!, cluster, plan),
  )
  return { asked, nearest }
}

/** A plan of a processor with the phases that were measured there (processor.ts). */
export function withPhases(plan: StagePlan, phases: PhaseTime[]): StagePlan {
  const step = phases.reduce((sum, phase) => sum + phase.seconds, 0)
  return { ...plan, phases, tokensPerSecond: plan.tokens / step }
}

/** The cheapest settings that fit; the last tried if none does. */
function nearestFit(g: Geometry, load: Load, cluster: Cluster, asked: StagePlan): StagePlan {
  let last = asked
  for (let { batch } = asked.settings; batch >= 1; batch = Math.floor(batch / 2)) {
    for (const shard of cluster.ranks === 1 ? (['none'] as const) : SHARDS) {
      for (const recompute of RECOMPUTE) {
        last = planStage(g, load, cluster, { shard, recompute, batch })
        if (last.fits) return last
      }
    }
  }
  return last
}

function planStage(g: Geometry, load: Load, cluster: Cluster, settings: Settings): StagePlan {
  const { gpu, ranks } = cluster
  const { shard, recompute, batch } = settings
  const work = {
    stores: cluster.cpu ? ('fp32' as const) : ('bf16' as const),
    int8: load.int8 ?? false,
    ...{ shard, recompute, ranks, reference: load.reference },
    ...{ microBatchTokens: batch * load.length, headChunk: HEAD_CHUNK },
    adapters: load.adapters ?? 0,
    packed: cluster.cpu === true && load.rollout !== null,
  }
  const memory = planMemory(g, work, gpu.memory)
  const { cpu = false } = cluster
  // Micro-batches are handed out whole; with more ranks than micro-batches some have nothing to do.
  const microBatches = Math.ceil(load.sequences / batch / ranks)
  const elements = load.adapters || g.parameters
  const communication = communicationVolume(
    g,
    shard,
    ranks,
    microBatches,
    load.rollout !== null,
    load.adapters ?? 0,
  )
  const { mean, sample, scored } = load
  const perToken = trainSecondsPerToken(g, { sample, scored }, recompute, cluster, EFFICIENCY)
  const reference = load.reference ? perToken / 3 : 0
  const trained = microBatches * Math.min(batch, load.sequences) * mean
  const training = trained * (perToken + reference)
  const phases: PhaseTime[] = []
  let fits = memory.total <= gpu.memory
  let tokens: number | null = null
  if (load.rollout) {
    tokens = cacheTokens(g, memory.cache, load.bf16 ? 'bf16' : work.stores)
    const { seconds, running } = rolloutSeconds(
      g,
      { ...load.rollout, completions: Math.ceil(load.rollout.completions / ranks) },
      tokens,
      cluster,
    )
    fits &&= running >= 1
    phases.push({ name: 'sampling', seconds })
  }
  phases.push({ name: 'training', seconds: training })
  const updated = SHARDS.indexOf(shard) >= 1 ? elements / ranks : elements
  phases.push({
    name: 'optimizer',
    seconds: (updated * 16) / (gpu.bandwidth * EFFICIENCY.bandwidth),
  })
  if (ranks > 1) {
    phases.push({
      name: 'exposed communication',
      seconds: exposedSeconds(communication, cluster, EFFICIENCY),
    })
  }
  const step = phases.reduce((sum, phase) => sum + phase.seconds, 0)
  return {
    stage: load.stage,
    load,
    settings,
    memory,
    fits,
    cacheTokens: tokens,
    communication,
    phases: cpu ? [] : phases,
    tokens: load.sequences * mean,
    tokensPerSecond: cpu ? null : (load.sequences * mean) / step,
    mfu: cpu ? null : modelFlopsUtilisation(g, { sample, scored }, trained / training, gpu.flops),
  }
}

/** Completions are sampled in waves of as many as the cache holds at their mean length. */
function rolloutSeconds(
  g: Geometry,
  { prompt, completion, completions, ...mean }: NonNullable<Load['rollout']>,
  cache: number,
  cluster: Cluster,
): { seconds: number; running: number } {
  const running = Math.min(completions, Math.floor(cache / (prompt + completion)))
  if (running < 1) return { seconds: Number.POSITIVE_INFINITY, running }
  const context = mean.meanPrompt + mean.meanCompletion / 2
  const steps = (completions * mean.meanCompletion) / running
  return { seconds: steps * decodeSeconds(g, running, context, cluster, EFFICIENCY), running }
}
