/**
 * Conversations to training samples: token ids with a mask for supervised training, prompt ids for
 * GRPO, and the explicit treatment of samples that are too long.
 *
 * mask[t] = 1 means that predicting token t (from what precedes it) is trained; mask[0] is always 0
 * because nothing precedes it. Nothing is dropped silently: skipped and truncated samples are
 * counted, and a sample with nothing to train is an error that names its line.
 */
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import type { ChatTemplate, Message } from './chat-template.ts'
import { type ColumnOptions, type Conversation, recordError, toConversation } from './columns.ts'
import type { SourceRecord } from './readers.ts'
import type { Tokenizer } from './tokenizer.ts'

/** What happens to a sample longer than `maxLength`. */
type Overlong = 'error' | 'skip' | 'truncate'

/** How samples are made. */
export interface SampleOptions extends ColumnOptions {
  tokenizer: Tokenizer
  template: ChatTemplate
  /** Tokens of a whole sample (SFT) or of the prompt (GRPO). */
  maxLength: number
  overlong: Overlong
  /** GRPO prompts only: the name that their source is counted under. */
  domain?: string | undefined
  /** GRPO prompts only: passed to the chat template when given. */
  enableThinking?: boolean | undefined
}

/** A sequence to train on. */
export interface SftSample {
  ids: Int32Array
  mask: Uint8Array
  /** Number of ones in `mask`. */
  trained: number
  file: string
  line: number
}

/** A prompt to sample from, with the other columns of its record. */
export interface GrpoSample {
  promptIds: Int32Array
  messages: Message[]
  /** Of its source, for metrics. */
  domain?: string | undefined
  extra: Record<string, unknown>
  file: string
  line: number
}

/** What became of the records read. */
interface SampleCounts {
  records: number
  kept: number
  truncated: number
  skipped: number
}

/** A sample, or null when it was skipped. */
export interface Outcome<T> {
  sample: T | null
  truncated: boolean
}

/** `key` is the recipe's limit, which depends on the stage. */
function overlongError(
  from: Conversation,
  length: number,
  { maxLength }: SampleOptions,
  key: 'max_length' | 'max_prompt_length',
): KogrpoError {
  return recordError(
    from,
    key === 'max_length'
      ? phrase(
          'the sample has {length} tokens, more than max_length {maxLength}; raise max_length, or set overlong: skip or truncate (kogrpo data check shows how long all are)',
          { length, maxLength },
        )
      : phrase(
          'the prompt has {length} tokens, more than max_prompt_length {maxLength}; raise max_prompt_length, or set overlong: skip (kogrpo data check shows how long all are)',
          { length, maxLength },
        ),
  )
}

/** Plain text trains every token and ends with the document separator (`<|endoftext|>`). */
function encodeText(text: string, tokenizer: Tokenizer): { ids: number[]; mask: Uint8Array } {
  const end = tokenizer.eosIds.at(-1) as number
  const ids = [...tokenizer.encode(text), end]
  return { ids, mask: new Uint8Array(ids.length).fill(1) }
}

function encodeChat(
  from: Conversation,
  template: ChatTemplate,
): { ids: number[]; mask: Uint8Array } {
  const { ids, mask, spans } = template.renderTraining(from.messages, from.tools)
  const context = from.messages.slice(0, from.promptLength)
  const untrained = context.filter(message => message.role === 'assistant').length
  for (const [begin, end] of spans.slice(0, untrained)) mask.fill(0, begin, end)
  return { ids, mask }
}

function count(mask: Uint8Array): number {
  return mask.reduce((sum, bit) => sum + bit, 0)
}

/** One supervised sample. Throws `KogrpoError` `E_DATA` naming file and line. */
export function toSftSample(source: SourceRecord, options: SampleOptions): Outcome<SftSample> {
  const from = toConversation(source, options)
  const { file, line } = from
  const encoded =
    from.text === null
      ? encodeChat(from, options.template)
      : encodeText(from.text, options.tokenizer)
  const { mask } = encoded
  mask[0] = 0
  if (count(mask) === 0) {
    const columns = Object.keys(source.record).join(', ')
    throw recordError(
      from,
      phrase(
        'nothing to train: the sample has no assistant message; add one, or map the column to learn from with columns: { completion: … } (columns: {columns})',
        { columns },
      ),
    )
  }
  const truncated = mask.length > options.maxLength
  if (truncated && options.overlong === 'error') {
    throw overlongError(from, mask.length, options, 'max_length')
  }
  if (truncated && options.overlong === 'skip') return { sample: null, truncated: false }
  const ids = Int32Array.from(encoded.ids).slice(0, options.maxLength)
  const kept = mask.slice(0, options.maxLength)
  const trained = count(kept)
  // What remains of a truncated sample may be its prompt alone.
  if (trained === 0) return { sample: null, truncated: false }
  return { sample: { ids, mask: kept, trained, file, line }, truncated }
}

/**
 * One prompt for GRPO. Throws `KogrpoError` `E_DATA` naming file and line; also when `overlong` is
 * "truncate", since a prompt without its beginning or end is another question.
 */
export function toGrpoSample(source: SourceRecord, options: SampleOptions): Outcome<GrpoSample> {
  if (options.overlong === 'truncate') {
    throw new KogrpoError(
      'E_DATA',
      phrase('prompts cannot be truncated; set "overlong" to error or skip'),
    )
  }
  const from = toConversation(source, { ...options, promptOnly: true })
  const { file, line, extra } = from
  if (from.text !== null) throw recordError(from, phrase('GRPO needs a prompt, not plain "text"'))
  const messages = from.whole ? from.messages : from.messages.slice(0, from.promptLength)
  if (messages.at(-1)?.role === 'assistant') {
    throw recordError(
      from,
      phrase('the prompt ends with an assistant message; give the question alone as "prompt"'),
    )
  }
  const { ids } = options.template.renderChat(messages, {
    addGenerationPrompt: true,
    tools: from.tools,
    ...(options.enableThinking === undefined ? {} : { enableThinking: options.enableThinking }),
  })
  if (ids.length > options.maxLength) {
    if (options.overlong === 'error') {
      throw overlongError(from, ids.length, options, 'max_prompt_length')
    }
    return { sample: null, truncated: false }
  }
  const promptIds = Int32Array.from(ids)
  const { domain } = options
  const sample = { promptIds, messages, extra, file, line, ...(domain ? { domain } : {}) }
  return { sample, truncated: false }
}

/**
 * Makes a sample of every record. Throws `KogrpoError` `E_DATA` when none is left.
 */
export async function collectSamples<T>(
  records: AsyncIterable<SourceRecord>,
  make: (source: SourceRecord) => Outcome<T>,
): Promise<{ samples: T[]; counts: SampleCounts }> {
  const samples: T[] = []
  const counts: SampleCounts = { records: 0, kept: 0, truncated: 0, skipped: 0 }
  let last = ''
  for await (const source of records) {
    last = source.file
    counts.records++
    const { sample, truncated } = make(source)
    if (truncated) counts.truncated++
    if (sample === null) {
      counts.skipped++
      continue
    }
    counts.kept++
    samples.push(sample)
  }
  if (samples.length === 0) {
    throw new KogrpoError(
      'E_DATA',
      counts.records === 0
        ? phrase('the data files hold no records')
        : phrase('{file}: all {count} samples were too long and skipped; raise the limit', {
            file: last,
            count: counts.records,
          }),
    )
  }
  return { samples, counts }
}
