/** One optimizer step by a stage's options. */
import { learningRate, type ScheduleOptions } from './schedule.ts'
import type { Session } from './session.ts'

interface OptimizerOptions extends ScheduleOptions {
  adam_beta1: number
  adam_beta2: number
  adam_epsilon: number
  weight_decay: number
  max_grad_norm: number
}

/**
 * Steps with the gradients that have been accumulated. `trained: false` says that no token had a
 * coefficient: then nothing is moved, not even by momentum or decay; nor where `grad_norm` is not
 * finite (nonfinite.ts says what then happens).
 */
export async function optimizerStep(
  { engine }: Session,
  options: OptimizerOptions,
  step: number,
  steps: number,
  trained = true,
): Promise<{ grad_norm: number; learning_rate: number }> {
  const rate = learningRate(step, steps, options)
  if (!trained) return { grad_norm: 0, learning_rate: rate }
  const { gradNorm } = await engine.optimizerStep({
    learningRate: rate,
    beta1: options.adam_beta1,
    beta2: options.adam_beta2,
    epsilon: options.adam_epsilon,
    weightDecay: options.weight_decay,
    maxGradNorm: options.max_grad_norm,
    label: `update, step ${step}`,
  })
  return { grad_norm: gradNorm, learning_rate: rate }
}
