import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  attentionFlops,
  blockFlops,
  forwardFlops,
  generationFlops,
  headFlops,
  trainingFlops,
} from '../../lib/bench/flops.ts'
import { spread } from '../../lib/bench/measure.ts'
import { main } from '../../lib/cli/main.ts'
import { parseModelConfig } from '../../lib/model/config.ts'
import { tinyConfig } from '../tiny-config.ts'

const raw = tinyConfig({ hidden_size: 32, intermediate_size: 48 })
const config = parseModelConfig(raw)
const geometry = join(mkdtempSync(join(tmpdir(), 'kogrpo-bench-')), 'config.json')
writeFileSync(geometry, JSON.stringify(raw))

interface Line {
  mode: string
  variant?: string
  runs: number
  threads: number
  isa: string
  seconds: { median: number; min: number; max: number }
  tokens?: number
  tokens_per_s?: { median: number; min: number; max: number }
  gflops: number
  peak_gflops: number
  share_of_peak: number
  scaling?: number
  rss_mb: number
  [parameter: string]: unknown
}

async function bench(...args: string[]): Promise<{ code: number; lines: Line[]; stderr: string }> {
  let stdout = ''
  let stderr = ''
  const code = await main(['bench', ...args], {
    stdout: { write: (text: string) => (stdout += text) },
    stderr: { write: (text: string) => (stderr += text) },
    env: {},
    signals: { on: () => {}, off: () => {} },
    exit: () => {},
  })
  const lines = stdout.split('\n').filter(line => line !== '')
  return { code, stderr, lines: lines.map(line => JSON.parse(line) as Line) }
}

/** One mode on the tiny geometry; every number must be a sane one. */
async function measured(mode: string, ...args: string[]): Promise<Line[]> {
  const tiny = ['--geometry', geometry, '--threads', '2', '--runs', '5', '--seed', '3']
  const { code, lines, stderr } = await bench('--mode', mode, ...tiny, ...args)
  expect(stderr).toBe('')
  expect(code).toBe(0)
  for (const line of lines) {
    expect(line).toMatchObject({ mode, geometry: 'config.json', runs: 5, seed: 3 })
    expect(line.isa).toMatch(/^(scalar|neon|avx2|avx512(vnni|bf16)?)$/)
    const { min, median, max } = line.seconds
    expect(min).toBeGreaterThan(0)
    expect(min).toBeLessThanOrEqual(median)
    expect(median).toBeLessThanOrEqual(max)
    expect(line.gflops).toBeGreaterThan(0)
    expect(line.peak_gflops).toBeGreaterThan(0)
    const share = line.gflops / (line.peak_gflops * line.threads)
    expect(line.share_of_peak / share).toBeCloseTo(1, 3)
    expect(line.rss_mb).toBeGreaterThan(10)
    if (line.tokens !== undefined) {
      expect((line.tokens_per_s!.median * median) / line.tokens).toBeCloseTo(1, 3)
    }
  }
  return lines
}

describe('kogrpo bench', () => {
  test.each([
    ['float32', ['forward', 'packed', 'dx', 'dw']],
    ['bfloat16', ['bf16_forward', 'bf16_packed', 'bf16_dx', 'bf16_dw']],
    ['int8', ['int8_packed']],
  ])('gemm in %s: every form on one thread and on all, with the scaling', async (dtype, forms) => {
    const sizes = ['--m', '70', '--n', '33', '--k', '20']
    const lines = await measured('gemm', ...sizes, '--dtype', dtype)
    expect(lines.map(({ variant, threads }) => [variant, threads])).toEqual(
      forms.flatMap(form => [
        [form, 1],
        [form, 2],
      ]),
    )
    for (const [i, line] of lines.entries()) {
      expect(line).toMatchObject({ m: 70, n: 33, k: 20 })
      expect((line.gflops * 1e9 * line.seconds.median) / (2 * 70 * 33 * 20)).toBeCloseTo(1, 3)
      if (line.threads === 1) continue
      const scaling = lines[i - 1]!.seconds.median / line.seconds.median
      expect(line.scaling! / scaling).toBeCloseTo(1, 3)
    }
  })

  test.each([
    ['float32', ''],
    ['bfloat16', 'bf16_'],
  ])('attention in %s: forward, backward and decode', async (dtype, prefix) => {
    const lines = await measured('attention', '--batch', '3', '--seq', '70', '--dtype', dtype)
    expect(lines.map(({ variant, tokens }) => [variant, tokens])).toEqual([
      [`${prefix}forward`, 210],
      [`${prefix}backward`, 210],
      [`${prefix}decode`, 3],
    ])
  })

  test('lm_head: forward and with gradients', async () => {
    const lines = await measured('lm_head', '--batch', '2', '--seq', '9')
    expect(lines.map(({ variant, tokens }) => [variant, tokens])).toEqual([
      ['forward', 18],
      ['train', 18],
    ])
  })

  test.each([
    ['train', ['--batch', '3', '--seq', '20'], 60],
    ['score', ['--batch', '3', '--seq', '20'], 60],
    ['generate', ['--batch', '5', '--prompt', '4', '--new', '6'], 30],
  ])('%s', async (mode, args, tokens) => {
    const lines = await measured(mode, ...args)
    expect(lines).toHaveLength(1)
    expect(lines[0]!.tokens).toBe(tokens)
  })

  test('grpo: the phases are parts of a step', async () => {
    const sizes = ['--batch', '2', '--group', '4', '--prompt', '4', '--new', '6', '--micro', '3']
    const [line] = await measured('grpo', ...sizes)
    expect(line).toMatchObject({ batch: 2, group: 4, prompt: 4, new: 6, micro: 3, tokens: 48 })
    const { generate, update, optimizer } = line!.phases as Record<string, number>
    for (const phase of [generate, update, optimizer]) {
      expect(phase).toBeGreaterThan(0)
      expect(phase).toBeLessThan(line!.seconds.max)
    }
  })

  test('shared_prefix: the step in full and with the prompt computed once', async () => {
    const sizes = ['--batch', '1', '--group', '4', '--prompt', '30', '--new', '10']
    const [plain, shared] = await measured('shared_prefix', ...sizes)
    expect(plain).toMatchObject({ variant: 'plain', tokens: 160, time_of_plain: { median: 1 } })
    expect(shared).toMatchObject({ variant: 'shared', tokens: 160 })
  })

  test.each(['float32', 'bfloat16'])('decode in %s: a step against the bandwidth', async dtype => {
    const [line] = await measured('decode', '--new', '8', '--dtype', dtype)
    const { bytes, bandwidth } = line as unknown as { bytes: number; bandwidth: { min: number } }
    const weights = (blockFlops(config) + headFlops(config)) / 2
    const cached = config.numLayers * 2 * config.numKvHeads * config.headDim * 4
    expect(bytes).toBe((weights + cached) * (dtype === 'bfloat16' ? 2 : 4))
    expect(bandwidth.min).toBeGreaterThan(1e8)
    expect(line!.dtype).toBe(dtype)
  })

  test('mistakes are named', async () => {
    const cases = [
      [['--mode', 'trian'], /--mode: expected one of .*did you mean "train"/],
      [[], /required: --mode/],
      [['--mode', 'train', '--group', '4'], /--group: --mode train does not have it/],
      [['--mode', 'gemm', '--m', '4'], /--m, --n and --k go together: --n is missing/],
      [['--mode', 'grpo', '--group', '1'], /--group: expected a whole number, 2 to/],
    ] as const
    for (const [args, message] of cases) {
      const { code, stderr } = await bench(...args)
      expect(stderr).toMatch(message)
      expect(code).toBe(2)
    }
  })
})

describe('floating-point operations', () => {
  // 2 layers of q [64, 32], k and v [32, 32], o [32, 64], gate and up [48, 32], down [32, 48].
  const block = 2 * 2 * (64 * 32 + 2 * 32 * 32 + 32 * 64 + 3 * 48 * 32)
  const head = 2 * 32 * 97

  test('of the products', () => {
    expect(blockFlops(config)).toBe(block)
    expect(headFlops(config)).toBe(head)
  })

  test('of attention: each query sees the keys up to its own', () => {
    // Queries 3, 4 and 5 see 4 + 5 + 6 keys; per pair 2 products of 4 heads of 16.
    expect(attentionFlops(config, 3, 6)).toBe(15 * 4 * 64)
    expect(attentionFlops(config, 0, 6)).toBe(21 * 4 * 64)
  })

  test('of passes', () => {
    const attention = 2 * 21 * 4 * 64
    expect(forwardFlops(config, 3, 6)).toBe(3 * (6 * block + 5 * head + attention))
    expect(trainingFlops(config, 3, 6, 2)).toBe(3 * (3 * (6 * block + 2 * head) + 3.5 * attention))
    // One prompt of 4 for two completions of 3: rows 4 and 5 of each are read, the last is not.
    expect(generationFlops(config, 1, 2, 4, 3)).toBe(
      4 * block + 2 * 10 * 256 + 2 * (2 * block + 3 * head + 2 * (5 + 6) * 256),
    )
  })
})

test('the spread of an even and an odd number of values', () => {
  expect(spread([3, 1, 2, 10])).toEqual({ median: 2.5, min: 1, max: 10 })
  expect(spread([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 })
})
