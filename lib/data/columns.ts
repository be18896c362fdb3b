/**
 * Records to conversations: which columns of a data file hold the prompt, the answer to learn, the
 * system text, and which are passed on to the rewards.
 *
 * A record has `messages`, or `prompt` with an optional `completion` (each a string, which becomes a
 * user or an assistant message, or a list of messages), or plain `text`. `reasoning` is the thinking that
 * precedes the completion, unless this has a think block of its own. `columns` maps these names, and any name the rewards want, to the
 * file's own: `{ prompt: 'question', completion: 'reason', answer: 'answer' }`. Every column that is
 * not part of the conversation is kept in `extra`. What the template would drop without a word
 * (unknown roles, content that is no text) is refused here.
 */
import { didYouMean } from '../config/nearest.ts'
import { KogrpoError } from '../errors.ts'
import { joined, type Phrase, phrase } from '../messages/phrase.ts'
import type { Message } from './chat-template.ts'
import type { SourceRecord } from './readers.ts'

/** Canonical name → column of the file. Names beyond the structural ones are kept in `extra`. */
export type Columns = Readonly<Record<string, string>>

/** The structural names of `columns`. */
const STRUCTURAL = [
  'messages',
  'prompt',
  'completion',
  'reasoning',
  'text',
  'system',
  'tools',
] as const
type Structural = (typeof STRUCTURAL)[number]

/** What a record says: a conversation, or plain text. */
export interface Conversation {
  messages: Message[]
  /** Messages before this index are context: their assistant turns are not trained. */
  promptLength: number
  /** True when the record gave whole `messages` rather than a prompt. */
  whole: boolean
  tools: unknown[] | null
  /** Plain text; `messages` is then empty. */
  text: string | null
  /** All other columns, for rewards and reports. */
  extra: Record<string, unknown>
  file: string
  line: number
}

/** How records are read. */
export interface ColumnOptions {
  columns?: Columns | undefined
  /** A system message put before conversations that have none. */
  systemPrompt?: string | undefined
  /** Put behind whatever system message a conversation has, as one of its own where it has none. */
  instruction?: string | undefined
  /** Read the prompt alone; `completion` then stays in `extra` for the rewards. */
  promptOnly?: boolean | undefined
}

const ROLES: ReadonlySet<string> = new Set(['system', 'user', 'assistant', 'tool'])

/** An `E_DATA` error that names the file and line of a record. */
export function recordError(source: { file: string; line: number }, problem: Phrase): KogrpoError {
  return new KogrpoError('E_DATA', joined([`${source.file}:${source.line}`, problem], ': '))
}

/** The record lacks the column that the recipe maps to `name`, or has null there. */
function missingColumn(source: SourceRecord, name: string, column: string): KogrpoError {
  const present = Object.keys(source.record)
  return recordError(
    source,
    present.includes(column)
      ? phrase('column "{column}" ({name}) is null', { column, name })
      : phrase('column "{column}" ({name}) is missing{hint} (columns: {columns})', {
          column,
          name,
          hint: didYouMean(column, present),
          columns: present.join(', '),
        }),
  )
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Text of a content field: a string, null, or OpenAI's list of text parts. */
function contentText(source: SourceRecord, where: string, content: unknown): string | null {
  if (content === undefined || content === null) return null
  if (typeof content === 'string') return content
  if (Array.isArray(content)) {
    const parts = content.map(part =>
      isObject(part) && part.type === 'text' && typeof part.text === 'string' ? part.text : null,
    )
    if (parts.every(part => part !== null)) return parts.join('')
  }
  throw recordError(
    source,
    phrase('{where}.content is neither text nor a list of text parts', { where }),
  )
}

function parseMessage(source: SourceRecord, where: string, value: unknown): Message {
  if (!isObject(value))
    throw recordError(source, phrase('{where} is not a message { role, content }', { where }))
  const { role } = value
  if (typeof role !== 'string' || !ROLES.has(role)) {
    throw recordError(
      source,
      phrase('{where}.role is {role}; expected {roles}', {
        where,
        role: JSON.stringify(role),
        roles: [...ROLES].join(', '),
      }),
    )
  }
  const content = contentText(source, where, value.content)
  const { reasoning_content: reasoning, tool_calls: calls } = value
  if (reasoning != null && typeof reasoning !== 'string') {
    throw recordError(source, phrase('{where}.reasoning_content is not text', { where }))
  }
  const said = [content, reasoning, calls].some(
    part => part != null && (part as { length?: number }).length !== 0,
  )
  if (!said && role === 'assistant')
    throw recordError(source, phrase('{where} is empty: nothing to learn from', { where }))
  if (content === null && role !== 'assistant')
    throw recordError(source, phrase('{where} has no content', { where }))
  return { ...value, role, content }
}

function parseMessages(source: SourceRecord, column: string, value: unknown): Message[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw recordError(source, phrase('column "{column}" is not a list of messages', { column }))
  }
  return value.map((item, i) => parseMessage(source, `${column}[${i}]`, item))
}

/** Looks columns up and remembers which were part of the conversation. */
class Fields {
  readonly #source: SourceRecord
  readonly #columns: Columns
  readonly #used = new Set<string>()

  constructor(source: SourceRecord, columns: Columns) {
    this.#source = source
    this.#columns = columns
  }

  column(name: Structural): string {
    return this.#columns[name] ?? name
  }

  /** Whether the record has the field; a mapped column must exist in every record. */
  has(name: Structural): boolean {
    const present = this.#source.record[this.column(name)] != null
    if (!present && this.#columns[name] !== undefined) {
      throw missingColumn(this.#source, name, this.column(name))
    }
    return present
  }

  take(name: Structural): unknown {
    const column = this.column(name)
    this.#used.add(column)
    return this.#source.record[column]
  }

  text(name: Structural): string {
    const value = this.take(name)
    if (typeof value === 'string') return value
    throw recordError(
      this.#source,
      phrase('column "{column}" ({name}) is not text', { column: this.column(name), name }),
    )
  }

  /** The columns nobody took, under the names the mapping gives them. */
  rest(): Record<string, unknown> {
    const rest = new Map(
      Object.entries(this.#source.record).filter(([column]) => !this.#used.has(column)),
    )
    for (const [name, column] of Object.entries(this.#columns)) {
      if ((STRUCTURAL as readonly string[]).includes(name)) continue
      const value = this.#source.record[column]
      if (value === undefined) {
        throw missingColumn(this.#source, name, column)
      }
      if (name !== column && rest.has(name)) {
        throw recordError(
          this.#source,
          phrase(
            '"{name}" is mapped to column "{column}" but the record also has a column "{name}"',
            { name, column },
          ),
        )
      }
      rest.set(name, value)
    }
    return Object.fromEntries(rest)
  }
}

function asTurn(source: SourceRecord, fields: Fields, name: 'prompt' | 'completion'): Message[] {
  const value = fields.take(name)
  const column = fields.column(name)
  const role = name === 'prompt' ? 'user' : 'assistant'
  if (typeof value === 'string') return [parseMessage(source, column, { role, content: value })]
  return parseMessages(source, column, isObject(value) ? [value] : value)
}

/** Whether a column `reasoning` that nobody mapped is the thinking of this completion, which has none itself. */
function isThinking({ record }: SourceRecord, [only, ...more]: Message[]): boolean {
  const { reasoning } = record
  if (typeof reasoning !== 'string' || reasoning.trim() === '') return false
  if (only === undefined || more.length > 0 || only.reasoning_content != null) return false
  return typeof only.content === 'string' && !only.content.includes('</think>')
}

function withReasoning(source: SourceRecord, fields: Fields, completion: Message[]): Message[] {
  const [only, ...more] = completion
  if (only === undefined || more.length > 0 || only.reasoning_content != null) {
    throw recordError(
      source,
      phrase('column "{column}" needs one plain completion', {
        column: fields.column('reasoning'),
      }),
    )
  }
  return [{ ...only, reasoning_content: fields.text('reasoning') }]
}

/** The names by which a record may give its conversation; exactly one of the first three. */
function form(
  source: SourceRecord,
  fields: Fields,
  columns: Columns,
): 'messages' | 'prompt' | 'text' {
  const forms = ['messages', 'prompt', 'text'] as const
  const mapped = forms.filter(name => columns[name] !== undefined)
  const present = (mapped.length > 0 ? mapped : forms).filter(name => fields.has(name))
  const [found] = present
  if (found !== undefined && present.length === 1) return found
  const names = Object.keys(source.record).join(', ')
  throw recordError(
    source,
    present.length > 1
      ? phrase('both {names} are given; say which to use with "columns"', {
          names: joined(
            present.map(name => `"${name}"`),
            phrase(' and '),
          ),
        })
      : phrase('no "messages", "prompt" or "text" (columns: {names}); map one with "columns"', {
          names,
        }),
  )
}

/** The conversation of one record. Throws `KogrpoError` `E_DATA` naming file, line and column. */
export function toConversation(source: SourceRecord, options: ColumnOptions = {}): Conversation {
  const columns = options.columns ?? {}
  const fields = new Fields(source, columns)
  const { file, line } = source
  const kind = form(source, fields, columns)
  if (kind === 'text') {
    if (options.instruction !== undefined) {
      throw recordError(
        source,
        phrase('plain text has no system message for think_template; give conversations, or free'),
      )
    }
    const text = fields.text('text')
    const extra = fields.rest()
    return { messages: [], promptLength: 0, whole: true, tools: null, text, extra, file, line }
  }
  let messages: Message[]
  let promptLength = 0
  if (kind === 'messages') {
    messages = parseMessages(source, fields.column('messages'), fields.take('messages'))
  } else {
    messages = asTurn(source, fields, 'prompt')
    promptLength = messages.length
    if (!options.promptOnly && fields.has('completion')) {
      const completion = asTurn(source, fields, 'completion')
      const reasoned =
        fields.has('reasoning') &&
        (columns.reasoning !== undefined || isThinking(source, completion))
      messages.push(...(reasoned ? withReasoning(source, fields, completion) : completion))
    }
  }
  const own = fields.has('system') ? fields.text('system') : ''
  const hasSystem = messages[0]?.role === 'system'
  if (own !== '' && hasSystem) {
    throw recordError(
      source,
      phrase('the conversation has a system message besides "{column}"', {
        column: fields.column('system'),
      }),
    )
  }
  const system = own === '' ? options.systemPrompt : own
  if (system !== undefined && !hasSystem) {
    messages.unshift({ role: 'system', content: system })
    if (kind === 'prompt') promptLength++
  }
  if (options.instruction !== undefined) {
    const [first] = messages
    if (first?.role === 'system') {
      messages[0] = { ...first, content: `${first.content}\n\n${options.instruction}` }
    } else {
      messages.unshift({ role: 'system', content: options.instruction })
      if (kind === 'prompt') promptLength++
    }
  }
  let tools: unknown[] | null = null
  if (fields.has('tools')) {
    const value = fields.take('tools')
    if (!Array.isArray(value)) throw recordError(source, phrase('column "tools" is not a list'))
    tools = value.length > 0 ? value : null
  }
  const extra = fields.rest()
  return {
    messages,
    promptLength,
    whole: kind === 'messages',
    tools,
    text: null,
    extra,
    file,
    line,
  }
}
