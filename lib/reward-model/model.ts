/**
 * Reward models on disk and on an engine: a Qwen3 whose head is a classifier of two labels (0 the
 * policy's, 1 an expert's) at every token, in the layout of transformers' Qwen3ForTokenClassification
 * (`score.weight` [2, hidden], no bias). A language model becomes one by exchanging its head for zeros,
 * so that every token's odds begin even.
 */

import { logOdds } from '../algorithms/dense-reward.ts'
import { type Batch, Engine, type EngineOptions } from '../engine/engine.ts'
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import { type ModelConfig, TOKEN_CLASSIFIER } from '../model/config.ts'
import { type ModelDirectory, openModelDirectory } from '../model/directory.ts'
import { parameterLayout } from '../model/parameters.ts'
import { type WeightDtype, writeModelDirectory } from '../model/write-directory.ts'

export const SCORE = 'score.weight'
const LM_HEAD = 'lm_head.weight'
const LABELS = 2

interface RewardModel {
  engine: Engine
  directory: ModelDirectory
}

function classifierConfig(config: ModelConfig): ModelConfig {
  const raw = {
    ...config.raw,
    architectures: [TOKEN_CLASSIFIER],
    id2label: { 0: 'policy', 1: 'expert' },
    label2id: { policy: 0, expert: 1 },
  }
  return { ...config, numLabels: LABELS, raw }
}

/**
 * Opens a reward model; with `fromLanguageModel`, a language model is taken for a new one. The caller
 * disposes the engine. Throws `E_MODEL_CONFIG` for a directory of the other kind.
 */
export async function openRewardModel(
  path: string,
  options: Omit<EngineOptions, 'config' | 'init'> & { fromLanguageModel?: boolean } = {},
): Promise<RewardModel> {
  const { fromLanguageModel = false, ...engineOptions } = options
  const found = await openModelDirectory(path)
  if (found.config.numLabels === LABELS) {
    return { engine: await Engine.load(found, engineOptions), directory: found }
  }
  if (found.config.numLabels > 0 || !fromLanguageModel) {
    throw new KogrpoError(
      'E_MODEL_CONFIG',
      phrase(
        '{path} is no reward model: config.json has {labels} labels, a reward model has two; make one with kogrpo reward train',
        { path, labels: found.config.numLabels },
      ),
    )
  }
  const config = classifierConfig(found.config)
  const weights = found.weights!.filter(({ parameter }) => parameter.name !== LM_HEAD)
  const directory = { ...found, config, weights, layout: parameterLayout(config) }
  const engine = await Engine.load(directory, engineOptions)
  try {
    await engine.writeParameter(SCORE, new Float32Array(LABELS * config.hiddenSize))
    return { engine, directory }
  } catch (error) {
    await engine.dispose()
    throw error
  }
}

/** Writes the model as a Hugging Face directory. */
export async function saveRewardModel(
  path: string,
  { engine, directory }: RewardModel,
  dtype: Exclude<WeightDtype, 'F16'> = 'F32',
): Promise<void> {
  await writeModelDirectory(path, {
    config: directory.config,
    dtype,
    tokenizerDir: directory.tokenizerDir,
    writeWeights: (file, header, { parameters }) =>
      engine.writeWeights(file, header, dtype, { names: parameters }),
  })
}

/** The reward of every token of a batch: log-odds that an expert wrote it; 0 where the mask is 0. */
export async function tokenRewards(
  engine: Engine,
  batch: Pick<Batch, 'tokens' | 'cuSeqlens' | 'mask'>,
  signal?: AbortSignal,
): Promise<Float32Array> {
  const { tokens, cuSeqlens, mask } = batch
  const targets = new Int32Array(tokens.length).fill(1)
  const { logprobs } = await engine.score({ tokens, cuSeqlens, mask, targets }, { signal })
  return logprobs.map((l, t) => (mask && mask[t] === 0 ? 0 : logOdds(l)))
}
