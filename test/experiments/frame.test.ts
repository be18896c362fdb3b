/** The frame of the experiments: seeds, verdicts, files, and that the document follows the results. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { EXPERIMENTS, findExperiments } from '../../lib/experiments/registry.ts'
import { meanOf, runExperiment } from '../../lib/experiments/run.ts'
import { readResults, renderTable } from '../../lib/experiments/table.ts'
import { chainRight, chainSample, chainSums } from '../../lib/experiments/toy/chain.ts'
import { dice } from '../../lib/experiments/toy/train.ts'
import type { Experiment } from '../../lib/experiments/types.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const context = { signal: new AbortController().signal, threads: 1, progress: () => {} }

const counting: Experiment = {
  name: 'counting',
  paper: 'none',
  claim: 'seeds count',
  gate: 'mean above 2',
  seconds: 0,
  run: async seed => ({ value: seed + 1 / 3 }),
  verdict: rows => ({ pass: meanOf(rows, 'value') > 2, measured: String(meanOf(rows, 'value')) }),
}

describe('runExperiment', () => {
  it('measures every seed and holds the rounded values against the gate', async () => {
    const passed = await runExperiment(counting, [1, 2, 3], context)
    expect(passed.measurements).toEqual([{ value: 1.333 }, { value: 2.333 }, { value: 3.333 }])
    expect(passed).toMatchObject({ pass: true, seeds: [1, 2, 3], measured: '2.333' })
    expect((await runExperiment(counting, [0, 1], context)).pass).toBe(false)
  })

  it('refuses a measurement that is no number', async () => {
    const broken = { ...counting, run: async () => ({ value: Number.NaN }) }
    await expect(runExperiment(broken, [4], context)).rejects.toThrow(
      'counting, seed 4: "value" is NaN',
    )
  })
})

describe('the registry', () => {
  it('has different names, and says which there are', () => {
    const names = EXPERIMENTS.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    expect(findExperiments('prorl-reset')).toHaveLength(1)
    expect(() => findExperiments('prorl')).toThrow('prorl-reset')
  })
})

describe('the table', () => {
  it('is what docs/neighbours.md holds, with the committed results and the present gates', async () => {
    const results = await readResults(join(ROOT, 'bench/neighbours'))
    expect(results.length).toBeGreaterThan(0)
    for (const { name, gate, claim, seeds, measurements, pass, measured } of results) {
      const [experiment] = findExperiments(name)
      expect({ gate, claim }).toEqual({ gate: experiment!.gate, claim: experiment!.claim })
      expect(seeds.length).toBeGreaterThanOrEqual(3)
      expect(experiment!.verdict(measurements)).toEqual({ pass, measured })
    }
    expect(await readFile(join(ROOT, 'docs/neighbours.md'), 'utf8')).toBe(renderTable(results))
  })
})

describe('the chains', () => {
  it('are right without noise, and wrong as often as the noise says', () => {
    const random = dice('test')
    const rate = (noise: number): number =>
      Array.from({ length: 2000 }, () => chainSample(random, 8, noise)).filter(
        ({ prompt, completion }) => chainRight(prompt, completion),
      ).length / 2000
    expect(rate(0)).toBe(1)
    // Seven steps without an error, or errors that cancel each other, one in nine times at the least.
    expect(rate(0.2)).toBeGreaterThan(0.8 ** 7)
    expect(rate(0.2)).toBeLessThan(0.35)
    expect(chainSums(Int32Array.from([10, 7, 5, 9, 11]), random)).toEqual([2, 1])
  })
})
