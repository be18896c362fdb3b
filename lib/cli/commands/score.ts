/**
 * `kogrpo score`: log-probabilities and entropies of the tokens of a file, under the model at a
 * temperature. Sequences are packed into calls of a token budget; results do not depend on it.
 */
import type { ArgumentsCamelCase, CommandModule } from 'yargs'
import { recordError } from '../../data/columns.ts'
import type { SourceRecord } from '../../data/readers.ts'
import type { TokenValues } from '../../engine/engine.ts'
import { phrase } from '../../messages/phrase.ts'
import type { CliContext } from '../context.ts'
import { type ModelArguments, modelIdentity, modelOptions, openModel } from '../open-model.ts'
import { oneOf, sharedOptions, wholeNumber } from '../options.ts'
import { packageInfo } from '../package-info.ts'
import {
  type RecordWork,
  recordOptions,
  requireOptions,
  runRecordJob,
  withColumns,
} from '../record-job.ts'
import { realNumber } from '../sampling-options.ts'
import { type ScoredSequence, scoredIds } from '../sequences.ts'

interface ScoreArguments extends ModelArguments {
  input: string
  output: string
  temperature?: number
  vocab?: 'full' | 'tokenizer'
  batchTokens?: number
  context: CliContext
}

interface Item extends ScoredSequence {
  source: SourceRecord
  index: number
}

/** Sequences one behind the other, as the engine takes them; only what is asked for is computed. */
function pack(items: readonly Item[]): {
  tokens: Int32Array
  cuSeqlens: Int32Array
  mask: Uint8Array
} {
  const cuSeqlens = new Int32Array(items.length + 1)
  for (const [i, { ids }] of items.entries()) cuSeqlens[i + 1] = cuSeqlens[i]! + ids.length
  const tokens = new Int32Array(cuSeqlens[items.length]!)
  const mask = new Uint8Array(tokens.length).fill(1)
  for (const [i, { ids, context }] of items.entries()) {
    const begin = cuSeqlens[i]!
    tokens.set(ids, begin)
    // A first token has nothing before it.
    mask.fill(0, begin, begin + Math.max(context, 1))
  }
  return { tokens, cuSeqlens, mask }
}

/** One sequence's row; `begin` is where it starts in the values. */
function toRow(item: Item, values: TokenValues, begin: number): object {
  const { source, index, ids, context } = item
  const from = begin + context
  const to = begin + ids.length
  const column = (numbers: Float32Array): (number | null)[] => {
    const list: (number | null)[] = Array.from(numbers.subarray(from, to))
    if (context === 0) list[0] = null
    return list
  }
  const logprobs = column(values.logprobs)
  const odd = logprobs.findIndex(value => value !== null && !Number.isFinite(value))
  if (odd >= 0) {
    throw recordError(
      source,
      phrase(
        "the log-probability of token {odd} is {logprob}; the model's weights hold NaN or overflow",
        { odd, logprob: String(logprobs[odd]) },
      ),
    )
  }
  return withColumns(source, {
    index,
    tokens: Array.from(ids.subarray(context)),
    logprobs,
    entropies: column(values.entropies),
  })
}

async function startWork(argv: ScoreArguments): Promise<RecordWork<Item>> {
  const model = await openModel(argv)
  const { engine, tokenizer } = model
  const { vocabSize } = engine.config
  const vocabLimit = argv.vocab === 'tokenizer' ? tokenizer.size : vocabSize
  return {
    prepare: (source, index) => ({ source, index, ...scoredIds(source, model, vocabLimit) }),
    cost: ({ ids }) => ids.length,
    budget: argv.batchTokens ?? 4096,
    run: async (items, { signal }) => {
      const batch = pack(items)
      const values = await engine.score(batch, {
        temperature: argv.temperature ?? 1,
        vocabLimit,
        signal,
      })
      const rows = items.map((item, i) => toRow(item, values, batch.cuSeqlens[i]!))
      return { rows, tokens: batch.tokens.length }
    },
    close: () => engine.dispose(),
  }
}

async function handler(argv: ArgumentsCamelCase<ScoreArguments>): Promise<void> {
  requireOptions('score', argv, ['model', 'input', 'output'])
  const { temperature = 1, vocab = 'full' } = argv
  await runRecordJob({
    context: argv.context,
    name: 'score',
    input: argv.input,
    output: argv.output,
    rowsPerRecord: 1,
    columns: ['index', 'logprobs', 'entropies'],
    fingerprint: { ...packageInfo(), model: modelIdentity(argv), temperature, vocab },
    start: () => startWork(argv),
  })
}

export const command: CommandModule<object, ScoreArguments> = {
  command: 'score',
  describe: 'Log-probabilities and entropies of the tokens of a JSONL file',
  builder: argv =>
    argv
      .usage(
        '$0 score --model DIR --input IN.jsonl --output OUT.jsonl\n\n' +
          'Log-probabilities and entropies of the tokens of a file. A line has "tokens" (ids),\n' +
          '"messages" (put into the chat template, without a generation prompt) or "text"; "tokens"\n' +
          'win over the others, and follow "prompt_ids" where the line has these, as the output of\n' +
          'generate does. Other columns are copied to the output.\n\n' +
          'Output, in the order of the input: index, tokens, logprobs and entropies (nats), one of\n' +
          'each per token; the first of both is null where nothing precedes the token.',
      )
      .options(modelOptions)
      .options(recordOptions)
      .option('temperature', {
        type: 'string',
        requiresArg: true,
        describe: 'Logits are divided by it [default: 1]',
        coerce: realNumber('temperature', phrase('above {low}', { low: 0 }), x => x > 0),
      })
      .option('vocab', {
        type: 'string',
        requiresArg: true,
        describe:
          "Ids that share the probability: full (the model's) or tokenizer (as in sampling) [default: full]",
        coerce: oneOf('vocab', ['full', 'tokenizer']),
      })
      .option('batch-tokens', {
        type: 'string',
        requiresArg: true,
        describe: 'Tokens computed at a time; results do not depend on it [default: 4096]',
        coerce: wholeNumber('batch-tokens', 1),
      })
      .options(sharedOptions('seed', 'threads', 'device'))
      .example('$0 score --model runs/r1/rl --input said.jsonl --output scored.jsonl', '') as never,
  handler,
}
