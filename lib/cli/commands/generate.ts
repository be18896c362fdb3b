/**
 * `kogrpo generate`: completes the prompts of a file. Completion g of record i draws its noise from
 * stream i · n + g of the seed, so that it depends on its own prompt and place alone: not on the other
 * records, the batches or the threads.
 */
import type { ArgumentsCamelCase, CommandModule } from 'yargs'
import { recordError } from '../../data/columns.ts'
import type { SourceRecord } from '../../data/readers.ts'
import type { Completion, GenerateRequest } from '../../engine/engine.ts'
import { phrase } from '../../messages/phrase.ts'
import type { CliContext } from '../context.ts'
import { readMemory } from '../memory.ts'
import {
  DEFAULT_SEED,
  type ModelArguments,
  modelIdentity,
  modelOptions,
  type OpenModel,
  openModel,
} from '../open-model.ts'
import { sharedOptions, wholeNumber } from '../options.ts'
import { packageInfo } from '../package-info.ts'
import {
  type RecordWork,
  recordOptions,
  requireOptions,
  runRecordJob,
  withColumns,
} from '../record-job.ts'
import { type Sampling, samplingOf, samplingOptions } from '../sampling-options.ts'
import { type PromptOptions, promptIds } from '../sequences.ts'

interface GenerateArguments extends ModelArguments {
  input: string
  output: string
  temperature?: number
  topK?: number
  topP?: number
  minP?: number
  maxNewTokens?: number
  numGenerations?: number
  enableThinking?: boolean
  system?: string
  maxSequences?: number
  context: CliContext
}

interface Settings {
  sampling: Sampling
  prompts: PromptOptions
  /** Completions of each record. */
  n: number
  /** Completions running at once. */
  maxSequences: number
}

/** A record with its prompt. */
interface Prompt {
  source: SourceRecord
  index: number
  ids: Int32Array
  sampling: Sampling
}

/** Batches of a few times what runs at once keep the engine full and the rows coming. */
const BATCHES_OF_RUNNING = 4
/** Share of the available memory that keys and values may fill. */
const CACHE_SHARE = 0.5

/** What a row has besides its record's columns, `tokens` and `prompt_ids` apart. */
const COLUMNS = ['index', 'generation', 'prompt_tokens', 'logprobs', 'text', 'finish_reason']

function preparePrompt(
  source: SourceRecord,
  index: number,
  model: OpenModel,
  settings: Settings,
): Prompt {
  const ids = promptIds(source, model, settings.prompts)
  const sampling = samplingOf(source, settings.sampling)
  const room = model.engine.config.maxPositionEmbeddings - ids.length
  if (room < 1) {
    throw recordError(
      source,
      phrase(
        "the prompt has {length} tokens and leaves no room in the model's context of {context} (max_position_embeddings)",
        { length: ids.length, context: ids.length + room },
      ),
    )
  }
  const max_new_tokens = Math.min(sampling.max_new_tokens, room)
  return { source, index, ids, sampling: { ...sampling, max_new_tokens } }
}

function toRequests(prompt: Prompt, n: number, stopTokens: Int32Array): GenerateRequest[] {
  const { ids, index, sampling } = prompt
  return Array.from({ length: n }, (_, g) => ({
    tokens: ids,
    maxNewTokens: sampling.max_new_tokens,
    stopTokens,
    temperature: sampling.temperature,
    topK: sampling.top_k,
    topP: sampling.top_p,
    minP: sampling.min_p,
    seed: sampling.seed,
    stream: index * n + g,
  }))
}

function toRow(prompt: Prompt, completion: Completion, text: string, generation?: number): object {
  const { source, index, ids } = prompt
  return withColumns(source, {
    index,
    ...(generation === undefined ? {} : { generation }),
    prompt_tokens: ids.length,
    prompt_ids: Array.from(ids),
    tokens: Array.from(completion.tokens),
    logprobs: Array.from(completion.logprobs),
    text,
    finish_reason: completion.finishReason,
  })
}

async function startWork(argv: GenerateArguments, settings: Settings): Promise<RecordWork<Prompt>> {
  const model = await openModel(argv)
  const { engine, tokenizer } = model
  const { n, maxSequences } = settings
  const stopTokens = Int32Array.from(tokenizer.eosIds)
  return {
    prepare: (source, index) => preparePrompt(source, index, model, settings),
    cost: () => n,
    budget: BATCHES_OF_RUNNING * maxSequences,
    run: async (prompts, { signal, onProgress }) => {
      const completions = await engine.generate(
        prompts.flatMap(prompt => toRequests(prompt, n, stopTokens)),
        {
          // Ids that the tokenizer does not have are never sampled.
          vocabLimit: tokenizer.size,
          maxSequences,
          maxCacheBytes: Math.floor(readMemory().available * CACHE_SHARE),
          signal,
          onProgress,
        },
      )
      const rows = completions.map((completion, i) => {
        const text = tokenizer.decode(completion.tokens, { skipSpecial: true })
        return toRow(prompts[Math.floor(i / n)]!, completion, text, n > 1 ? i % n : undefined)
      })
      return { rows, tokens: completions.reduce((sum, { tokens }) => sum + tokens.length, 0) }
    },
    close: () => engine.dispose(),
  }
}

async function handler(argv: ArgumentsCamelCase<GenerateArguments>): Promise<void> {
  requireOptions('generate', argv, ['model', 'input', 'output'])
  const settings: Settings = {
    sampling: {
      seed: argv.seed ?? DEFAULT_SEED,
      temperature: argv.temperature ?? 1,
      top_k: argv.topK ?? 0,
      top_p: argv.topP ?? 1,
      min_p: argv.minP ?? 0,
      max_new_tokens: argv.maxNewTokens ?? 512,
    },
    prompts: { system: argv.system, enableThinking: argv.enableThinking },
    n: argv.numGenerations ?? 1,
    maxSequences: argv.maxSequences ?? 256,
  }
  const { sampling, prompts, n } = settings
  await runRecordJob({
    context: argv.context,
    name: 'generate',
    input: argv.input,
    output: argv.output,
    rowsPerRecord: n,
    columns: COLUMNS,
    fingerprint: { ...packageInfo(), model: modelIdentity(argv), sampling, prompts },
    start: () => startWork(argv, settings),
  })
}

export const command: CommandModule<object, GenerateArguments> = {
  command: 'generate',
  describe: 'Complete the prompts of a JSONL file',
  builder: argv =>
    argv
      .usage(
        '$0 generate --model DIR --input IN.jsonl --output OUT.jsonl\n\n' +
          'Completes the prompts of a file. A line has "prompt" (text or messages), "messages", or\n' +
          '"tokens" (ids, used as they are); its other columns are copied to the output, and an object\n' +
          '"sampling" ({"temperature": 0.6, "max_new_tokens": 64, …}) changes the options for it.\n\n' +
          'Output, in the order of the input: index, generation (with --num-generations above 1),\n' +
          'prompt_tokens (a number), prompt_ids, tokens, logprobs (under the distribution sampled\n' +
          'from), text (without special tokens), finish_reason (stop or length).\n\n' +
          'Completion g of line i takes stream i · num-generations + g of the seed: it does not depend\n' +
          'on the other lines. A stopped run is taken up again by the same command.',
      )
      .options(modelOptions)
      .options(recordOptions)
      .options(samplingOptions)
      .option('num-generations', {
        type: 'string',
        requiresArg: true,
        describe: 'Completions of each line [default: 1]',
        coerce: wholeNumber('num-generations', 1, 65536),
      })
      .option('enable-thinking', {
        type: 'boolean',
        describe: 'Passed to the chat template; --no-enable-thinking asks for no thinking',
      })
      .option('system', {
        type: 'string',
        requiresArg: true,
        describe: 'System message for conversations that have none',
      })
      .option('max-sequences', {
        type: 'string',
        requiresArg: true,
        describe: 'Completions running at once; results do not depend on it [default: 256]',
        coerce: wholeNumber('max-sequences', 1, 65536),
      })
      .options(sharedOptions('seed', 'threads', 'device'))
      .example(
        '$0 generate --model builtin:mini --input in.jsonl --output out.jsonl',
        'one completion a line',
      ) as never,
  handler,
}
