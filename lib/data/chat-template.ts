/**
 * Chat templates: conversations to text and ids, for inference and for training.
 *
 * `renderChat` is transformers' `apply_chat_template` with the model's own template, traps included:
 * thinking is stripped from turns before the last question, `enable_thinking: false` puts an empty
 * think block behind the generation prompt. `renderTraining` renders with generation spans (see
 * training-template.ts) and turns them into a mask over tokens: the text is encoded whole, so that
 * the ids are those of any other tool, and every token that overlaps a span is trained, as with
 * transformers' `return_assistant_tokens_mask`. Bytes relate the two: token lengths add up to the
 * byte offsets of the spans.
 */
import { KogrpoError } from '../errors.ts'
import { failure, joined, type Phrase, phrase } from '../messages/phrase.ts'
import {
  compileMarked,
  hasGenerationTags,
  type MarkedText,
  renderMarked,
} from './generation-spans.ts'
import { Template } from './template-engine.ts'
import type { Tokenizer } from './tokenizer.ts'
import { QWEN3_TRAINING_TEMPLATE } from './training-template.ts'

/** One message of a conversation, in OpenAI's and transformers' form. */
export interface Message {
  role: string
  /** null for a pure tool call. May hold `<think>…</think>`. */
  content?: string | null
  /** Thinking given apart from the answer; wins over a think block in `content`. */
  reasoning_content?: string | null
  tool_calls?: unknown
  [key: string]: unknown
}

/** Options of inference rendering; what is left out stays undefined in the template. */
export interface RenderOptions {
  /** Ends with the opening of an assistant turn. */
  addGenerationPrompt?: boolean
  /** Qwen3: false suppresses thinking with an empty block. */
  enableThinking?: boolean
  /** JSON schemas of functions. */
  tools?: readonly unknown[] | null
}

/** A rendered conversation. */
export interface RenderedChat {
  text: string
  ids: number[]
}

/** A conversation rendered for training: `mask[t]` is 1 where token t is the assistant's own. */
export interface RenderedTraining extends RenderedChat {
  mask: Uint8Array
  /** The assistant's spans in tokens, half-open, one per assistant message. */
  spans: [number, number][]
}

const utf8 = new TextEncoder()

/** Conversations on which a model's own template must agree with the built-in training format. */
const PROBES: { messages: Message[]; tools?: unknown[] }[] = [
  {
    messages: [
      { role: 'user', content: 'q' },
      { role: 'assistant', reasoning_content: 'r', content: 'a' },
    ],
  },
  {
    messages: [
      { role: 'system', content: 's' },
      { role: 'user', content: 'q' },
      { role: 'assistant', content: '<think>\nr\n</think>\n\na' },
    ],
  },
  {
    tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }],
    messages: [
      { role: 'system', content: 's' },
      { role: 'user', content: 'q' },
      {
        role: 'assistant',
        reasoning_content: 'r',
        content: 'a',
        tool_calls: [{ function: { name: 'f', arguments: { x: 1 } } }],
      },
      { role: 'tool', content: 't' },
      { role: 'assistant', reasoning_content: 'r', content: 'a' },
    ],
  },
]

/** The chat template of one tokenizer, compiled. */
export class ChatTemplate {
  readonly #tokenizer: Tokenizer
  readonly #template: Template
  #training: Template | null = null

  /** Throws `KogrpoError` `E_CHAT_TEMPLATE` when the tokenizer has no valid template. */
  constructor(tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer
    if (tokenizer.chatTemplate === null) {
      throw this.#error(phrase('has no chat template; add chat_template.jinja or "chat_template"'))
    }
    try {
      this.#template = new Template(tokenizer.chatTemplate)
    } catch (error) {
      throw this.#error(
        phrase('the chat template does not parse: {reason}', { reason: failure(error) }),
        error,
      )
    }
  }

  #error(problem: Phrase, cause?: unknown): KogrpoError {
    return new KogrpoError('E_CHAT_TEMPLATE', joined([this.#tokenizer.dir, problem], ': '), {
      cause,
    })
  }

  /**
   * The conversation as the model reads it. Throws `KogrpoError` `E_CHAT_TEMPLATE` when the template
   * refuses it.
   */
  renderChat(messages: readonly Message[], options: RenderOptions = {}): RenderedChat {
    const text = this.renderText(messages, options)
    return { text, ids: this.#tokenizer.encode(text) }
  }

  /** The text of `renderChat` without its ids. */
  renderText(messages: readonly Message[], options: RenderOptions = {}): string {
    const { addGenerationPrompt = false, enableThinking, tools } = options
    try {
      return this.#template.render({
        messages,
        tools: tools ?? null,
        add_generation_prompt: addGenerationPrompt,
        ...(enableThinking === undefined ? {} : { enable_thinking: enableThinking }),
      })
    } catch (error) {
      throw this.#error(
        phrase('the chat template failed: {reason}', { reason: failure(error) }),
        error,
      )
    }
  }

  /**
   * The conversation for supervised fine-tuning, every assistant turn with its thinking. Throws
   * `KogrpoError` `E_CHAT_TEMPLATE`.
   */
  renderTraining(
    messages: readonly Message[],
    tools?: readonly unknown[] | null,
  ): RenderedTraining {
    this.#training ??= this.#trainingTemplate()
    let marked: MarkedText
    try {
      const variables = { messages, tools: tools ?? null, add_generation_prompt: false }
      marked = renderMarked(this.#training, variables)
    } catch (error) {
      throw this.#error(
        phrase('the training template failed: {reason}', { reason: failure(error) }),
        error,
      )
    }
    const ids = this.#tokenizer.encode(marked.text)
    const spans = this.#tokenSpans(marked, ids)
    const mask = new Uint8Array(ids.length)
    for (const [begin, end] of spans) mask.fill(1, begin, end)
    return { text: marked.text, ids, mask, spans }
  }

  /** The model's own template where it marks generations, else Qwen3's where the two agree. */
  #trainingTemplate(): Template {
    const own = this.#tokenizer.chatTemplate as string
    if (hasGenerationTags(own)) return compileMarked(own)
    const builtIn = compileMarked(QWEN3_TRAINING_TEMPLATE)
    for (const { messages, tools } of PROBES) {
      const expected = this.renderText(messages, { tools: tools ?? null })
      const { text } = renderMarked(builtIn, { messages, tools: tools ?? null })
      if (text !== expected) {
        throw this.#error(
          phrase(
            'the chat template is not the Qwen3 format, so the tokens of the assistant cannot be told apart; mark them with {% generation %} … {% endgeneration %} in the template',
          ),
        )
      }
    }
    return builtIn
  }

  /** Half-open ranges of tokens that overlap the marked ranges of characters. */
  #tokenSpans({ text, spans }: MarkedText, ids: readonly number[]): [number, number][] {
    // Normalisation may change lengths, but only within the stretches between span boundaries.
    const bounds = spans.flat()
    const stretches = [0, ...bounds, text.length]
    let bytes = 0
    const byteBounds = stretches.slice(1).map((end, i) => {
      bytes += utf8.encode(this.#tokenizer.normalize(text.slice(stretches[i], end))).length
      return bytes
    })
    const ends = new Float64Array(ids.length)
    let total = 0
    for (const [t, id] of ids.entries()) {
      total += this.#tokenizer.bytesOf(id).length
      ends[t] = total
    }
    if (total !== bytes) {
      throw this.#error(
        phrase(
          'the tokens of a conversation do not spell its text (a combining character directly at the border of an assistant turn?)',
        ),
      )
    }
    const found: [number, number][] = []
    let t = 0
    for (let i = 0; i < bounds.length; i += 2) {
      const from = byteBounds[i] as number
      const to = byteBounds[i + 1] as number
      while (t < ids.length && (ends[t] as number) <= from) t++
      const begin = t
      while (t < ids.length && (t === 0 ? 0 : (ends[t - 1] as number)) < to) t++
      found.push([begin, t])
    }
    return found
  }
}
