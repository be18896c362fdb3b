/** Benchmarks of single operations, which the engine times on its own thread. */
import type { Engine } from '../engine/engine.ts'
import { ATTENTION_BACKWARD, attentionFlops, headFlops } from './flops.ts'
import { type BenchResult, report, rounded } from './measure.ts'
import type { BenchOptions } from './options.ts'

interface Shape {
  m: number
  n: number
  k: number
}

/** The products of a linear layer y[m,n] = x[m,k]·wᵀ, and the first with w packed before. */
const GEMM_FORMS = {
  float32: ['forward', 'packed', 'dx', 'dw'],
  bfloat16: ['bf16_forward', 'bf16_packed', 'bf16_dx', 'bf16_dw'],
  int8: ['int8_packed'],
} as const

/** Rows of the model's own products when nothing else is asked for. */
const MODEL_ROWS = 4096

function gemmShapes({ sizes, geometry: c }: BenchOptions): Shape[] {
  const { m = 0, n = 0, k = 0 } = sizes
  if (m > 0) return [{ m, n, k }]
  const q = c.numHeads * c.headDim
  const own = [
    [q + 2 * c.numKvHeads * c.headDim, c.hiddenSize],
    [c.hiddenSize, q],
    [2 * c.intermediateSize, c.hiddenSize],
    [c.hiddenSize, c.intermediateSize],
    [c.vocabSize, c.hiddenSize],
  ] as const
  return [
    ...[256, 512, 1024, 2048].map(s => ({ m: s, n: s, k: s })),
    ...own.map(([outputs, inputs]) => ({ m: MODEL_ROWS, n: outputs, k: inputs })),
  ]
}

/** Every form and shape on one thread and on all of `engine`'s, with the scaling. */
export async function* benchGemm(
  options: BenchOptions,
  engine: Engine,
  single: Engine,
): AsyncGenerator<BenchResult> {
  const { runs, seed, signal } = options
  for (const shape of gemmShapes(options))
    for (const form of GEMM_FORMS[options.dtype]) {
      const work = { flops: 2 * shape.m * shape.n * shape.k }
      const native = { kind: `gemm_${form}`, ...shape, runs, seed, signal }
      const one = await single.benchmark(native)
      const line = report(single, 'gemm', { variant: form, ...shape }, one, work)
      yield line
      if (engine.threads === 1) continue
      const all = await engine.benchmark(native)
      const parallel = report(engine, 'gemm', { variant: form, ...shape }, all, work)
      yield { ...parallel, scaling: rounded(line.seconds.median / parallel.seconds.median) }
    }
}

/** One layer's attention: forward, backward, and a decode step against `seq` cached tokens. */
export async function* benchAttention(
  { geometry, sizes, runs, seed, signal, dtype }: BenchOptions,
  engine: Engine,
): AsyncGenerator<BenchResult> {
  const { batch = 1, seq = 1 } = sizes
  const forward = batch * attentionFlops(geometry, 0, seq)
  const work = {
    forward: { flops: forward, tokens: batch * seq },
    backward: { flops: forward * ATTENTION_BACKWARD, tokens: batch * seq },
    decode: { flops: batch * attentionFlops(geometry, seq - 1, seq), tokens: batch },
  }
  for (const pass of ['forward', 'backward', 'decode'] as const) {
    const variant = dtype === 'bfloat16' ? `bf16_${pass}` : pass
    const kind = `attention_${variant}`
    const timing = await engine.benchmark({ kind, batch, seq, runs, seed, signal })
    yield report(engine, 'attention', { variant, batch, seq }, timing, work[pass])
  }
}

/** The LM head fused with log-prob and entropy, and with the gradients of both. */
export async function* benchLmHead(
  { geometry, sizes, runs, seed, signal }: BenchOptions,
  engine: Engine,
): AsyncGenerator<BenchResult> {
  const { batch = 1, seq = 1 } = sizes
  for (const [variant, products] of [
    ['forward', 1],
    ['train', 3],
  ] as const) {
    const kind = `lm_head_${variant}`
    const timing = await engine.benchmark({ kind, batch, seq, runs, seed, signal })
    const flops = products * batch * (seq - 1) * headFlops(geometry)
    const parameters = { variant, batch, seq }
    yield report(engine, 'lm_head', parameters, timing, { flops, tokens: batch * seq })
  }
}
