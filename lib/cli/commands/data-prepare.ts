/** `kogrpo data prepare INPUT --output STEM`: writes STEM.train.jsonl and STEM.eval.jsonl. */
import { mkdirSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import type { ArgumentsCamelCase, CommandModule } from 'yargs'
import { fingerprints } from '../../corpus/check.ts'
import { Preparation, RULES, type Rule } from '../../corpus/prepare.ts'
import { readRecords } from '../../data/readers.ts'
import { KogrpoError } from '../../errors.ts'
import { type Phrase, phrase } from '../../messages/phrase.ts'
import { JsonLinesWriter } from '../../report/jsonl.ts'
import { readColumns } from '../columns-option.ts'
import type { CliContext } from '../context.ts'
import { UsageError } from '../errors.ts'
import { runInterruptibly } from '../interrupt.ts'
import { nonEmpty, wholeNumber } from '../options.ts'
import { requireOther } from '../output-place.ts'
import { countsOf } from '../rule-names.ts'
import { realNumber } from '../sampling-options.ts'

interface PrepareArguments {
  input: string
  output?: string
  columns?: Record<string, string>
  minKorean?: number
  minChars?: number
  maxChars?: number
  maxRepeated?: number
  evalShare?: number
  against?: string
  context: CliContext
}

const PARTS = ['train', 'eval'] as const

/** Reads an option that takes a share. */
const share = (option: string) =>
  realNumber(option, phrase('{from} to {to}', { from: 0, to: 1 }), x => x >= 0 && x <= 1)

async function handler(argv: ArgumentsCamelCase<PrepareArguments>): Promise<void> {
  const { context, input, output } = argv
  if (output === undefined) throw new UsageError(phrase('required: --output'))
  const against = argv.against
    ? await fingerprints(readRecords(argv.against), argv.columns)
    : undefined
  const preparation = new Preparation({
    columns: argv.columns,
    minKorean: argv.minKorean ?? 0.5,
    minChars: argv.minChars ?? 10,
    maxChars: argv.maxChars ?? 100_000,
    maxRepeated: argv.maxRepeated ?? 0.3,
    evalShare: argv.evalShare ?? 0,
    against,
  })
  const counts = { train: 0, eval: 0 }
  const dropped = Object.fromEntries(RULES.map(rule => [rule, 0])) as Record<Rule, number>
  const name = (part: (typeof PARTS)[number]): string => `${output}.${part}.jsonl`
  const partial = (part: (typeof PARTS)[number]): string => `${name(part)}.partial`
  const read = [input, ...(argv.against === undefined ? [] : [argv.against])]
  for (const part of PARTS) requireOther('output', name(part), read)
  mkdirSync(dirname(output), { recursive: true })
  for (const part of PARTS) rmSync(partial(part), { force: true })
  const writers = {
    train: new JsonLinesWriter(partial('train')),
    eval: new JsonLinesWriter(partial('eval')),
  }
  try {
    await runInterruptibly(
      context,
      { onInterrupt: () => {}, message: () => phrase('stopped; nothing was written') },
      async signal => {
        for await (const source of readRecords(input)) {
          signal.throwIfAborted()
          const decision = preparation.decide(source)
          if ('dropped' in decision) {
            dropped[decision.dropped]++
            continue
          }
          counts[decision.part]++
          writers[decision.part].append(decision.record)
        }
      },
    )
    if (counts.train === 0) {
      throw new KogrpoError(
        'E_DATA',
        phrase('{input}: no record is left for training; {dropped}', {
          input,
          dropped: listed(dropped),
        }),
      )
    }
    for (const part of PARTS) {
      writers[part].close()
      if (counts[part] > 0) renameSync(partial(part), name(part))
    }
  } finally {
    for (const part of PARTS) {
      writers[part].close()
      rmSync(partial(part), { force: true })
    }
  }
  const lines = PARTS.filter(part => part === 'train' || counts[part] > 0).map(part =>
    phrase('{file}: {count} records', { file: name(part), count: counts[part] }),
  )
  lines.push(phrase('dropped: {dropped}', { dropped: listed(dropped) }))
  context.stdout.write(`${lines.map(line => context.say(line)).join('\n')}\n`)
}

function listed(dropped: Record<Rule, number>): Phrase {
  return countsOf(RULES.map(rule => [rule, dropped[rule]] as const)) ?? phrase('none')
}

export const command: CommandModule<object, PrepareArguments> = {
  command: 'prepare <input>',
  describe: 'Clean, filter, deduplicate and split a data file',
  builder: argv =>
    argv
      .usage(
        '$0 prepare <input> --output STEM\n\nWrites STEM.train.jsonl and, with --eval-share, STEM.eval.jsonl: text cleaned (NFC, no control characters), without samples that are not Korean, too short or long, repetitive, duplicates, or in a benchmark.',
      )
      .positional('input', { type: 'string', demandOption: true, describe: 'A data file' })
      .options({
        output: {
          type: 'string',
          requiresArg: true,
          describe: 'Beginning of the names of the files to write [required]',
          coerce: nonEmpty('output'),
        },
        columns: {
          type: 'string',
          requiresArg: true,
          describe: 'Columns of the file: prompt=question,answer=gold',
          coerce: readColumns,
        },
        'min-korean': {
          type: 'string',
          requiresArg: true,
          describe:
            'Least share of Korean letters in thinking and answer (else in the prompt) [default: 0.5]',
          coerce: share('min-korean'),
        },
        'min-chars': {
          type: 'string',
          requiresArg: true,
          describe: 'Least characters of a sample [default: 10]',
          coerce: wholeNumber('min-chars', 0),
        },
        'max-chars': {
          type: 'string',
          requiresArg: true,
          describe: 'Most characters of a sample [default: 100000]',
          coerce: wholeNumber('max-chars', 1),
        },
        'max-repeated': {
          type: 'string',
          requiresArg: true,
          describe: 'Most share of the text in lines that occurred before [default: 0.3]',
          coerce: share('max-repeated'),
        },
        'eval-share': {
          type: 'string',
          requiresArg: true,
          describe: 'Share of the prompts to hold out [default: 0]',
          coerce: share('eval-share'),
        },
        against: {
          type: 'string',
          requiresArg: true,
          describe: 'A benchmark file whose prompts are left out',
          coerce: nonEmpty('against'),
        },
      })
      .example('$0 prepare raw.jsonl --output data/ko --eval-share 0.02', '') as never,
  handler,
}
