/** `kogrpo extend-vocab`: a checkpoint with new tokens, whose rows begin as the mean of their parts. */
import { readFile } from 'node:fs/promises'
import type { ArgumentsCamelCase, CommandModule } from 'yargs'
import { randomStream } from '../../data/random.ts'
import { Tokenizer } from '../../data/tokenizer.ts'
import { KogrpoError } from '../../errors.ts'
import { failure, phrase } from '../../messages/phrase.ts'
import { openModelDirectory } from '../../model/directory.ts'
import { modelPath } from '../../train/sources.ts'
import { newTokens, type VocabularyInit } from '../../vocab/extend.ts'
import { writeExtended } from '../../vocab/write.ts'
import type { CliContext } from '../context.ts'
import { runInterruptibly } from '../interrupt.ts'
import { nonEmpty, oneOf, sharedOptions, wholeNumber } from '../options.ts'
import { overwriteOption, requireOutputModel } from '../output-place.ts'
import { requireOptions } from '../record-job.ts'

interface ExtendArguments {
  context: CliContext
  model: string
  tokens: string
  output: string
  init?: VocabularyInit
  padTo?: number
  seed?: number
  overwrite?: boolean
}

/** Standard normals that follow from a seed (Box and Muller). */
function normalsOf(seed: number): (count: number) => Float32Array {
  const next = randomStream(`extend-vocab ${seed}`)
  const uniform = (): number => (next() + 0.5) / 2 ** 32
  return count =>
    Float32Array.from(
      { length: count },
      () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()),
    )
}

async function wordsOf(file: string): Promise<string[]> {
  try {
    return (await readFile(file, 'utf8')).split(/\r?\n/)
  } catch (cause) {
    throw new KogrpoError(
      'E_DATA',
      phrase('--tokens {file}: cannot be read: {reason}', { file, reason: failure(cause) }),
      { cause },
    )
  }
}

async function handler(argv: ArgumentsCamelCase<ExtendArguments>): Promise<void> {
  requireOptions('extend-vocab', argv, ['tokens', 'output'])
  const { context, tokens: file, output } = argv
  const directory = await openModelDirectory(modelPath(argv.model))
  if (directory.adapter) {
    throw new KogrpoError(
      'E_ADAPTER',
      phrase('{model} is an adapter; merge it first (kogrpo merge), then extend the merged model', {
        model: argv.model,
      }),
    )
  }
  requireOutputModel(output, directory.dir, argv.overwrite === true)
  const tokenizer = await Tokenizer.load(directory.tokenizerDir)
  tokenizer.requireModel(directory.config)
  const added = newTokens(await wordsOf(file), tokenizer, file)
  const { rows, rowsBefore, dtype } = await runInterruptibly(
    context,
    {
      onInterrupt: () => context.stderr.write(`${context.say('stopping')}\n`),
      message: () => phrase('stopped; nothing was written'),
    },
    signal =>
      writeExtended(directory, tokenizer.size, added, output, {
        init: argv.init ?? 'subtoken_mean',
        padTo: argv.padTo ?? 128,
        normals: normalsOf(argv.seed ?? 42),
        signal,
      }),
  )
  const count = added.tokens.length
  const parts = added.subtokens.reduce((sum, ids) => sum + ids.length, 0)
  const first = tokenizer.size
  const lines = [
    phrase(
      'wrote {output} in {dtype}: {count} new tokens, ids {first} to {last}, each in place of {parts} tokens',
      {
        ...{ output, dtype: dtype === 'BF16' ? 'bf16' : 'fp32', count, first },
        ...{ last: first + count - 1, parts: (parts / count).toFixed(1) },
      },
    ),
  ]
  if (added.known.length > 0)
    lines.push(phrase('{count} words were tokens already', { count: added.known.length }))
  const rest = rows - first - count
  const grew = rows !== rowsBefore
  lines.push(
    grew
      ? phrase('vocab_size grew from {before} to {rows} ({rest} rows unused)', {
          ...{ before: rowsBefore, rows, rest },
        })
      : phrase('the padding of the vocabulary had room: still {rows} rows, {rest} of them unused', {
          rows,
          rest,
        }),
    phrase(
      'What this breaks:\n  the new tokens are found in a text before it is split and merged, wherever their characters\n  stand, also inside longer words; no merge leads to them, vocab.json and merges.txt do not have them\n  {who}; token ids of prepared data, caches and judges of the original are of another text\n  the rows are a beginning: train embedding and head first (train_only: { embed: true, head: true })',
      {
        who: grew
          ? phrase(
              'servers that keep a template of the original shapes, and quantised copies, do not fit',
            )
          : phrase('servers and trainers must load this tokenizer'),
      },
    ),
  )
  context.stdout.write(`${lines.map(line => context.say(line)).join('\n')}\n`)
}

export const command: CommandModule<object, ExtendArguments> = {
  command: 'extend-vocab <model>',
  describe: 'Write a model with new tokens',
  builder: argv =>
    argv
      .usage(
        '$0 extend-vocab MODEL --tokens words.txt --output DIR\n\n' +
          'Adds tokens to a model (RedWhale, arXiv 2408.11294): each new row of embedding and LM head\n' +
          'begins as the mean of the rows of the tokens that wrote it so far. Everything else keeps its\n' +
          'bits. Qwen3 has Korean tokens; whether more of them pay is to be measured first (kogrpo data\n' +
          'check shows tokens per character).',
      )
      .positional('model', {
        type: 'string',
        demandOption: true,
        describe: 'Hugging Face model directory, or builtin:mini',
      })
      .options({
        tokens: {
          type: 'string',
          requiresArg: true,
          describe: 'File with one new token a line [required]',
          coerce: nonEmpty('tokens'),
        },
        output: {
          type: 'string',
          requiresArg: true,
          describe: 'Directory to write [required]',
          coerce: nonEmpty('output'),
        },
        init: {
          type: 'string',
          requiresArg: true,
          describe: 'subtoken_mean, mean (of all rows) or random [default: subtoken_mean]',
          coerce: oneOf('init', ['subtoken_mean', 'mean', 'random']),
        },
        'pad-to': {
          type: 'string',
          requiresArg: true,
          describe: 'Rows are a multiple of it where the padding does not suffice [default: 128]',
          coerce: wholeNumber('pad-to', 1),
        },
        overwrite: overwriteOption,
      })
      .options(sharedOptions('seed'))
      .example('$0 extend-vocab Qwen3-0.6B --tokens words.txt --output Qwen3-0.6B-ko', '') as never,
  handler,
}
