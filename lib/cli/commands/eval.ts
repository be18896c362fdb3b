/**
 * `kogrpo eval`: a benchmark against a checkpoint or an endpoint. Rows of questions go to --output, the
 * figures beside it (`<output>.summary.json`) and to the console. A stopped evaluation is taken up again
 * by the same command. Sample s of question i takes stream i · n + s of the seed.
 */
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { ArgumentsCamelCase, CommandModule } from 'yargs'
import type { Backend, Sampling } from '../../eval/backend/types.ts'
import { BENCHMARKS, benchmarkOf } from '../../eval/benchmarks/index.ts'
import type { Benchmark } from '../../eval/benchmarks/types.ts'
import { examplesFor, goldText, likelihoodContext, prompted } from '../../eval/few-shot.ts'
import { generationRow, likelihoodRow, type Row } from '../../eval/grade.ts'
import { collect, type Item, readItems } from '../../eval/items.ts'
import { readRowFile } from '../../eval/row-file.ts'
import { summarizeRows } from '../../eval/summary.ts'
import { phrase, written } from '../../messages/phrase.ts'
import { writeJson } from '../../report/run-directory.ts'
import { codeGrader } from '../../rewards/kinds/code.ts'
import { BubblewrapRunner } from '../../sandbox/bubblewrap.ts'
import { UsageError } from '../errors.ts'
import { type EvalArguments, openBackend, openJudgeOf } from '../eval-model.ts'
import { evalOptions } from '../eval-options.ts'
import { summaryTable } from '../eval-table.ts'
import { DEFAULT_SEED, modelIdentity } from '../open-model.ts'
import { requireOther } from '../output-place.ts'
import { packageInfo } from '../package-info.ts'
import { type RecordWork, requireOptions, runRecordJob } from '../record-job.ts'

/** What to do, decided before anything is loaded. */
interface Plan {
  benchmark: Benchmark
  mode: 'likelihood' | 'generation'
  compat: 'none' | 'hret'
  samples: number
  shots: number
  sampling: Sampling
}

const CODE_TIMEOUT_MS = 10_000
/** Characters of contexts and options scored at once, and batches of what runs at once. */
const LIKELIHOOD_BUDGET = 16_384
const BATCHES_OF_RUNNING = 4

/** What only answers that are sampled depend on. */
const SAMPLING_OPTIONS = [
  'temperature',
  'topK',
  'topP',
  'minP',
  'maxNewTokens',
  'system',
  'enableThinking',
] as const

function planOf(argv: EvalArguments): Plan {
  const benchmark = benchmarkOf(argv.benchmark)
  const choice = benchmark.kind === 'choice'
  const compat = argv.compat ?? 'none'
  const generative = !choice || compat === 'hret' || argv.judge !== undefined
  const mode = argv.mode ?? (generative ? 'generation' : 'likelihood')
  if (mode === 'likelihood' && generative) {
    const why = choice
      ? phrase('--compat and --judge read answers')
      : phrase('{title} has no options', { title: benchmark.title })
    throw new UsageError(phrase('--mode likelihood: {why}; use --mode generation', { why }))
  }
  // What decides alone would leave the judge unasked.
  const code = benchmark.kind === 'code'
  if (argv.judge !== undefined && (code || compat === 'hret')) {
    const what = code ? phrase('the unit tests of the benchmark') : '--compat hret'
    throw new UsageError(
      phrase('--judge: has no effect, because this decides: {what}; leave one out', { what }),
    )
  }
  const unread = SAMPLING_OPTIONS.find(name => argv[name] !== undefined)
  if (mode === 'likelihood' && unread !== undefined) {
    const name = unread.replaceAll(/[A-Z]/g, capital => `-${capital.toLowerCase()}`)
    throw new UsageError(
      phrase('--{name}: has no effect with --mode likelihood, which samples nothing; remove it', {
        name,
      }),
    )
  }
  const samples = argv.numSamples ?? 1
  const temperature = argv.temperature ?? (samples > 1 ? 0.6 : 0)
  if (samples > 1 && (mode === 'likelihood' || temperature === 0)) {
    throw new UsageError(
      phrase(
        '--num-samples above 1 needs --mode generation and a temperature above 0: equal samples say nothing',
      ),
    )
  }
  return {
    benchmark,
    mode,
    compat,
    samples,
    shots: argv.numFewshot ?? 0,
    sampling: {
      temperature,
      topK: argv.topK ?? 0,
      topP: argv.topP ?? 1,
      minP: argv.minP ?? 0,
      maxNewTokens: argv.maxNewTokens ?? 2048,
      seed: argv.seed ?? DEFAULT_SEED,
    },
  }
}

interface Prepared {
  item: Item
  index: number
  examples: Item[]
  /** What is asked in a conversation. */
  prompt: string
}

function prepare(item: Item, index: number, pool: readonly Item[], plan: Plan): Prepared {
  const examples = examplesFor(item, pool, plan.shots)
  const formOf = (of: Item): { prompt: string; answer: string } =>
    plan.compat === 'hret' && of.hret
      ? { prompt: of.hret.prompt, answer: of.hret.reference }
      : { prompt: of.prompt, answer: goldText(of) }
  const prompt = prompted(formOf(item).prompt, examples.map(formOf), plan.benchmark.language)
  return { item, index, examples, prompt }
}

const whereOf = ({ source }: Item): string => `${source.file}:${source.line}`

async function likelihoods(
  backend: Backend,
  batch: readonly Prepared[],
  signal: AbortSignal,
): Promise<{ rows: Row[]; tokens: number }> {
  const pairs = batch.flatMap(({ item, examples }) => {
    const context = likelihoodContext(item, examples)
    return item.likelihood!.options.map(option => ({ context, continuation: ` ${option}` }))
  })
  const where = batch.flatMap(({ item }) => item.likelihood!.options.map(() => whereOf(item)))
  const scored = await backend.likelihoods(pairs, where, { signal })
  let next = 0
  const rows = batch.map(({ item }) => {
    const count = item.likelihood!.options.length
    next += count
    return likelihoodRow(item, scored.slice(next - count, next))
  })
  return { rows, tokens: scored.reduce((sum, { tokens }) => sum + tokens, 0) }
}

async function startWork(
  argv: EvalArguments,
  plan: Plan,
  items: readonly Item[],
  pool: readonly Item[],
): Promise<RecordWork<Prepared>> {
  // Before the model is loaded: a machine without a sandbox is told so at once.
  const code =
    plan.benchmark.kind === 'code'
      ? codeGrader(
          { tests_column: 'test', timeout_ms: CODE_TIMEOUT_MS },
          () => new BubblewrapRunner(),
        )
      : undefined
  const judge = await openJudgeOf(argv)
  const backend = await openBackend(argv)
  const { benchmark, mode, compat, samples, sampling } = plan
  const generation = mode === 'generation'
  const lengthOf = ({ item, examples }: Prepared): number =>
    likelihoodContext(item, examples).length + item.likelihood!.options.join('').length
  return {
    prepare: (_source, index) => prepare(items[index]!, index, pool, plan),
    cost: prepared => (generation ? samples : lengthOf(prepared)),
    budget: generation ? BATCHES_OF_RUNNING * (argv.maxSequences ?? 256) : LIKELIHOOD_BUDGET,
    run: async (batch, { signal, onProgress }) => {
      if (!generation) return likelihoods(backend, batch, signal)
      const asks = batch.map(({ item, index, prompt }) => ({
        prompt,
        where: whereOf(item),
        streams: Array.from({ length: samples }, (_, s) => index * samples + s),
      }))
      const given = await backend.sample(asks, sampling, { signal, onProgress })
      const rows = await Promise.all(
        batch.map(({ item, prompt }, i) =>
          generationRow(benchmark, item, prompt, given[i]!, { compat, judge, code, signal }),
        ),
      )
      return { rows, tokens: given.flat().reduce((sum, { tokens }) => sum + tokens, 0) }
    },
    close: async () => {
      await backend.close()
      await judge?.close()
    },
  }
}

/** Files as the fingerprint of a run knows them. */
function identityOf(
  items: readonly Item[],
  path: string,
): {
  path: string
  bytes: number
  modified: number
} {
  const files = [...new Set(items.map(item => item.source.file))].map(file => statSync(file))
  return {
    path: resolve(path),
    bytes: files.reduce((sum, { size }) => sum + size, 0),
    modified: Math.max(...files.map(({ mtimeMs }) => mtimeMs)),
  }
}

async function handler(argv: ArgumentsCamelCase<EvalArguments>): Promise<void> {
  requireOptions('eval', argv, ['benchmark', 'data', 'output'])
  if ((argv.model === undefined) === (argv.endpoint === undefined)) {
    throw new UsageError(
      phrase('give --model DIR or --endpoint URL, one of them\nSee: kogrpo eval --help'),
    )
  }
  if (argv.endpoint !== undefined && argv.endpointModel === undefined) {
    throw new UsageError(
      phrase('--endpoint needs --endpoint-model, the name that the server knows'),
    )
  }
  const ofModel = {
    'base-model': argv.baseModel,
    init: argv.init,
    dtype: argv.dtype,
    smooth: argv.smooth,
  }
  for (const name of ['concurrency', 'timeout', 'endpointModel', 'apiKeyEnv'] as const) {
    if (argv.endpoint !== undefined || argv[name] === undefined) continue
    const option = name.replaceAll(/[A-Z]/g, capital => `-${capital.toLowerCase()}`)
    throw new UsageError(
      phrase('--{name}: has no effect without --endpoint; remove it', { name: option }),
    )
  }
  for (const [name, value] of Object.entries(ofModel)) {
    if (argv.endpoint === undefined || value === undefined) continue
    throw new UsageError(phrase('--{name}: has no effect with --endpoint; remove it', { name }))
  }
  if (argv.output === '-')
    throw new UsageError(phrase('--output -: the figures need a file; name one'))
  const plan = planOf(argv)
  const { benchmark, shots } = plan
  const items = await collect(readItems(benchmark, argv.data, argv.split), argv.limit)
  const shotSource = argv.fewshotData ?? argv.data
  const pool =
    shots === 0
      ? []
      : await collect(
          readItems(
            benchmark,
            shotSource,
            argv.fewshotData ? benchmark.split : fewShotSplit(benchmark),
          ),
        )
  const read = [...items, ...pool].map(item => item.source.file)
  for (const path of [argv.output, `${argv.output}.summary.json`]) {
    requireOther('output', path, [...new Set(read)])
  }
  const { model, endpoint, endpointModel, split, limit, system, enableThinking, judge } = argv
  const who = model === undefined ? { endpoint, endpointModel } : modelIdentity({ ...argv, model })
  const { benchmark: _record, ...settings } = plan
  const asked = {
    ...settings,
    benchmark: benchmark.name,
    split,
    limit,
    system,
    enableThinking,
    judge,
  }
  await runRecordJob<Prepared>({
    context: argv.context,
    name: 'eval',
    input: async () => ({
      records: toStream(items.map(item => item.source)),
      identity: identityOf([...items, ...pool], argv.data),
    }),
    output: argv.output,
    rowsPerRecord: 1,
    columns: [],
    fingerprint: { ...packageInfo(), ...asked, model: who },
    start: () => startWork(argv, plan, items, pool),
  })
  const rows = await readRowFile(argv.output)
  const summary = summarizeRows(rows, { macroF1: benchmark.macroF1 })
  const name = model ?? `${endpointModel} at ${endpoint}`
  writeJson(`${argv.output}.summary.json`, { model: name, data: argv.data, ...asked, ...summary })
  const { say, stdout } = argv.context
  const title = say('{title}, {model}{shots}, by {mode}{form}', {
    title: written(benchmark.title),
    model: model ?? phrase('{model} at {endpoint}', { model: endpointModel!, endpoint: endpoint! }),
    shots: shots > 0 ? phrase(', {shots}-shot', { shots }) : '',
    mode: written(plan.mode),
    form: plan.compat === 'hret' ? phrase(', as HRET') : '',
  })
  const figures = say('figures in {file}', { file: `${argv.output}.summary.json` })
  stdout.write(`${summaryTable(title, summary, say).join('\n')}\n\n${figures}\n`)
}

async function* toStream<T>(values: readonly T[]): AsyncGenerator<T> {
  yield* values
}

function fewShotSplit(benchmark: Benchmark): string {
  if (benchmark.fewShotSplit !== undefined) return benchmark.fewShotSplit
  throw new UsageError(
    phrase(
      '--num-fewshot: {title} publishes no examples; name a file of its format by --fewshot-data',
      { title: benchmark.title },
    ),
  )
}

export const command: CommandModule<object, EvalArguments> = {
  command: 'eval',
  describe: 'Evaluate a model on a benchmark',
  builder: argv =>
    argv
      .usage(
        '$0 eval --model DIR --benchmark NAME --data DIR --output ROWS.jsonl\n' +
          '$0 eval --endpoint URL --endpoint-model NAME --benchmark NAME --data DIR --output ROWS.jsonl\n\n' +
          'Benchmarks, as published (docs/eval.md has a row of each):\n' +
          `${BENCHMARKS.map(b => b.name).join(', ')}\n\n` +
          'Multiple choice is scored by log-likelihood, or by the answers with --mode generation;\n' +
          'mathematics by the verifier of the accuracy reward, code in the sandbox. With --num-samples n: avg@n, pass@k,\n' +
          'the vote and the likeliest. kogrpo eval compare puts several such files on one table.',
      )
      .options(evalOptions)
      .example(
        '$0 eval --model out/model --benchmark kmmlu --data KMMLU --num-fewshot 5 --output kmmlu.jsonl',
        'five-shot KMMLU by likelihood',
      )
      .example(
        '$0 eval --model out/model --benchmark hrm8k --data HRM8K --num-samples 8 --output hrm8k.jsonl',
        'avg@8, pass@k and the vote',
      ) as never,
  handler,
}
