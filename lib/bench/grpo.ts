/**
 * Benchmark of one whole Dr. GRPO step: sample `group` completions of each of `batch` prompts, reward
 * them (share of even ids: cheap, and different inside a group), group advantages, the fused
 * on-policy gradient in micro-batches of `micro` sequences, the loss's statistics, one AdamW step.
 */
import { performance } from 'node:perf_hooks'
import { groupAdvantages } from '../algorithms/advantages.ts'
import {
  coefficientsOnPolicy,
  type PolicyLossOptions,
  policyLoss,
} from '../algorithms/policy-loss.ts'
import { concatenate, type Packable } from '../data/packing.ts'
import type { Completion, Engine, GenerateRequest } from '../engine/engine.ts'
import { generationFlops, trainingFlops } from './flops.ts'
import { type BenchResult, report, spread, timed } from './measure.ts'
import { randomRequests } from './model.ts'
import type { BenchOptions } from './options.ts'

type Phase = 'generate' | 'update' | 'optimizer'

export async function benchGrpo(options: BenchOptions, engine: Engine): Promise<BenchResult> {
  const { geometry, sizes, runs } = options
  const { batch = 1, group = 2, prompt = 1, new: fresh = 1 } = sizes
  const sequences = batch * group
  const micro = sizes.micro === undefined || sizes.micro === 0 ? sequences : sizes.micro
  const phases: Record<Phase, number[]> = { generate: [], update: [], optimizer: [] }
  let step = 0
  const timing = await timed(engine, runs, async () => {
    const requests = randomRequests({ ...options, seed: options.seed + step++ }, batch, group)
    await grpoStep(options, engine, requests, micro, (phase, seconds) =>
      phases[phase].push(seconds),
    )
  })
  // The first value of each is the warm-up's.
  const medians = Object.entries(phases).map(([name, values]) => [
    name,
    spread(values.slice(1)).median,
  ])
  const flops =
    generationFlops(geometry, batch, sequences, prompt, fresh) +
    trainingFlops(geometry, sequences, prompt + fresh, fresh)
  const parameters = { batch, group, prompt, new: fresh, micro }
  const line = report(engine, 'grpo', parameters, timing, { flops, tokens: sequences * fresh })
  return { ...line, phases: Object.fromEntries(medians) }
}

async function grpoStep(
  { sizes, signal }: BenchOptions,
  engine: Engine,
  requests: GenerateRequest[],
  micro: number,
  record: (phase: Phase, seconds: number) => void,
): Promise<void> {
  const { group = 2, new: fresh = 1 } = sizes
  let start = performance.now()
  const lap = (phase: Phase): void => {
    const now = performance.now()
    record(phase, (now - start) / 1000)
    start = now
  }
  const completions = await engine.generate(requests, { signal, maxSequences: requests.length })
  lap('generate')
  const { advantages } = groupAdvantages({
    rewards: [completions.map(evenShare)],
    weights: [1],
    num_generations: group,
    scale_rewards: 'none',
  })
  const loss: PolicyLossOptions = {
    loss_type: 'dr_grpo',
    epsilon: 0.2,
    beta: 0,
    max_completion_length: fresh,
    num_completions: requests.length,
  }
  const sequences = requests.map((request, i) => joined(request.tokens, completions[i]!.tokens))
  for (let first = 0; first < sequences.length; first += micro) {
    const count = Math.min(micro, sequences.length - first)
    const members = Array.from({ length: count }, (_, i) => first + i)
    const data = concatenate(sequences, members)
    const { mask, cuSeqlens } = data
    const part = advantages.slice(first, first + count)
    const known = { advantages: part, mask, cuSeqlens, options: loss }
    const coef = coefficientsOnPolicy(known)
    const { logprobs } = await engine.forwardBackward(data, coef, { signal })
    policyLoss({ ...known, logprobs, oldLogprobs: null, refLogprobs: null })
  }
  lap('update')
  await engine.optimizerStep({ learningRate: 1e-5, maxGradNorm: 1 })
  lap('optimizer')
}

function evenShare({ tokens }: Completion): number {
  return tokens.filter(token => token % 2 === 0).length / tokens.length
}

function joined(prompt: Int32Array, completion: Int32Array): Packable {
  const ids = new Int32Array(prompt.length + completion.length)
  ids.set(prompt)
  ids.set(completion, prompt.length)
  return { ids, mask: new Uint8Array(ids.length).fill(1, prompt.length), prompt }
}
