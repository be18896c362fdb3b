/** Runs one mode's benchmarks on engines of their own and yields a result per line of output. */
import { Engine } from '../engine/engine.ts'
import { benchDecode } from './decode.ts'
import { benchGrpo } from './grpo.ts'
import { benchAttention, benchGemm, benchLmHead } from './kernels.ts'
import type { BenchResult } from './measure.ts'
import { benchGenerate, benchScore, benchTrain } from './model.ts'
import type { BenchOptions } from './options.ts'
import { benchSharedPrefix } from './shared-prefix.ts'

export async function* runBench(options: BenchOptions): AsyncGenerator<BenchResult> {
  const { mode, threads, device, seed, dtype } = options
  const config = options.geometry
  if (mode === 'gemm') {
    await using engine = await Engine.create({ config, device, threads })
    await using single = await Engine.create({ config, device, threads: 1 })
    yield* benchGemm(options, engine, single)
    return
  }
  await using engine = await Engine.create({ config, device, threads, init: { seed }, dtype })
  switch (mode) {
    case 'attention':
      yield* benchAttention(options, engine)
      break
    case 'lm_head':
      yield* benchLmHead(options, engine)
      break
    case 'train':
      yield await benchTrain(options, engine)
      break
    case 'score':
      yield await benchScore(options, engine)
      break
    case 'generate':
      yield await benchGenerate(options, engine)
      break
    case 'grpo':
      yield await benchGrpo(options, engine)
      break
    case 'decode':
      yield await benchDecode(options, engine)
      break
    case 'shared_prefix':
      yield* benchSharedPrefix(options, engine)
      break
  }
}
