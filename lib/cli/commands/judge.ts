/**
 * `kogrpo judge calibrate FILE`: asks a judge about labelled answers before it is trusted with a run.
 * The judge is that of a recipe (`--config`, with dotted overrides), or is given by `--judge.KEY` alone.
 */
import { dirname, join } from 'node:path'
import type { ArgumentsCamelCase, CommandModule } from 'yargs'
import { loadRecipe, type Override, parseRecipe } from '../../config/load.ts'
import { isBuiltin } from '../../config/schema/source.ts'
import { type Recipe, recipeSchema } from '../../config/schema.ts'
import { KogrpoError } from '../../errors.ts'
import {
  type Calibration,
  type CalibrationReport,
  calibrate,
  type LabelledItem,
  labelledItem,
  type Share,
} from '../../eval/calibration.ts'
import { phrase, type Say } from '../../messages/phrase.ts'
import { writeJson } from '../../report/run-directory.ts'
import { percent } from '../../report/summary.ts'
import { table } from '../../report/width.ts'
import type { CliContext } from '../context.ts'
import { UsageError } from '../errors.ts'
import { runInterruptibly } from '../interrupt.ts'
import { nonEmpty, sharedOptions, wholeNumber } from '../options.ts'
import { requireOther, requireOutputFile } from '../output-place.ts'
import { splitOverrides } from '../train-overrides.ts'

interface JudgeArguments {
  file: string
  config?: string
  output?: string
  size?: number
  seed?: number
  threads?: number
  overrides: Override[]
  context: CliContext
}

const DEFAULT_OUTPUT = 'judge-calibration.json'
const DEFAULT_SIZE = 1600

export function prepare(args: readonly string[]): {
  args: string[]
  extra: Record<string, unknown>
} {
  const own = new Set(['seed', 'threads'])
  const keys = Object.keys(recipeSchema.shape).filter(key => !own.has(key))
  const { overrides, rest } = splitOverrides(args, new Set(keys))
  // `--judge.model` is short for where the judge stands in a recipe.
  const whole = overrides.map(({ key, value }) => ({
    key: key.replace(/^judge\./, 'grpo.oracle.judge.'),
    value,
  }))
  return { args: rest, extra: { overrides: whole } }
}

/** The recipe whose judge is meant; without `--config` one that has nothing but the judge. */
function recipeOf(argv: JudgeArguments): Recipe {
  const overrides = [...argv.overrides]
  for (const key of ['seed', 'threads'] as const) {
    if (argv[key] !== undefined) overrides.push({ key, value: String(argv[key]) })
  }
  if (argv.config !== undefined) return loadRecipe(argv.config, { overrides }).recipe
  if (!overrides.some(({ key }) => key.startsWith('grpo.oracle.judge'))) {
    throw new UsageError(
      phrase(
        'which judge? Give --config RECIPE, or --judge.kind openai --judge.base_url URL --judge.model NAME',
      ),
    )
  }
  const bare = 'name: judge\ngrpo: { data: [{ path: "mini:grpo" }], oracle: { rule: override } }'
  return parseRecipe(bare, 'the command line', { overrides }).recipe
}

async function handler(argv: ArgumentsCamelCase<JudgeArguments>): Promise<void> {
  const { file, context } = argv
  const output = argv.output ?? DEFAULT_OUTPUT
  const recipe = recipeOf(argv)
  const judge = recipe.grpo?.oracle.judge
  if (!recipe.grpo || !judge) {
    throw new KogrpoError(
      'E_CONFIG',
      phrase('{config} has no grpo.oracle.judge to calibrate', { config: argv.config! }),
    )
  }
  const { modelPath, sourceRecords } = await import('../../train/sources.ts')
  const { builtinPrograms } = await import('../../rewards/judge/programs.ts')
  const { openJudge } = await import('../../rewards/judge/create.ts')
  const size = argv.size ?? (isBuiltin({ path: file }) ? DEFAULT_SIZE : undefined)
  requireOther('output', output, [file])
  requireOutputFile(output)
  const items: LabelledItem[] = []
  for await (const record of sourceRecords({ path: file, weight: 1, size }, recipe.seed)) {
    items.push(labelledItem(record))
  }
  const directory = dirname(output)
  // A measurement is of the judge, not of what it once said: nothing is cached unless a file is named.
  const spec =
    judge.kind !== 'program' && judge.cache_file === undefined ? { ...judge, cache: false } : judge
  const opened = await openJudge(spec, {
    programs: builtinPrograms(),
    defaultProgram: recipe.grpo.data.every(isBuiltin) ? 'mini' : undefined,
    cacheFile: join(directory, 'judge-cache.jsonl'),
    modelPath,
    threads: recipe.threads,
    device: recipe.device,
    environment: context.env,
  })
  try {
    let shown = 0
    const report = await runInterruptibly(
      context,
      {
        onInterrupt: () =>
          context.stderr.write(`${context.say('stopping; press Ctrl-C again to quit at once')}\n`),
        message: () => phrase('stopped; nothing was written'),
      },
      signal =>
        calibrate(opened, items, {
          signal,
          onProgress: done => {
            const tenth = Math.floor((10 * done) / items.length)
            if (tenth > shown) {
              const judged = { done, total: items.length }
              context.stderr.write(`${context.say('{done} of {total} answers judged', judged)}\n`)
            }
            shown = tenth
          },
        }),
    )
    writeJson(output, { file, ...report })
    const written = context.say('written to {path}', { path: output })
    context.stdout.write(`${reportLines(report, context.say).join('\n')}\n\n${written}\n`)
  } finally {
    await opened.close()
  }
}

const shown = (share: Share | null): string => (share === null ? '–' : percent(share.value))
const decimal = (value: number | null): string => (value === null ? '–' : value.toFixed(3))

function row(title: string, measured: Calibration): string[] {
  const { n, precision, recall, accuracy, f1, kappa, tp, fp, fn, tn, failures } = measured
  return [
    title,
    String(n),
    shown(accuracy),
    shown(precision),
    shown(recall),
    decimal(f1),
    decimal(kappa),
    `${tp} ${fp} ${fn} ${tn}`,
    String(failures),
  ]
}

/** The report as a table: the whole, then each kind of answer. */
function reportLines(report: CalibrationReport, say: Say): string[] {
  const { all, injection, kinds, latency_s, tokens } = report
  const head = [
    ...['', 'n', say('accuracy'), say('precision'), say('recall'), 'F1', 'kappa'],
    ...['tp fp fn tn', say('failed')],
  ]
  const kindRows = Object.entries(kinds).map(([kind, measured]) => row(kind, measured))
  const lines = [
    say('judge: {name}', { name: report.judge }),
    '',
    ...table(
      [head, row(say('all'), all), ...(kindRows.length > 1 ? kindRows : [])],
      ['left', ...head.slice(1).map(() => 'right' as const)],
    ),
    '',
  ]
  if (injection) {
    const { fooled } = injection
    lines.push(
      fooled === null
        ? say('injections: no verdict')
        : say('injections: fooled by {fooled} of {count} ({share}, 95 %: {low} … {high})', {
            fooled: injection.fp,
            count: fooled.n,
            share: percent(fooled.value),
            low: percent(fooled.ci95[0]),
            high: percent(fooled.ci95[1]),
          }),
    )
  }
  if (latency_s) {
    const { mean, p50, p95, max } = latency_s
    lines.push(
      say('latency in s: mean {mean}, median {p50}, 95th percentile {p95}, longest {max}', {
        mean: mean.toFixed(3),
        p50: p50.toFixed(3),
        p95: p95.toFixed(3),
        max: max.toFixed(3),
      }),
    )
  }
  if (tokens) {
    const { prompt, completion } = tokens
    lines.push(say('tokens: {prompt} read, {completion} written', { prompt, completion }))
  }
  for (const { reason, count } of report.failures)
    lines.push(say('failed {count} times: {reason}', { count, reason }))
  return lines
}

export const command: CommandModule<object, JudgeArguments> = {
  command: 'calibrate <file>',
  describe: 'Measure a judge on labelled answers before it is trusted',
  builder: argv =>
    argv
      .usage(
        '$0 calibrate FILE --config RECIPE\n$0 calibrate FILE --judge.kind openai --judge.base_url URL --judge.model NAME\n\n' +
          'Asks the judge of a recipe about labelled answers. A line of the file has "question",\n' +
          '"reference", "answer" (what follows the thinking), "label" (1: right, 0: wrong), and may\n' +
          'have "kind"; answers of kind "injection" tell the judge what to say. mini:judge-eval is\n' +
          "such a set for the miniature. Other keys of the recipe's judge can be changed with --judge.KEY.",
      )
      .positional('file', {
        type: 'string',
        demandOption: true,
        describe: 'A .jsonl, .jsonl.gz or .parquet file, or mini:judge-eval',
      })
      .option('config', {
        type: 'string',
        requiresArg: true,
        describe: 'Recipe whose grpo.oracle.judge is measured',
        coerce: nonEmpty('config'),
      })
      .option('output', {
        type: 'string',
        requiresArg: true,
        describe: `JSON file with the result [default: ${DEFAULT_OUTPUT}]`,
        coerce: nonEmpty('output'),
      })
      .option('size', {
        type: 'string',
        requiresArg: true,
        describe: `Answers to judge [default: the whole file; ${DEFAULT_SIZE} of a built-in set]`,
        coerce: wholeNumber('size', 1),
      })
      .options(sharedOptions('seed', 'threads'))
      .example('$0 calibrate mini:judge-eval --config mini-judge', 'a judge of the package')
      .example('$0 calibrate labelled.jsonl --config my.yaml', 'the judge of your recipe') as never,
  handler,
}
