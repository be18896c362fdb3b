/**
 * `kogrpo neurons`: a mask of the neurons that are specific to a language, by activation impact; a stage
 * of a recipe names it (`trainable_neurons`) and trains these rows and columns alone.
 */
import { writeFile } from 'node:fs/promises'
import type { ArgumentsCamelCase, CommandModule, Options } from 'yargs'
import { randomStream } from '../../data/random.ts'
import { readRecords } from '../../data/readers.ts'
import { collectSamples, toSftSample } from '../../data/samples.ts'
import { phrase } from '../../messages/phrase.ts'
import { randomNeurons, scoreDocuments, selectNeurons } from '../../neurons/score.ts'
import { readColumns } from '../columns-option.ts'
import type { CliContext } from '../context.ts'
import { UsageError } from '../errors.ts'
import { runInterruptibly } from '../interrupt.ts'
import { type ModelArguments, modelOptions, type OpenModel, openModel } from '../open-model.ts'
import { nonEmpty, sharedOptions, wholeNumber } from '../options.ts'
import { requireOther, requireOutputFile } from '../output-place.ts'
import { requireOptions } from '../record-job.ts'
import { realNumber } from '../sampling-options.ts'
import { WorkProgress } from '../work-progress.ts'

interface NeuronsArguments extends ModelArguments {
  context: CliContext
  data: string
  contrast?: string[]
  output: string
  columns?: string
  maxSamples?: number
  maxLength?: number
  topAttention?: number
  topFfn?: number
  minShare?: number
  layers?: string
  limit?: number
  random?: boolean
}

const DEFAULTS = { maxSamples: 400, maxLength: 512, topAttention: 1000, topFfn: 2000 }

const options = {
  data: {
    type: 'string',
    requiresArg: true,
    describe: 'Documents of the language (JSONL or Parquet: text or messages) [required]',
    coerce: nonEmpty('data'),
  },
  contrast: {
    type: 'string',
    array: true,
    requiresArg: true,
    describe: 'Documents of another language, whose neurons are taken out; may be given again',
  },
  output: {
    type: 'string',
    requiresArg: true,
    describe: 'The mask file to write [required]',
    coerce: nonEmpty('output'),
  },
  columns: {
    type: 'string',
    requiresArg: true,
    describe: 'Columns of other names, e.g. text=body',
  },
  'max-samples': {
    type: 'string',
    requiresArg: true,
    describe: `Documents of each language [default: ${DEFAULTS.maxSamples}]`,
    coerce: wholeNumber('max-samples', 1),
  },
  'max-length': {
    type: 'string',
    requiresArg: true,
    describe: `Tokens of a document that are read [default: ${DEFAULTS.maxLength}]`,
    coerce: wholeNumber('max-length', 2),
  },
  'top-attention': {
    type: 'string',
    requiresArg: true,
    describe: `Highest rows of each of q, k and v kept per document [default: ${DEFAULTS.topAttention}]`,
    coerce: wholeNumber('top-attention', 1),
  },
  'top-ffn': {
    type: 'string',
    requiresArg: true,
    describe: `Highest channels of a feed-forward kept per document [default: ${DEFAULTS.topFfn}]`,
    coerce: wholeNumber('top-ffn', 1),
  },
  'min-share': {
    type: 'string',
    requiresArg: true,
    describe: "Share of a language's documents in which a neuron must recur [default: 1]",
    coerce: realNumber(
      'min-share',
      phrase('above {low} and at most {high}', { low: 0, high: 1 }),
      x => x > 0 && x <= 1,
    ),
  },
  layers: {
    type: 'string',
    requiresArg: true,
    describe: 'first:N, last:N, all, or a list such as 0,1,2 [default: all]',
  },
  limit: {
    type: 'string',
    requiresArg: true,
    describe: 'At most so many neurons of a matrix, the highest by mean score [default: all]',
    coerce: wholeNumber('limit', 1),
  },
  random: {
    type: 'boolean',
    describe: 'Write as many neurons of the same matrices drawn by --seed instead: the control',
  },
} as const satisfies Record<string, Options>

/** Gathers the files of every --contrast behind one: yargs keeps only the last option that is given again. */
export function prepare(args: readonly string[]): {
  args: string[]
  extra: Record<string, unknown>
} {
  const rest: string[] = []
  const files: string[] = []
  for (let i = 0; i < args.length; i++) {
    const word = args[i]!
    if (word.startsWith('--contrast=')) files.push(word.slice('--contrast='.length))
    else if (word !== '--contrast') rest.push(word)
    else while (args[i + 1]?.startsWith('-') === false) files.push(args[++i]!)
  }
  const given = args.some(word => /^--contrast(=|$)/.test(word))
  return { args: given ? [...rest, '--contrast', ...files] : rest, extra: {} }
}

/** "first:4", "last:4", "all" or "0,2" as layers of a model. */
function parseLayers(word: string, count: number): number[] {
  const every = Array.from({ length: count }, (_, layer) => layer)
  if (word === 'all') return every
  const end = /^(first|last):(\d+)$/.exec(word)
  if (end) {
    const n = Number(end[2])
    if (n >= 1 && n <= count) return end[1] === 'first' ? every.slice(0, n) : every.slice(-n)
  } else {
    const list = word.split(',').map(part => (/^\d+$/.test(part) ? Number(part) : Number.NaN))
    if (list.every(layer => layer < count)) return [...new Set(list)].sort((a, b) => a - b)
  }
  throw new UsageError(
    phrase(
      '--layers: expected first:N, last:N, all or a list of layers below {count}, got "{word}"',
      { count, word },
    ),
  )
}

async function documents(
  file: string,
  argv: NeuronsArguments,
  { tokenizer, template }: OpenModel,
): Promise<Int32Array[]> {
  const { maxSamples = DEFAULTS.maxSamples, maxLength = DEFAULTS.maxLength } = argv
  const sample = {
    ...{ maxLength, overlong: 'truncate' as const, tokenizer },
    columns: readColumns(argv.columns),
    template: template(),
  }
  const { samples } = await collectSamples(first(readRecords(file), maxSamples), record =>
    toSftSample(record, sample),
  )
  return samples.map(({ ids }) => ids)
}

async function* first<T>(items: AsyncIterable<T>, count: number): AsyncGenerator<T> {
  let left = count
  for await (const item of items) {
    yield item
    if (--left === 0) return
  }
}

/** Uniform numbers in [0, 1) that follow from the seed. */
function numbers(seed: number): () => number {
  const next = randomStream(`neurons ${seed}`)
  return () => next() / 2 ** 32
}

async function handler(argv: ArgumentsCamelCase<NeuronsArguments>): Promise<void> {
  const { context, data, contrast = [], output } = argv
  requireOptions('neurons', argv, ['model', 'data', 'output'])
  requireOther('output', output, [data, ...contrast])
  requireOutputFile(output)
  await runInterruptibly(
    context,
    {
      onInterrupt: () => context.stderr.write(`${context.say('stopping')}\n`),
      message: () => phrase('stopped; nothing was written'),
    },
    async signal => {
      const model = await openModel(argv)
      const { engine } = model
      try {
        const { config } = engine
        const settings = {
          topAttention: argv.topAttention ?? DEFAULTS.topAttention,
          topFfn: argv.topFfn ?? DEFAULTS.topFfn,
          minShare: argv.minShare ?? 1,
          layers: parseLayers(argv.layers ?? 'all', config.numLayers),
          limit: argv.limit,
        }
        let now = phrase('reading')
        const scored = []
        const progress = new WorkProgress(context, () => now)
        try {
          for (const file of [data, ...contrast]) {
            const texts = await documents(file, argv, model)
            const onDocument = (done: number): void => {
              now = phrase('{file}: {done} of {total} documents', {
                ...{ file, done, total: texts.length },
              })
            }
            scored.push(await scoreDocuments(engine, texts, { signal, onDocument }))
            progress.note(phrase('{file}: {total} documents', { file, total: texts.length }))
          }
        } finally {
          progress.close()
        }
        const [language, ...others] = scored
        const source = { kind: 'activation_impact', model: argv.model, data, contrast, ...settings }
        const { mask, counts } = selectNeurons(config, language!, others, settings, source)
        const written = argv.random ? randomNeurons(config, mask, numbers(argv.seed ?? 42)) : mask
        await writeFile(output, `${JSON.stringify(written)}\n`)
        const done = phrase(
          'wrote {output}: in {layers} layers {q} rows of q, {k} of k, {v} of v, {ffn} channels of the feed-forward{random}\ntrain them with  trainable_neurons: {output}  in a stage',
          {
            ...{ output, layers: settings.layers.length, ...counts },
            random: argv.random ? phrase(', drawn at random in these numbers') : '',
          },
        )
        context.stdout.write(`${context.say(done)}\n`)
      } finally {
        await engine.dispose()
      }
    },
  )
}

export const command: CommandModule<object, NeuronsArguments> = {
  command: 'neurons',
  describe: 'Find the neurons of a language, for a stage that trains these alone',
  builder: argv =>
    argv
      .usage(
        '$0 neurons --model DIR --data ko.jsonl --contrast en.jsonl --output mask.json\n\n' +
          'Scores every neuron by what it adds to its layer on a document (2402.18815), keeps the highest\n' +
          'of each matrix, and of these the ones that recur in the documents of the language and belong to\n' +
          'no contrast language. The file says which rows of q, k, v and up_proj and which columns of\n' +
          'down_proj a stage with trainable_neurons trains; everything else is frozen to the bit.',
      )
      .options(modelOptions)
      .options(options)
      .options(sharedOptions('threads', 'device', 'seed'))
      .example(
        '$0 neurons --model Qwen3-14B --data ko.jsonl --contrast en.jsonl --layers first:8 --output ko.json',
        'early layers only',
      ) as never,
  handler,
}
