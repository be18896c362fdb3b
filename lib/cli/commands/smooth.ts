/**
 * `kogrpo smooth`: a checkpoint that hardly writes Chinese, by scaling rows of its LM head; the
 * starting point of the paper (Smoothie-Qwen3). What was touched is printed.
 */
import type { ArgumentsCamelCase, CommandModule, Options } from 'yargs'
import { type SmoothSettings, smooth as smoothSchema } from '../../config/schema/smooth.ts'
import { Tokenizer } from '../../data/tokenizer.ts'
import { joined, type Phrase, phrase } from '../../messages/phrase.ts'
import { openModelDirectory } from '../../model/directory.ts'
import { type ScaledToken, type Smoothing, smoothVocabulary } from '../../smooth/smooth.ts'
import { refuseSmoothed, writeSmoothed } from '../../smooth/write.ts'
import { modelPath } from '../../train/sources.ts'
import type { CliContext } from '../context.ts'
import { UsageError } from '../errors.ts'
import { runInterruptibly } from '../interrupt.ts'
import { nonEmpty } from '../options.ts'
import { overwriteOption, requireOutputModel } from '../output-place.ts'
import { realNumber } from '../sampling-options.ts'
import { smoothSettings } from '../smooth-option.ts'

interface SmoothArguments {
  model: string
  output?: string
  minScale?: number
  gamma?: number
  ngramWeights?: string
  keepKorean?: boolean
  keep?: string
  dryRun?: boolean
  overwrite?: boolean
  context: CliContext
}

const { shape } = smoothSchema

const options = {
  output: {
    type: 'string',
    requiresArg: true,
    describe: 'Model directory to write',
    coerce: nonEmpty('output'),
  },
  'min-scale': {
    type: 'string',
    requiresArg: true,
    describe: 'Factor on the logits of Chinese tokens [default: 0.5]',
    coerce: realNumber(
      'min-scale',
      phrase('above {low} and at most {high}', { low: 0, high: 1 }),
      x => x > 0 && x <= 1,
    ),
  },
  gamma: {
    type: 'string',
    requiresArg: true,
    describe: 'Base of the logarithm by which a broken token is scaled [default: 10]',
    coerce: realNumber('gamma', phrase('above {low}', { low: 1 }), x => x > 1),
  },
  'ngram-weights': {
    type: 'string',
    requiresArg: true,
    describe: 'Weights of the risks within 2, 3 and 4 tokens [default: 0.5,0.3,0.2]',
  },
  'keep-korean': {
    type: 'boolean',
    describe: `${shape.keep_korean.description} [default: true; --no-keep-korean: as published]`,
  },
  keep: { type: 'string', requiresArg: true, describe: shape.keep.description ?? '' },
  'dry-run': { type: 'boolean', describe: 'Print what would be scaled, write nothing' },
  overwrite: overwriteOption,
} as const satisfies Record<string, Options>

function settingsOf(argv: SmoothArguments): SmoothSettings {
  const { minScale: min_scale, gamma, keepKorean: keep_korean, keep } = argv
  const ngram_weights = argv.ngramWeights?.split(',').map(word => {
    const weight = word.trim() === '' ? Number.NaN : Number(word)
    if (weight >= 0) return weight
    throw new UsageError(
      phrase('--ngram-weights: expected numbers such as 0.5,0.3,0.2, got "{word}"', {
        word: argv.ngramWeights!,
      }),
    )
  })
  const given = Object.entries({ min_scale, gamma, ngram_weights, keep_korean, keep })
  return smoothSettings(
    'smooth',
    Object.fromEntries(given.filter(([, value]) => value !== undefined)),
  )
}

const count = (n: number): string => n.toLocaleString('en-US')

/** Text of a token; bytes in hex where it is broken. */
function show(tokenizer: Tokenizer, id: number): string {
  const text = tokenizer.decode([id])
  if (!text.includes('\u{fffd}')) return JSON.stringify(text).slice(1, -1)
  return [...tokenizer.bytesOf(id)].map(byte => byte.toString(16).padStart(2, '0')).join('')
}

/** ": a few tokens of the list …": its first ones, which merged first, so the most frequent. */
function listed(tokenizer: Tokenizer, ids: readonly number[]): string {
  if (ids.length === 0) return ''
  const shown = ids.slice(0, 12).map(id => show(tokenizer, id))
  return `: ${shown.join(' ')}${ids.length > shown.length ? ' …' : ''}`
}

/** What smoothing touches and what it leaves alone, in lines. */
function report(tokenizer: Tokenizer, smoothing: Smoothing, settings: SmoothSettings): Phrase {
  const { chinese, broken, brokenKept, kept } = smoothing
  const ids = (tokens: readonly ScaledToken[]): number[] => tokens.map(({ id }) => id)
  const below = [
    phrase('{count} Chinese tokens × {scale}{listed}', {
      count: count(chinese.length),
      scale: settings.min_scale,
      listed: listed(tokenizer, ids(chinese)),
    }),
  ]
  if (broken.length > 0) {
    const factors = broken.map(({ scale }) => scale)
    const [low, high] = [Math.min(...factors), Math.max(...factors)].map(x => x.toFixed(3))
    below.push(
      phrase('{count} broken-UTF-8 tokens × {low} to {high}{listed}', {
        ...{ count: count(broken.length), low: low!, high: high! },
        listed: listed(tokenizer, ids(broken)),
      }),
    )
  }
  below.push(
    phrase('left alone: {count} tokens of Korean symbols{kept}{listed}', {
      count: count(kept.length),
      kept: settings.keep === '' ? '' : phrase(' and of "{kept}"', { kept: settings.keep }),
      listed: listed(tokenizer, kept),
    }),
    phrase('left alone: {count} broken tokens that begin no Chinese character', {
      count: count(brokenKept),
    }),
  )
  const head = phrase('{count} tokens in the tokenizer', { count: count(tokenizer.size) })
  return joined([head, ...below], '\n  ')
}

async function handler(argv: ArgumentsCamelCase<SmoothArguments>): Promise<void> {
  const { context, output, dryRun } = argv
  if (output === undefined && dryRun !== true) {
    throw new UsageError(
      phrase('required: --output DIR (or --dry-run, to see what would be scaled)'),
    )
  }
  const settings = settingsOf(argv)
  const directory = await openModelDirectory(modelPath(argv.model), { weights: dryRun !== true })
  if (output !== undefined && dryRun !== true) {
    requireOutputModel(output, directory.dir, argv.overwrite === true)
  }
  refuseSmoothed(directory.config, directory.dir)
  const tokenizer = await Tokenizer.load(directory.tokenizerDir)
  tokenizer.requireModel(directory.config)
  const smoothing = smoothVocabulary(tokenizer, directory.config.vocabSize, settings)
  context.stdout.write(`${context.say(report(tokenizer, smoothing, settings))}\n`)
  if (dryRun === true || output === undefined) return
  const { dtype, untied } = await runInterruptibly(
    context,
    {
      onInterrupt: () => context.stderr.write(`${context.say('stopping')}\n`),
      message: () => phrase('stopped; nothing was written'),
    },
    signal => writeSmoothed(directory, smoothing, settings, output, signal),
  )
  const done = phrase('wrote {output} in {dtype}{head}', {
    ...{ output, dtype: dtype === 'BF16' ? 'bf16' : 'fp32' },
    head: untied ? phrase(', with an LM head of its own (the embeddings were tied to it)') : '',
  })
  context.stdout.write(`${context.say(done)}\n`)
}

export const command: CommandModule<object, SmoothArguments> = {
  command: 'smooth <model>',
  describe: 'Write a model that hardly writes Chinese, by scaling rows of its LM head',
  builder: argv =>
    argv
      .usage(
        '$0 smooth MODEL --output DIR\n\n' +
          'Scales the LM-head rows of Chinese tokens (Smoothie-Qwen, arXiv 2507.05686), and of tokens\n' +
          'that are half a character by their risk of becoming a Chinese one. Every other weight stays\n' +
          'as it is. To have the same without changing weights: model.smooth in a recipe, --smooth of\n' +
          'generate and score.',
      )
      .positional('model', {
        type: 'string',
        demandOption: true,
        describe: 'Hugging Face model directory, or builtin:mini',
      })
      .options(options)
      .example('$0 smooth Qwen3-14B --output Smoothie-Qwen3-14B', 'the starting point of the paper')
      .example('$0 smooth Qwen3-14B --dry-run', 'only say what it would touch') as never,
  handler,
}
