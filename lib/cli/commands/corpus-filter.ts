/** `kogrpo corpus filter INPUTS.. --output FILE`: rules, deduplication, perplexity, as one stream. */
import { createHash } from 'node:crypto'
import { statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import type { ArgumentsCamelCase, CommandModule } from 'yargs'
import { filterCorpus } from '../../corpus/filter/filter.ts'
import { type FilterReport, perplexityQuantile } from '../../corpus/filter/report.ts'
import { DEFAULT_RULES, FILTER_RULES, type RuleOptions } from '../../corpus/filter/rules.ts'
import { DEDUP_METHODS, type DedupMethod } from '../../corpus/filter/signature.ts'
import { KogrpoError } from '../../errors.ts'
import { failure, phrase, type Say } from '../../messages/phrase.ts'
import { pad } from '../../report/width.ts'
import { readColumns } from '../columns-option.ts'
import type { CliContext } from '../context.ts'
import { UsageError } from '../errors.ts'
import { runInterruptibly } from '../interrupt.ts'
import { modelIdentity, openModel } from '../open-model.ts'
import { nonEmpty, oneOf, sharedOptions, wholeNumber } from '../options.ts'
import { requireOther } from '../output-place.ts'
import { packageInfo } from '../package-info.ts'
import { RULE_NAMES } from '../rule-names.ts'
import { realNumber } from '../sampling-options.ts'
import { WorkProgress } from '../work-progress.ts'

interface FilterArguments extends Partial<RuleOptions> {
  inputs: string | string[]
  output?: string
  dropped?: string
  columns?: Record<string, string>
  dedup?: DedupMethod
  similarity?: number
  indexMemory?: number
  model?: string
  minPerplexity?: number
  maxPerplexity?: number
  perplexityTokens?: number
  threads?: number
  saveSeconds?: number
  json?: boolean
  context: CliContext
}

const MEBI = 2 ** 20
const text = { type: 'string', requiresArg: true } as const
const share = (option: string) =>
  realNumber(option, phrase('{from} to {to}', { from: 0, to: 1 }), x => x >= 0 && x <= 1)
const positive = (option: string) =>
  realNumber(option, phrase('above {low}', { low: 0 }), x => x > 0)

/** A file as it is now: another file, or a changed one, makes another run. */
function fileIdentity(path: string): object {
  try {
    const { size, mtimeMs } = statSync(path)
    return { path: resolve(path), size, mtimeMs }
  } catch (cause) {
    throw new KogrpoError(
      'E_DATA',
      phrase('{path}: cannot be read: {reason}', { path, reason: failure(cause) }),
      { cause },
    )
  }
}

function checkPerplexity(argv: FilterArguments): void {
  const { model, minPerplexity: min, maxPerplexity: max, perplexityTokens } = argv
  for (const [option, value] of Object.entries({ min, max, tokens: perplexityTokens })) {
    if (value === undefined || model !== undefined) continue
    const name = option === 'tokens' ? '--perplexity-tokens' : `--${option}-perplexity`
    throw new UsageError(
      phrase('{name}: needs --model, under which the perplexity is measured', { name }),
    )
  }
  if (min !== undefined && max !== undefined && min >= max) {
    throw new UsageError(
      phrase('--min-perplexity: expected less than --max-perplexity {max}, got {min}', {
        max,
        min,
      }),
    )
  }
}

async function handler(argv: ArgumentsCamelCase<FilterArguments>): Promise<void> {
  const { context, output, dropped } = argv
  if (output === undefined) throw new UsageError(phrase('required: --output'))
  checkPerplexity(argv)
  const dedup = argv.dedup ?? 'minhash'
  if (argv.similarity !== undefined && (dedup === 'none' || dedup === 'exact')) {
    throw new UsageError(
      phrase('--similarity: has no effect with --dedup {dedup}; remove it', { dedup }),
    )
  }
  const inputs = [argv.inputs].flat()
  requireOther('output', output, inputs)
  if (dropped !== undefined) requireOther('dropped', dropped, [...inputs, output])
  const rules = Object.fromEntries(
    Object.entries(DEFAULT_RULES).map(([name, value]) => [
      name,
      argv[name as keyof RuleOptions] ?? value,
    ]),
  ) as unknown as RuleOptions
  const { columns, model } = argv
  const similarity = argv.similarity ?? (dedup === 'ngram' ? 0.5 : 0.8)
  const indexBytes = (argv.indexMemory ?? 256) * MEBI
  const tokens = argv.perplexityTokens ?? 512
  const window = { min: argv.minPerplexity, max: argv.maxPerplexity, tokens }
  const identity = JSON.stringify([
    { ...packageInfo(), inputs: inputs.map(fileIdentity), columns, rules, dedup, similarity },
    { indexBytes, dropped: dropped && resolve(dropped) },
    model === undefined ? null : { window, model: modelIdentity({ model }) },
  ])
  const id = createHash('sha256').update(identity).digest('hex').slice(0, 8)
  const opened = model === undefined ? undefined : await openModel({ model, threads: argv.threads })
  const perplexity = opened && { ...opened, ...window }
  let seen: { file: number; report: FilterReport } | undefined
  let before: number | undefined
  const progress = new WorkProgress(context, () => {
    if (seen === undefined) return phrase('reading')
    const { records, bytes, kept } = seen.report
    const file = inputs[seen.file] ?? output
    const rate = ((bytes - before!) / 1e6 / progress.seconds).toFixed(1)
    return phrase('{file}: {records} records, {kept} kept, {rate} MB/s', {
      ...{ file, records, kept, rate },
    })
  })
  let report: FilterReport
  try {
    report = await runInterruptibly(
      context,
      {
        onInterrupt: () => progress.note(phrase('stopping after this block')),
        message: () => phrase('stopped; the same command goes on from here'),
      },
      signal =>
        filterCorpus({
          ...{ inputs, output, dropped, id, columns, rules, dedup, similarity, indexBytes },
          threads: argv.threads ?? availableParallelism(),
          ...{ perplexity, signal, saveSeconds: argv.saveSeconds ?? 60 },
          onProgress: ({ file }, report) => {
            before ??= report.bytes
            seen = { file, report }
          },
        }),
    )
  } finally {
    progress.close()
    await opened?.engine.dispose()
  }
  const said = argv.json ? JSON.stringify(summary(report)) : table(output, report, context.say)
  context.stdout.write(`${said}\n`)
}

const QUANTILES = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]

function summary(report: FilterReport): object {
  const { perplexities: _, ...counts } = report
  const quantiles = QUANTILES.map(q => [String(q), perplexityQuantile(report, q)])
  return { ...counts, perplexity: Object.fromEntries(quantiles) as object }
}

function table(output: string, report: FilterReport, say: Say): string {
  const { records, kept, bytes, keptBytes, dropped } = report
  const percent = (n: number): string => `${((100 * n) / Math.max(1, records)).toFixed(1)} %`
  const row = (name: string, n: number): string =>
    `  ${pad(name, 16, 'left')}${String(n).padStart(12)}  ${percent(n).padStart(7)}`
  const [keptMB, allMB] = [keptBytes, bytes].map(n => (n / 1e6).toFixed(1))
  const lines = [
    say('{output}: {kept} of {records} records, {keptMB} of {allMB} MB', {
      ...{ output, kept, records, keptMB: keptMB!, allMB: allMB! },
    }),
    row(say('kept'), kept),
    ...FILTER_RULES.map(rule => row(say(RULE_NAMES[rule]), dropped[rule])),
  ]
  if (perplexityQuantile(report, 0.5) !== null) {
    const at = QUANTILES.map(q => `${100 * q} %: ${perplexityQuantile(report, q)!.toPrecision(3)}`)
    lines.push(`  ${say('perplexities below which lie {quantiles}', { quantiles: at.join(', ') })}`)
  }
  return lines.join('\n')
}

export const command: CommandModule<object, FilterArguments> = {
  command: 'filter <inputs..>',
  describe: 'Filter a corpus: rules, duplicates, perplexity',
  builder: argv =>
    argv
      .usage(
        '$0 filter <inputs..> --output FILE.jsonl\n\nReads .jsonl, .jsonl.gz and .parquet files once, as a stream, and writes the lines that break no rule, repeat no earlier text and lie within the window of perplexity, unchanged and in order. A stopped run goes on when the command is given again. See docs/corpus.md.',
      )
      .positional('inputs', { type: 'string', demandOption: true, describe: 'Data files' })
      .options({
        output: { ...text, describe: 'File to write [required]', coerce: nonEmpty('output') },
        dropped: {
          ...text,
          describe: 'Write the dropped lines here, each with its rule',
          coerce: nonEmpty('dropped'),
        },
        columns: { ...text, describe: 'Columns: text=body', coerce: readColumns },
        'min-chars': {
          ...text,
          describe: 'Least characters [default: 100]',
          coerce: wholeNumber('min-chars', 0),
        },
        'max-chars': {
          ...text,
          describe: 'Most characters [default: 1000000]',
          coerce: wholeNumber('max-chars', 1),
        },
        'min-korean': {
          ...text,
          describe: 'Least share of Hangul among the letters [default: 0.5]',
          coerce: share('min-korean'),
        },
        'min-letters': {
          ...text,
          describe: 'Least share of letters among what is no space [default: 0.6]',
          coerce: share('min-letters'),
        },
        'max-jamo': {
          ...text,
          describe: 'Most share of isolated jamo among the letters (ㅋㅋㅋ) [default: 0.05]',
          coerce: share('max-jamo'),
        },
        'max-broken': {
          ...text,
          describe: 'Most share of control characters and U+FFFD [default: 0.001]',
          coerce: share('max-broken'),
        },
        'max-repeated-lines': {
          ...text,
          describe: 'Most share in lines that occurred before in the text [default: 0.3]',
          coerce: share('max-repeated-lines'),
        },
        'max-repeated-runs': {
          ...text,
          describe: 'Most share in runs of 20 characters that did [default: 0.3]',
          coerce: share('max-repeated-runs'),
        },
        'min-sentences': {
          ...text,
          describe: 'Least sentence ends [default: 1]',
          coerce: wholeNumber('min-sentences', 0),
        },
        dedup: {
          ...text,
          describe:
            'How repeated texts are found: none, exact, minhash or ngram [default: minhash]',
          coerce: oneOf('dedup', DEDUP_METHODS),
        },
        similarity: {
          ...text,
          describe: 'From where a text is a duplicate [default: 0.8; ngram: 0.5]',
          coerce: realNumber(
            'similarity',
            phrase('above {low} and at most {high}', { low: 0, high: 1 }),
            x => x > 0 && x <= 1,
          ),
        },
        'index-memory': {
          ...text,
          describe: 'MiB of the index of duplicates [default: 256]',
          coerce: wholeNumber('index-memory', 1),
        },
        model: {
          ...text,
          describe: 'Checkpoint for the perplexity: a directory or builtin:mini',
          coerce: nonEmpty('model'),
        },
        'min-perplexity': {
          ...text,
          describe: 'Drop texts of a lower perplexity',
          coerce: positive('min-perplexity'),
        },
        'max-perplexity': {
          ...text,
          describe: 'Drop texts of a higher perplexity',
          coerce: positive('max-perplexity'),
        },
        'perplexity-tokens': {
          ...text,
          describe: 'Tokens of the beginning that are measured [default: 512]',
          coerce: wholeNumber('perplexity-tokens', 2),
        },
        'save-seconds': {
          ...text,
          describe: 'Seconds between saved states [default: 60]',
          coerce: wholeNumber('save-seconds', 1),
        },
        json: { type: 'boolean', describe: 'Print the counts as JSON' },
      })
      .options(sharedOptions('threads'))
      .example('$0 filter crawl/*.jsonl.gz --output clean.jsonl', '') as never,
  handler,
}
