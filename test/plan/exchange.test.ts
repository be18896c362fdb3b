/** What ranks on this processor exchange, measured on engines side by side; and what a plan says meanwhile. */
import { describe, expect, it } from 'vitest'
import { processContext } from '../../lib/cli/context.ts'
import { main } from '../../lib/cli/main.ts'
import { Engine } from '../../lib/engine/engine.ts'
import { parseModelConfig } from '../../lib/model/config.ts'
import { exchangeTimes } from '../../lib/plan/exchange.ts'
import { geometryOf } from '../../lib/plan/geometry.ts'
import { SHARDS } from '../../lib/plan/memory.ts'
import type { StagePlan } from '../../lib/plan/plan.ts'
import { tinyConfig } from '../tiny-config.ts'

const config = parseModelConfig(tinyConfig({ vocab_size: 256 }))

async function measure(shard: (typeof SHARDS)[number]) {
  const engines = await Promise.all(
    [0, 1].map(() => Engine.create({ config, threads: 1, init: { seed: 0 } })),
  )
  try {
    return await exchangeTimes(engines, geometryOf(config).parameters, shard)
  } finally {
    await Promise.all(engines.map(engine => engine.dispose()))
  }
}

/** Whether this build has Gloo; without it nothing is exchanged, and the error says so. */
const gloo = await measure('none').then(
  () => true,
  error => {
    expect(error).toMatchObject({ code: 'ERR_RANKS' })
    expect(String(error)).toMatch(/has no Gloo/)
    return false
  },
)

/** As on a terminal; what a plan prints, and what it draws. */
async function plan(args: string[]): Promise<{ code: number; stdout: string; drawn: string }> {
  const [out, drawn]: [string[], string[]] = [[], []]
  const code = await main(['plan', 'mini', '--threads', '2', ...args], {
    ...processContext,
    stdout: { write: (text: string) => out.push(text) },
    stderr: { write: (text: string) => drawn.push(text), isTTY: true, columns: 80 },
    env: { LANG: 'C' },
  })
  return { code, stdout: out.join(''), drawn: drawn.join('') }
}

describe('ranks on this processor', () => {
  it.skipIf(!gloo).each(SHARDS)('exchange gradients and gather an update: %s', async shard => {
    const { exchange, update } = await measure(shard)
    expect(Number.isFinite(exchange)).toBe(true)
    // What a pass takes alone is taken off, and may have been slower for once.
    expect(exchange).toBeGreaterThanOrEqual(0)
    expect(update).toBeGreaterThan(0)
  })

  it.skipIf(!gloo)('have their exchange in the plan', async () => {
    const { code, stdout } = await plan(['--ranks', '2', '--json'])
    expect(code).toBe(0)
    const [sft, grpo] = (JSON.parse(stdout) as { asked: StagePlan[] }).asked
    expect(sft!.phases.map(({ name }) => name)).toEqual(['training', 'optimizer'])
    expect(grpo!.phases.map(({ name }) => name)).toEqual(['sampling', 'training', 'optimizer'])
    for (const { seconds } of [...sft!.phases, ...grpo!.phases]) expect(seconds).toBeGreaterThan(0)
  })

  it.skipIf(gloo)('that cannot talk are planned without time, which is said', async () => {
    const { code, stdout, drawn } = await plan(['--ranks', '2'])
    expect(code).toBe(0)
    expect(stdout).toContain('the time was not measured')
    expect(drawn).toContain('warning: this build has no Gloo')
  })
})

it('a plan says what it measures, on one line that goes again', async () => {
  const { code, stdout, drawn } = await plan([])
  expect(code).toBe(0)
  expect(drawn).toContain('measuring on this processor: sft, training')
  expect(drawn).toContain('measuring on this processor: grpo, sampling')
  expect(drawn.endsWith('\r\u001b[2K')).toBe(true)
  expect(drawn).not.toContain('\n')
  expect(stdout).not.toContain('measuring')
})
