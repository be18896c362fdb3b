/**
 * Advantages per token from a frozen reward checkpoint (`dense_reward`; R-AIRL, arXiv 2510.01857):
 *
 *   A_t = A(outcome) + weight · D_t,   D_t = Σ γ^k (z_{t+k} − b)      lib/algorithms/dense-reward.ts
 *
 * z is the log-odds that an expert wrote the token, read in one forward pass over prompt and completion.
 * The checkpoint does not learn while the policy does: one that did ranked worse than chance.
 */
import { denseAdvantages } from '../algorithms/dense-reward.ts'
import type { GrpoStage, Recipe } from '../config/schema.ts'
import { concatenate } from '../data/packing.ts'
import { sumFile } from '../durable/files.ts'
import type { Engine } from '../engine/engine.ts'
import { KogrpoError } from '../errors.ts'
import { deviceOf, placeOf } from '../launch/place.ts'
import { phrase } from '../messages/phrase.ts'
import type { Metrics } from '../report/events.ts'
import { openRewardModel, tokenRewards } from '../reward-model/model.ts'
import { type Rollout, trainingSequence } from '../rollout/rollout.ts'
import type { Ranks } from './ranks.ts'
import { modelPath } from './sources.ts'

type Settings = NonNullable<GrpoStage['dense_reward']>

/** What the reward model says of a generation. */
interface DenseAdvantages {
  /** weight · D, one array a rollout, one number a token of its completion. */
  tokens: Float32Array[]
  metrics: Metrics
}

export class DenseReward {
  readonly #engine: Engine
  readonly #settings: Settings
  /** XXH64 of the checkpoint's weights, in hexadecimal. */
  readonly hash: string

  private constructor(engine: Engine, settings: Settings, hash: string) {
    this.#engine = engine
    this.#settings = settings
    this.hash = hash
  }

  /**
   * Loads the checkpoint that a recipe names; null where it names none. The caller closes it. Throws
   * `E_MODEL_CONFIG` for what is no reward model or has another tokenizer than the policy, whose
   * tokenizer.json has the SHA-256 `tokenizerHash`.
   */
  static async open(config: Recipe, tokenizerHash: string): Promise<DenseReward | null> {
    const settings = config.grpo?.dense_reward
    if (settings === undefined) return null
    const path = modelPath(settings.path)
    const { engine, directory } = await openRewardModel(path, {
      threads: config.threads,
      device: deviceOf(config.device, placeOf(process.env), process.env),
    })
    try {
      const file = `${directory.tokenizerDir}/tokenizer.json`
      const { sha256 } = await sumFile(file)
      if (sha256 !== tokenizerHash) {
        throw new KogrpoError(
          'E_MODEL_CONFIG',
          phrase(
            "grpo.dense_reward.path: {file} is not the policy's tokenizer; train the reward model from a model with the same tokens",
            { file },
          ),
        )
      }
      const { parameters } = await engine.weightDigests()
      return new DenseReward(engine, settings, parameters.toString(16))
    } catch (error) {
      await engine.dispose()
      throw error
    }
  }

  /** Reads the completions, groups adjacent; every rank gets the advantages of all. */
  async advantages(
    { ranks, signal }: { ranks: Ranks; signal: AbortSignal },
    stage: GrpoStage,
    rollouts: readonly Rollout[],
    label: string,
  ): Promise<DenseAdvantages> {
    const { weight, gamma, scale } = this.#settings
    const size = stage.num_generations
    const groups = Array.from({ length: rollouts.length / size }, (_, g) =>
      rollouts.slice(g * size, (g + 1) * size),
    )
    const read = await ranks.map(groups, `dense rewards, ${label}`, async group => {
      const sequences = group.map(rollout =>
        trainingSequence(rollout, { mask_truncated_completions: false, shared_prefix: false }),
      )
      const { tokens, cuSeqlens, mask } = concatenate(sequences, [...sequences.keys()])
      const rewards = await tokenRewards(this.#engine, { tokens, cuSeqlens, mask }, signal)
      const advantages = denseAdvantages({
        ...{ rewards, mask, cuSeqlens, num_generations: size, gamma, scale },
      })
      return group.map(({ tokens: own }, i) => {
        const from = cuSeqlens[i + 1]! - own.length
        const part = (values: Float32Array): number[] => [...values.slice(from, from + own.length)]
        return { rewards: part(rewards), advantages: part(advantages) }
      })
    })
    const all = read.flat()
    const mean = (values: readonly number[]): number | null =>
      values.length === 0 ? null : values.reduce((sum, x) => sum + x, 0) / values.length
    return {
      tokens: all.map(({ advantages }) => Float32Array.from(advantages, a => weight * a)),
      metrics: {
        'dense_reward/mean': mean(all.flatMap(({ rewards }) => rewards)),
        'dense_reward/advantage_abs': mean(
          all.flatMap(({ advantages }) => advantages.map(a => Math.abs(weight * a))),
        ),
      },
    }
  }

  async close(): Promise<void> {
    await this.#engine.dispose()
  }
}
