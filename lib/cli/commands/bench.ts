/** `kogrpo bench --mode MODE`: measures the engine, one JSON object a line on standard output. */

import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ArgumentsCamelCase, CommandModule } from 'yargs'
import { type BenchOptions, MODES, type Mode, SIZES, type SizeName } from '../../bench/options.ts'
import { didYouMean } from '../../config/nearest.ts'
import { type DeviceName, DTYPES, type Dtype } from '../../engine/device.ts'
import { phrase } from '../../messages/phrase.ts'
import { parseModelConfig, readJson } from '../../model/config.ts'
import type { CliContext } from '../context.ts'
import { UsageError } from '../errors.ts'
import { runInterruptibly } from '../interrupt.ts'
import { nonEmpty, oneOf, sharedOptions, wholeNumber } from '../options.ts'

interface BenchArguments extends Partial<Record<SizeName, number>> {
  mode: Mode
  geometry?: string
  runs?: number
  seed?: number
  threads?: number
  device?: DeviceName
  dtype?: Dtype
  context: CliContext
}

/** Geometry of the comparison with torch, transformers and TRL (bench/README.md). */
const DEFAULT_GEOMETRY = fileURLToPath(new URL('../../../bench/geometry-256.json', import.meta.url))

const SIZE_OPTIONS: Record<SizeName, string> = {
  batch: 'Sequences (generate: prompts, each with one completion; grpo: prompts)',
  seq: 'Tokens of a sequence',
  prompt: 'Tokens of a prompt',
  new: 'Tokens of a completion',
  group: 'Completions of a prompt',
  micro: 'grpo: sequences of a micro-batch (0 = all at once) [default: 16]',
  m: 'gemm: rows of x in y[m,n] = x[m,k]·wᵀ (with --n and --k; without: a list of shapes)',
  n: 'gemm: columns of y',
  k: 'gemm: columns of x',
}

/** Smallest sensible value: a lone token has no log-prob, a lone completion no advantage. */
const MINIMUM: Partial<Record<SizeName, number>> = { seq: 2, group: 2, micro: 0 }

/** The sizes of the mode: given, or its defaults. A size of another mode is a mistake. */
function sizesOf(argv: BenchArguments): BenchOptions['sizes'] {
  const own: BenchOptions['sizes'] = SIZES[argv.mode]
  const names = Object.keys(own) as SizeName[]
  for (const name of Object.keys(SIZE_OPTIONS) as SizeName[]) {
    if (argv[name] === undefined || names.includes(name)) continue
    const hint = didYouMean(name, names, '--')
    throw new UsageError(
      phrase('--{name}: --mode {mode} does not have it{hint}', {
        name,
        mode: argv.mode,
        hint: hint || phrase('; it has {names}', { names: names.map(n => `--${n}`).join(', ') }),
      }),
    )
  }
  if (argv.mode === 'gemm') {
    const missing = names.filter(name => argv[name] === undefined)
    if (missing.length > 0 && missing.length < names.length) {
      throw new UsageError(
        phrase('--m, --n and --k go together: --{missing} is missing', { missing: missing[0]! }),
      )
    }
  }
  return Object.fromEntries(names.map(name => [name, argv[name] ?? own[name]]))
}

async function handler(argv: ArgumentsCamelCase<BenchArguments>): Promise<void> {
  const { context, mode } = argv
  const file = path.resolve(argv.geometry ?? DEFAULT_GEOMETRY)
  const options: BenchOptions = {
    mode,
    geometry: parseModelConfig(await readJson(file), file),
    sizes: sizesOf(argv),
    threads: argv.threads ?? 0,
    runs: argv.runs ?? 5,
    seed: argv.seed ?? 0,
    device: argv.device ?? 'cpu',
    dtype: argv.dtype ?? 'float32',
  }
  const geometry = path.basename(file)
  const { runBench } = await import('../../bench/bench.ts')
  const phases = { onInterrupt: () => {}, message: () => phrase('stopped') }
  await runInterruptibly(context, phases, async signal => {
    for await (const { mode: name, ...result } of runBench({ ...options, signal })) {
      const line = { mode: name, geometry, dtype: options.dtype, ...result, seed: options.seed }
      context.stdout.write(`${JSON.stringify(line)}\n`)
    }
  })
}

export const command: CommandModule<object, BenchArguments> = {
  command: 'bench',
  describe: 'Measure the engine on this machine',
  builder: argv => {
    const parser = argv
      .usage('$0 bench --mode MODE [options]\n\nMeasures the engine; a JSON object a line.')
      .option('mode', {
        type: 'string',
        requiresArg: true,
        demandOption: true,
        describe: `What to measure: ${MODES.join(', ')}`,
        coerce: oneOf('mode', MODES),
      })
      .option('geometry', {
        type: 'string',
        requiresArg: true,
        describe: 'A config.json [default: hidden 256, 4 layers, vocabulary 2,048]',
        coerce: nonEmpty('geometry'),
      })
    for (const [name, describe] of Object.entries(SIZE_OPTIONS)) {
      const minimum = MINIMUM[name as SizeName] ?? 1
      parser.option(name, {
        type: 'string',
        requiresArg: true,
        describe,
        coerce: wholeNumber(name, minimum, 1 << 20),
      })
    }
    return parser
      .option('runs', {
        type: 'string',
        requiresArg: true,
        describe: 'Timed runs after the warm-up [default: 5]',
        coerce: wholeNumber('runs', 1, 100_000),
      })
      .option('dtype', {
        type: 'string',
        requiresArg: true,
        describe:
          'What products multiply: float32, bfloat16 (faster), or int8 (smaller; the CPU) [default: float32]',
        coerce: oneOf('dtype', DTYPES),
      })
      .options(sharedOptions('seed', 'threads', 'device'))
      .example('$0 bench --mode gemm --m 1024 --n 1024 --k 1024', 'one matrix product')
      .example('$0 bench --mode grpo --threads 2', 'a whole GRPO step') as never
  },
  handler,
}
