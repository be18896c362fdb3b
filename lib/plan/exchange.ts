/**
 * What ranks on this processor exchange, measured: they are engines side by side in this process that talk as
 * processes do, over Gloo. A turn of micro-batches too small to matter is all exchange of gradients; an update
 * takes a rank's share of the work, and then what is gathered. Both move a model's parameters, whatever the batch.
 */
import { performance } from 'node:perf_hooks'
import type { Batch, Engine, JoinOptions } from '../engine/engine.ts'
import { StoreServer } from '../launch/store.ts'

/** Seconds of a parameter: in the exchange of a turn of micro-batches, and in an update with what is gathered. */
export interface ExchangeTimes {
  exchange: number
  update: number
}

const RUNS = 5
/** Seconds that a rank is waited for; all are in this process. */
const PATIENCE = 60
/** Two tokens: one prediction. */
const BATCH: Batch = { tokens: Int32Array.of(1, 2), cuSeqlens: Int32Array.of(0, 2) }
const COEF = Float32Array.of(0, -1)
const UPDATE = { learningRate: 1e-6, maxGradNorm: 1 }

/** Seconds of `body` on all engines at once; the middle of some runs behind a warm-up. */
async function median(
  engines: readonly Engine[],
  body: (engine: Engine, run: number) => Promise<unknown>,
  after: (engine: Engine, run: number) => Promise<unknown> = async () => {},
): Promise<number> {
  const all: number[] = []
  for (let run = 0; run <= RUNS; run++) {
    const start = performance.now()
    await Promise.all(engines.map(engine => body(engine, run)))
    if (run > 0) all.push((performance.now() - start) / 1000)
    await Promise.all(engines.map(engine => after(engine, run)))
  }
  return all.sort((a, b) => a - b)[RUNS >> 1]!
}

/**
 * The times of `engines`, two or more of one model with `parameters`, which nothing has been trained on. They are
 * ranks of one run from then on. Throws ERR_RANKS where they cannot talk: a build without Gloo says so.
 */
export async function exchangeTimes(
  engines: readonly Engine[],
  parameters: number,
  shard: JoinOptions['shard'],
): Promise<ExchangeTimes> {
  const size = engines.length
  const pass = (engine: Engine): Promise<unknown> => engine.forwardBackward(BATCH, COEF)
  const alone = await median(engines, pass, engine => engine.zeroGradients())
  const store = await StoreServer.listen({ host: '127.0.0.1' })
  try {
    const place = { size, host: '127.0.0.1', port: store.port, run: 'plan', shard }
    const limits = { patience: PATIENCE, limit: PATIENCE }
    await Promise.all(engines.map((engine, rank) => engine.join({ ...place, ...limits, rank })))
    const turn = async (engine: Engine, run: number): Promise<void> => {
      await engine.beginTurn(size, `turn ${run}`)
      await pass(engine)
      await engine.accumulate()
    }
    const updates: number[] = []
    const update = async (engine: Engine, run: number): Promise<void> => {
      const start = performance.now()
      await engine.optimizerStep({ ...UPDATE, label: `update ${run}` })
      if (run > 0) updates.push((performance.now() - start) / 1000)
    }
    const turns = await median(engines, turn, update)
    return {
      exchange: Math.max(0, turns - alone) / parameters,
      update: updates.sort((a, b) => a - b)[updates.length >> 1]! / parameters,
    }
  } finally {
    await store.close()
  }
}
