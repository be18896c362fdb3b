/** Models and states are written beside the training, a step's model before its state. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openModelDirectory } from '../../../lib/model/directory.ts'
import { saveCheckpoint } from '../../../lib/train/checkpoint.ts'
import { StateSaver } from '../../../lib/train/save-state.ts'
import { tinySession } from '../tiny.ts'

function deferred(): { promise: Promise<void>; resolve(): void; reject(error: Error): void } {
  let [resolve, reject] = [() => {}, (_: Error) => {}]
  const promise = new Promise<void>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}

const states = (directory: string): string[] =>
  existsSync(directory) ? readdirSync(directory).filter(name => name.startsWith('state-')) : []

test('a state waits for the model before it; training waits for neither', async () => {
  const session = await tinySession({
    sft: { data: [{ path: 'mini:sft', size: 2 }], max_steps: 2 },
  })
  try {
    const parent = join(session.config.output_dir, 'checkpoints')
    const saver = new StateSaver()
    const model = deferred()
    const publish = async (): Promise<void> => {}
    await saver.beside(session.ranks, { label: 'model', write: () => model.promise, publish })
    const mixture = { seed: 1, shuffle: true, position: 0, sources: [] }
    session.boundary = { stage: 'sft', step: 1, num_tokens: 0, mixture }
    const path = await saver.begin(session)
    await new Promise(resolve => setTimeout(resolve, 50))
    expect(states(parent)).toEqual([])
    model.resolve()
    await saver.settle()
    expect(path).toBe(join(parent, states(parent)[0]!))

    // A model that could not be written: its error, and no state that stands for it.
    const failed = deferred()
    await saver.beside(session.ranks, { label: 'model', write: () => failed.promise, publish })
    session.boundary = { stage: 'sft', step: 2, num_tokens: 0, mixture }
    await saver.begin(session)
    failed.reject(new Error('the disk is full'))
    await expect(saver.settle()).rejects.toThrow('the disk is full')
    expect(states(parent)).toEqual(['state-sft-1-0'])
    await saver.settle()
  } finally {
    await session.engine.dispose()
  }
})

test('what is written is what the weights were, whatever the engine does meanwhile', async () => {
  const session = await tinySession({
    sft: { data: [{ path: 'mini:sft', size: 2 }], max_steps: 2 },
  })
  const { engine, config, saver } = session
  try {
    const before = (await engine.weightDigests()).parameters
    await saveCheckpoint(session, 'copied')
    const batch = { tokens: Int32Array.of(5, 6, 7, 8), cuSeqlens: Int32Array.of(0, 4) }
    await engine.forwardBackward(batch, Float32Array.of(0, -1, -1, -1))
    await engine.optimizerStep({ learningRate: 0.01 })
    expect((await engine.weightDigests()).parameters).not.toBe(before)
    await saver.settle()
    await engine.loadWeights(await openModelDirectory(join(config.output_dir, 'copied')))
    expect((await engine.weightDigests()).parameters).toBe(before)
  } finally {
    await engine.dispose()
  }
})
