/**
 * How a run fits this machine's memory: the bytes of the weights in training and the activations of a
 * micro-batch. An estimate for choosing defaults, on the generous side; the engine refuses nothing by it.
 *
 *   weights in training: fp32 weight, gradient and two moments, 16 bytes a parameter
 *   activations of a token, fp32: a layer keeps about 2·hidden (residual, normed) × 2 + q, k, v and
 *   attention output + 3·intermediate; with gradient checkpointing only hidden for each layer and
 *   one layer's whole
 */
import type { ModelConfig } from '../model/config.ts'
import { parameterLayout } from '../model/parameters.ts'

const FLOAT = 4

export interface Fit {
  parameters: number
  /** Bytes that do not depend on the batch. */
  weights: number
  gradientCheckpointing: boolean
  /** Sequences of a micro-batch. */
  batch: number
  /** Estimated peak, bytes. */
  peak: number
  fits: boolean
}

function activationsPerToken(config: ModelConfig, checkpointing: boolean): number {
  const { hiddenSize, intermediateSize, numLayers, numHeads, numKvHeads, headDim } = config
  const attention = (2 * numHeads + 2 * numKvHeads) * headDim * 2
  const layer = (4 * hiddenSize + attention + 3 * intermediateSize) * FLOAT
  return checkpointing ? numLayers * hiddenSize * FLOAT + layer : numLayers * layer
}

/** The largest of 16, 8, 4, 2, 1 sequences of `length` tokens that fits, without checkpointing if it can. */
export function fitMachine(config: ModelConfig, length: number, available: number): Fit {
  const parameters = parameterLayout(config).total
  const weights = parameters * 4 * FLOAT
  const room = available * 0.85
  const peakOf = (batch: number, checkpointing: boolean): number =>
    weights +
    batch * length * activationsPerToken(config, checkpointing) +
    256 * config.vocabSize * FLOAT
  for (const checkpointing of [false, true]) {
    for (const batch of [16, 8, 4, 2, 1]) {
      // A batch of one without checkpointing is slower than a larger one with it.
      if (batch === 1 && !checkpointing) continue
      const peak = peakOf(batch, checkpointing)
      if (peak <= room) {
        return {
          parameters,
          weights,
          gradientCheckpointing: checkpointing,
          batch,
          peak,
          fits: true,
        }
      }
    }
  }
  const peak = peakOf(1, true)
  return { parameters, weights, gradientCheckpointing: true, batch: 1, peak, fits: false }
}
