/**
 * Floating-point operations of a Qwen3 dense model, a fused multiply-add counting two. Only products
 * and attention are counted (norms, rotations and activations are passes over memory), as usual: see
 * "Scaling Laws for Neural Language Models" (arXiv 2001.08361), table 1.
 */
import type { ModelConfig } from '../model/config.ts'

/** Of the blocks' products, per token. */
export function blockFlops(c: ModelConfig): number {
  const q = c.numHeads * c.headDim
  const kv = c.numKvHeads * c.headDim
  const weights = c.hiddenSize * (2 * q + 2 * kv + 3 * c.intermediateSize)
  return 2 * c.numLayers * weights
}

/** Of the LM head, per row. */
export function headFlops(c: ModelConfig): number {
  return 2 * c.hiddenSize * c.vocabSize
}

/** Of one layer's attention, for one sequence whose tokens [from, to) are queries. */
export function attentionFlops(c: ModelConfig, from: number, to: number): number {
  const pairs = (to * (to + 1) - from * (from + 1)) / 2
  return 4 * c.numHeads * c.headDim * pairs
}

/** The backward of attention makes five products where the forward makes two. */
export const ATTENTION_BACKWARD = 2.5

/** Forward over `batch` sequences of `seq` tokens with log-probs of all but the first. */
export function forwardFlops(c: ModelConfig, batch: number, seq: number): number {
  const attention = c.numLayers * attentionFlops(c, 0, seq)
  return batch * (seq * blockFlops(c) + (seq - 1) * headFlops(c) + attention)
}

/** Forward and backward; `rows`: tokens with a log-prob per sequence (default: all but the first). */
export function trainingFlops(c: ModelConfig, batch: number, seq: number, rows = seq - 1): number {
  const attention = c.numLayers * attentionFlops(c, 0, seq) * (1 + ATTENTION_BACKWARD)
  return batch * (3 * (seq * blockFlops(c) + rows * headFlops(c)) + attention)
}

/** `sequences` completions of `fresh` tokens for `prompts` different prompts, with a cache. */
export function generationFlops(
  c: ModelConfig,
  prompts: number,
  sequences: number,
  prompt: number,
  fresh: number,
): number {
  const last = prompt + fresh - 1
  const attention = c.numLayers
  return (
    prompts * (prompt * blockFlops(c) + attention * attentionFlops(c, 0, prompt)) +
    sequences *
      ((last - prompt) * blockFlops(c) +
        fresh * headFlops(c) +
        attention * attentionFlops(c, prompt, last))
  )
}
