import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { Engine } from '../../lib/engine/engine.ts'
import { addonPaths } from '../../lib/engine/native.ts'
import { parseModelConfig } from '../../lib/model/config.ts'
import { tinyConfig } from '../tiny-config.ts'
import { aborts } from './leak.ts'

const config = parseModelConfig(tinyConfig({ vocab_size: 512, intermediate_size: 128 }))

const create = (seed: number): Promise<Engine> =>
  Engine.create({ config, threads: 2, init: { seed, std: 0.1 } })

const prompt = Int32Array.from({ length: 30 }, (_, i) => (i * 37) % 512)

describe('engines', () => {
  it('live side by side and work at the same time', async () => {
    const engines = await Promise.all([1, 2, 3].map(create))
    const request = { tokens: prompt, maxNewTokens: 40, seed: 1 }
    const together = await Promise.all(engines.map(engine => engine.generate([request])))
    for (const [i, engine] of engines.entries()) {
      expect(await engine.generate([request])).toEqual(together[i])
      await engine.dispose()
    }
    expect(together[0]).not.toEqual(together[1])
  })

  it('are freed when disposed, and when a run was aborted: memory stays flat', async () => {
    const rounds = async (n: number): Promise<void> => {
      for (let i = 0; i < n; i++) {
        const engine = await create(i)
        const controller = new AbortController()
        const run = engine.generate([{ tokens: prompt, maxNewTokens: 100_000, seed: i }], {
          signal: controller.signal,
        })
        setTimeout(() => controller.abort(), i % 7)
        await expect(run).rejects.toMatchObject({ code: 'ABORT_ERR' })
        await engine.dispose()
      }
    }
    await rounds(20)
    const before = process.memoryUsage().rss
    await rounds(60)
    // One engine's cache for that request alone is 100 MB.
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 2 ** 20)
  })

  it('leave nothing behind when calls of any kind are aborted at random points', async () => {
    const { first_mib, last_mib } = await aborts(120) // npm run leak: 1,000
    expect(last_mib - first_mib).toBeLessThan(24)
  })

  it('refuse work after they are disposed', async () => {
    const engine = await create(1)
    await engine.dispose()
    await expect(engine.zeroGradients()).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      message: 'the engine is closed',
    })
  })

  it.skipIf(process.platform !== 'linux')('have no thread once they are disposed', async () => {
    const threads = (): number => readdirSync('/proc/self/task').length
    await (await create(1)).dispose() // Node's own pool has begun
    const before = threads()
    const engines = await Promise.all([1, 2, 3].map(create))
    // Each has its own, and one of its pool besides.
    expect(threads()).toBe(before + 6)
    const late = engines.map(async engine => {
      const disposed = engine.dispose()
      await expect(engine.zeroGradients()).rejects.toThrow('the engine is closed')
      await disposed
      await engine.dispose()
    })
    await Promise.all(late)
    expect(threads()).toBe(before)
    await expect(engines[0]!.zeroGradients()).rejects.toThrow('the engine is closed')
  })

  it.each([true, false])('several, closed %s, leave a process that ends with 0', close => {
    const path = addonPaths().find(candidate => existsSync(candidate))
    const source = `
      const { NativeEngine } = require(${JSON.stringify(path)})
      const config = ${JSON.stringify({ ...config, raw: undefined })}
      ;(async () => {
        for (let i = 0; i < 3; i++) {
          const engine = new NativeEngine()
          await engine.open(config, { threads: 1 })
          if (${close}) await engine.close()
        }
      })()`
    const { status, signal } = spawnSync(process.execPath, ['-e', source])
    expect({ status, signal }).toEqual({ status: 0, signal: null })
  })

  it('run in a worker thread that ends while they work', async () => {
    const path = addonPaths().find(candidate => existsSync(candidate))
    const source = `
      const { parentPort } = require('node:worker_threads')
      const { NativeEngine } = require(${JSON.stringify(path)})
      const config = ${JSON.stringify({ ...config, raw: undefined })}
      const engine = new NativeEngine()
      engine.open(config, { threads: 2 }).then(async () => {
        await engine.initialize({ seed: 1, std: 0.1 })
        parentPort.postMessage('working')
        await engine.generate([{ tokens: new Int32Array(30).fill(5), maxNewTokens: 100000 }], {})
      })`
    for (let i = 0; i < 3; i++) {
      const worker = new Worker(source, { eval: true })
      await new Promise((resolve, reject) => {
        worker.once('message', resolve)
        worker.once('error', reject)
      })
      expect(await worker.terminate()).toBe(1)
    }
  })
})
