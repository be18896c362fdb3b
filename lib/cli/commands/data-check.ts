/**
 * `kogrpo data check INPUT`: of a data file, or of every source of a recipe, what it holds and what is
 * wrong with it, with the first samples as the model will read them, trained tokens marked.
 */

import { extname } from 'node:path'
import type { ArgumentsCamelCase, CommandModule } from 'yargs'
import { builtinRecipes, loadRecipe } from '../../config/load.ts'
import { source as sourceSchema } from '../../config/schema/source.ts'
import {
  type CheckedStage,
  type CheckReport,
  DataCheck,
  type Fingerprints,
  fingerprints,
} from '../../corpus/check.ts'
import { ChatTemplate } from '../../data/chat-template.ts'
import { readRecords, type SourceRecord } from '../../data/readers.ts'
import { type SampleOptions, toGrpoSample, toSftSample } from '../../data/samples.ts'
import { Tokenizer } from '../../data/tokenizer.ts'
import { KogrpoError } from '../../errors.ts'
import { english, joined, type Phrase, phrase, type Say, written } from '../../messages/phrase.ts'
import { openModelDirectory } from '../../model/directory.ts'
import { percent } from '../../report/summary.ts'
import { pad, printable } from '../../report/width.ts'
import { modelPath, sourceRecords } from '../../train/sources.ts'
import { readColumns } from '../columns-option.ts'
import type { CliContext } from '../context.ts'
import { UsageError } from '../errors.ts'
import { modelOptions } from '../open-model.ts'
import { nonEmpty, oneOf, wholeNumber } from '../options.ts'
import { type RecipeSource, recipeSources } from '../recipe-sources.ts'

interface CheckArguments {
  input: string
  model?: string
  stage?: CheckedStage
  columns?: Record<string, string>
  maxLength?: number
  against?: string
  show?: number
  json?: boolean
  context: CliContext
}

/** The parts of a recipe, or the one file of the command line, and the model whose tokenizer reads. */
function partsOf(argv: CheckArguments): { parts: RecipeSource[]; model: string; seed: number } {
  const isRecipe = ['.yaml', '.yml', '.json'].includes(extname(argv.input))
  if (!isRecipe && !builtinRecipes().includes(argv.input)) {
    const parsed = sourceSchema.safeParse({ path: argv.input, columns: argv.columns })
    if (!parsed.success)
      throw new UsageError(joined([argv.input, written(parsed.error.issues[0]!.message)], ': '))
    const source = parsed.data
    const options = { columns: argv.columns, maxLength: argv.maxLength ?? 1024, overlong: 'error' }
    const part = { stage: argv.stage ?? 'sft', source, options: options as RecipeSource['options'] }
    return { parts: [part], model: argv.model ?? 'builtin:mini', seed: 42 }
  }
  const { recipe } = loadRecipe(argv.input)
  for (const [name, idle] of [
    ['max-length', argv.maxLength !== undefined],
    // The file of --against may need them.
    ['columns', argv.columns !== undefined && argv.against === undefined],
  ] as const) {
    if (idle) throw new UsageError(phrase('--{name}: a recipe says it itself; remove it', { name }))
  }
  const all = recipeSources(recipe)
  const parts = argv.stage ? all.filter(({ stage }) => stage === argv.stage) : all
  if (parts.length === 0) {
    throw new UsageError(
      argv.stage
        ? phrase(
            '--stage {stage}: {input} has no such stage',
            argv as { stage: string; input: string },
          )
        : phrase('{input} has no stage whose data could be checked', { input: argv.input }),
    )
  }
  return { parts, model: argv.model ?? recipe.model.path, seed: recipe.seed }
}

async function handler(argv: ArgumentsCamelCase<CheckArguments>): Promise<void> {
  const { context } = argv
  const { parts, model, seed } = partsOf(argv)
  const directory = await openModelDirectory(modelPath(model), { weights: false })
  const tokenizer = await Tokenizer.load(directory.tokenizerDir)
  const template = new ChatTemplate(tokenizer)
  const against: Fingerprints = argv.against
    ? await fingerprints(readRecords(argv.against), argv.columns)
    : new Map()
  const reports: Record<string, unknown>[] = []
  let mistakes = 0
  const empty: string[] = []
  for (const { stage, source, options } of parts) {
    const full = { ...options, tokenizer, template }
    const check = new DataCheck(stage, full, against)
    const shown: SourceRecord[] = []
    for await (const record of sourceRecords(source, seed)) {
      check.add(record)
      if (shown.length < (argv.show ?? 1)) shown.push(record)
    }
    const report = check.report()
    mistakes += report.errorCount
    if (report.records === 0) empty.push(source.path)
    reports.push({ stage, path: source.path, ...report })
    if (argv.json) continue
    const lines = reportLines(stage, source.path, report, options.maxLength, context.say)
    const samples = shown.flatMap(record =>
      sampleLines(record, stage, full, colours(context), context.say),
    )
    context.stdout.write(`${[...lines, ...samples].join('\n')}\n\n`)
  }
  if (argv.json) context.stdout.write(`${JSON.stringify(reports, null, 2)}\n`)
  if (empty.length > 0) {
    throw new KogrpoError(
      'E_DATA',
      joined([empty.join(', '), phrase('the file holds no records')], ': '),
    )
  }
  if (mistakes > 0) {
    throw new KogrpoError(
      'E_DATA',
      phrase('{mistakes} records make no sample; mend or remove them', { mistakes }),
    )
  }
}

type Title = (typeof TITLES)[number]

/** What a line of the report is about. */
const TITLES = [
  english('columns'),
  english('tokens'),
  english('too long'),
  english('prompt'),
  english('thinking'),
  english('answer'),
  english('no thinking'),
  english('no answer'),
  english('duplicates'),
  english('in benchmark'),
  english('mistakes'),
] as const

function reportLines(
  stage: CheckedStage,
  path: string,
  report: CheckReport,
  limit: number,
  say: Say,
): string[] {
  const { tokens, duplicates, leaked } = report
  const title = (name: Title): string => pad(say(name), name === 'in benchmark' ? 13 : 12, 'left')
  const lines = [
    say('{path} ({stage}): {records} records, {samples} samples', {
      path,
      stage,
      records: report.records,
      samples: report.samples,
    }),
    `  ${title('columns')}${report.columns.join(', ')}`,
  ]
  if (tokens) {
    const { min, median, p95, max, total } = tokens
    lines.push(
      `  ${title('tokens')}${say('{min} to {max}, median {median}, 95 % up to {p95}; {total} in all', { min, max, median, p95, total })}` +
        (stage === 'grpo'
          ? say(' (prompts)')
          : say(', {trained} of them trained', { trained: report.trainedTokens })),
    )
    if (report.overlong > 0)
      lines.push(
        `  ${title('too long')}${say('{count} of more than {limit} tokens', { count: report.overlong, limit })}`,
      )
  }
  for (const [part, { texts, korean, mean }] of Object.entries(report.language)) {
    lines.push(
      `  ${title(part as Title)}${say('{share} of {texts} are Korean; {mean} of the letters in the mean', { share: percent(korean), texts, mean: percent(mean) })}`,
    )
  }
  if (report.withoutThinking > 0) {
    lines.push(
      `  ${title('no thinking')}${say('{count} samples: an empty think block is learnt (map a column "reasoning")', { count: report.withoutThinking })}`,
    )
  }
  if (report.withoutAnswer > 0) {
    lines.push(
      `  ${title('no answer')}${say('{count} records (the accuracy reward needs a column "answer")', { count: report.withoutAnswer })}`,
    )
  }
  const pairs = (name: Title, { count, examples }: CheckReport['leaked'], remedy: Phrase): void => {
    if (count === 0) return
    const some = { count, examples: examples.slice(0, 3).join(', '), remedy }
    lines.push(`  ${title(name)}${say('{count}, e.g. {examples}{remedy}', some)}`)
  }
  pairs('duplicates', duplicates, phrase('; kogrpo data prepare leaves them out'))
  pairs('in benchmark', leaked, phrase('; kogrpo data prepare --against leaves them out'))
  if (report.errorCount > 0) {
    lines.push(
      `  ${title('mistakes')}${report.errorCount}:`,
      ...report.errors.map(error => `    ${say(error)}`),
    )
  }
  return lines
}

/** How trained tokens are told from the rest. */
interface Marks {
  trained: [string, string]
  context: [string, string]
}

function colours({ stdout, env }: CliContext): Marks {
  const plain = !stdout.isTTY || (env.NO_COLOR ?? '') !== ''
  return plain
    ? { trained: ['«', '»'], context: ['', ''] }
    : { trained: ['\u001b[32m', '\u001b[0m'], context: ['\u001b[2m', '\u001b[0m'] }
}

/** A sample as the model reads it, trained stretches marked; nothing for one that is a mistake. */
function sampleLines(
  record: SourceRecord,
  stage: CheckedStage,
  options: SampleOptions,
  marks: Marks,
  say: Say,
): string[] {
  const unlimited: SampleOptions = {
    ...options,
    maxLength: Number.MAX_SAFE_INTEGER,
    overlong: 'error',
  }
  let ids: Int32Array
  let mask: Uint8Array
  try {
    if (stage === 'grpo') {
      ids = toGrpoSample(record, unlimited).sample!.promptIds
      mask = new Uint8Array(ids.length)
    } else {
      ;({ ids, mask } = toSftSample(record, unlimited).sample!)
    }
  } catch {
    return []
  }
  let text = ''
  for (let from = 0; from < ids.length; ) {
    let to = from + 1
    while (to < ids.length && mask[to] === mask[from]) to++
    const part = printable(options.tokenizer.decode(ids.subarray(from, to), { skipSpecial: false }))
    const [open, close] = mask[from] ? marks.trained : marks.context
    text += part
      .split('\n')
      .map(line => (line === '' ? '' : open + line + close))
      .join('\n')
    from = to
  }
  const title =
    stage === 'grpo'
      ? say('the prompt as the model reads it')
      : say('trained: {marks}', { marks: marks.trained.join('…') })
  return [
    '',
    `  ${record.file}:${record.line} (${title})`,
    ...text.split('\n').map(line => `    ${line}`.trimEnd()),
  ]
}

export const command: CommandModule<object, CheckArguments> = {
  command: 'check <input>',
  describe: 'Show what a data file or the data of a recipe holds, and what is wrong with it',
  builder: argv =>
    argv
      .usage(
        '$0 check <input>\n\nCounts, lengths in tokens, languages, duplicates and mistakes of a data file (.jsonl, .jsonl.gz, .parquet) or of all data of a recipe (.yaml, .json), and the first samples as the model reads them.',
      )
      .positional('input', {
        type: 'string',
        demandOption: true,
        describe: 'A data file or a recipe',
      })
      .option('model', { ...modelOptions.model, describe: 'Whose tokenizer and template to use' })
      .option('stage', {
        type: 'string',
        requiresArg: true,
        describe:
          'pretrain, sft or grpo: what the file is for [default: sft]; of a recipe, only that',
        coerce: oneOf('stage', ['pretrain', 'sft', 'grpo']),
      })
      .option('columns', {
        type: 'string',
        requiresArg: true,
        describe: 'Columns of the file: prompt=question,answer=gold',
        coerce: readColumns,
      })
      .option('max-length', {
        type: 'string',
        requiresArg: true,
        describe: 'Count samples of more tokens [default: 1024]',
        coerce: wholeNumber('max-length', 1),
      })
      .option('against', {
        type: 'string',
        requiresArg: true,
        describe: 'A benchmark file whose prompts must not be among these',
        coerce: nonEmpty('against'),
      })
      .option('show', {
        type: 'string',
        requiresArg: true,
        describe: 'Samples to show [default: 1]',
        coerce: wholeNumber('show', 0),
      })
      .option('json', { type: 'boolean', describe: 'Print the figures as JSON' })
      .example('$0 check my.jsonl', 'a file for SFT')
      .example('$0 check my.yaml --against test.jsonl', 'all data of a recipe') as never,
  handler,
}
