/**
 * Records to token ids, for generation and for scoring. `tokens` are used as they are and win over
 * `messages`, `prompt` and `text`, which are read as for training (lib/data/columns.ts).
 */
import type { Message, RenderOptions } from '../data/chat-template.ts'
import { recordError, toConversation } from '../data/columns.ts'
import type { SourceRecord } from '../data/readers.ts'
import { failure, type Phrase, phrase } from '../messages/phrase.ts'
import type { OpenModel } from './open-model.ts'

/** Ids of messages in the chat template; what the template refuses is told by line. */
function renderedIds(
  source: SourceRecord,
  model: OpenModel,
  messages: readonly Message[],
  options: RenderOptions,
): Int32Array {
  const template = model.template()
  try {
    return Int32Array.from(template.renderChat(messages, options).ids)
  } catch (error) {
    throw recordError(source, failure(error))
  }
}

export interface PromptOptions {
  /** A system message for conversations that have none. */
  system?: string | undefined
  enableThinking?: boolean | undefined
}

/** Ids in a column, each an id below `limit`. Null: the record does not have the column. */
function idColumn(
  source: SourceRecord,
  column: string,
  limit: number,
  remedy: Phrase | '',
): Int32Array | null {
  const value = source.record[column]
  if (value === undefined || value === null) return null
  if (!Array.isArray(value)) {
    throw recordError(source, phrase('"{column}" is not a list of token ids', { column }))
  }
  for (const [i, id] of value.entries()) {
    if (Number.isInteger(id) && id >= 0 && id < limit) continue
    throw recordError(
      source,
      phrase('"{column}"[{i}] is {id}; expected a token id below {limit}{remedy}', {
        column,
        i,
        id: JSON.stringify(id),
        limit,
        remedy,
      }),
    )
  }
  return Int32Array.from(value)
}

/** The ids to continue. Throws `KogrpoError` `E_DATA` naming file and line. */
export function promptIds(
  source: SourceRecord,
  model: OpenModel,
  options: PromptOptions,
): Int32Array {
  const given = idColumn(source, 'tokens', model.engine.config.vocabSize, '')
  if (given?.length === 0)
    throw recordError(source, phrase('"tokens" is empty; a prompt needs a token'))
  if (given !== null) return given
  const conversation = toConversation(source, { systemPrompt: options.system, promptOnly: true })
  const { messages, tools } = conversation
  if (conversation.text !== null) {
    throw recordError(
      source,
      phrase('plain "text" is no prompt; give "prompt", "messages" or "tokens"'),
    )
  }
  if (messages.at(-1)?.role === 'assistant') {
    throw recordError(
      source,
      phrase(
        'the messages end with the assistant; leave its answer out, or give "tokens" to continue it',
      ),
    )
  }
  const { enableThinking } = options
  return renderedIds(source, model, messages, {
    addGenerationPrompt: true,
    tools,
    ...(enableThinking === undefined ? {} : { enableThinking }),
  })
}

/** A sequence to score: the log-probs of `ids` from `context` on are asked for. */
export interface ScoredSequence {
  ids: Int32Array
  context: number
}

/**
 * The ids to score: `tokens`, behind `prompt_ids` where the record has both, as `generate` writes
 * them; or `messages` (or `prompt` and `completion`) in the chat template without a generation
 * prompt; or plain `text`. `limit`: ids from here on have no probability. Throws `KogrpoError`
 * `E_DATA` naming file and line.
 */
export function scoredIds(source: SourceRecord, model: OpenModel, limit: number): ScoredSequence {
  const { vocabSize } = model.engine.config
  const remedy = limit < vocabSize ? phrase(' (--vocab full allows all of the model)') : ''
  const tokens = idColumn(source, 'tokens', limit, remedy)
  if (tokens !== null) {
    const prompt = idColumn(source, 'prompt_ids', vocabSize, '') ?? new Int32Array(0)
    if (tokens.length === 0)
      throw recordError(source, phrase('"tokens" is empty; there is nothing to score'))
    return { ids: Int32Array.from([...prompt, ...tokens]), context: prompt.length }
  }
  const { messages, tools, text } = toConversation(source)
  const ids =
    text === null
      ? renderedIds(source, model, messages, { tools })
      : Int32Array.from(model.tokenizer.encode(text))
  if (ids.length === 0)
    throw recordError(source, phrase('the text is empty; there is nothing to score'))
  return { ids, context: 0 }
}
