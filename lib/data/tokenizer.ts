/**
 * The byte-level BPE tokenizer of a Hugging Face directory (tokenizer.json, tokenizer_config.json),
 * over @huggingface/tokenizers.
 *
 * encode: the text is cut at added tokens (so `<|im_end|>` or `<think>` in it become one id), each
 * piece is NFC-normalised and split into words by the model's regular expression, and every word goes
 * through BPE. Words repeat, so their ids are cached here; the library does the rest. No special
 * token is ever added. decode: bytes are concatenated and read as UTF-8, invalid sequences becoming
 * U+FFFD as in Rust's lossy conversion; a stream holds back an unfinished character.
 */
import path from 'node:path'
import { z } from 'zod'
import { KogrpoError } from '../errors.ts'
import { failure, joined, type Phrase, phrase } from '../messages/phrase.ts'
import { type ModelConfig, readJson } from '../model/config.ts'
import { tokenBytes } from './byte-level.ts'
import {
  HuggingFaceTokenizer,
  type LibrarySplitter,
  type LibraryTokenizer,
  SplitPreTokenizer,
} from './huggingface.ts'
import { readChatTemplate } from './template-source.ts'
import { WordCache } from './word-cache.ts'

const split = z.looseObject({
  type: z.literal('Split'),
  pattern: z.union([z.looseObject({ Regex: z.string() }), z.looseObject({ String: z.string() })]),
  behavior: z.literal('Isolated'),
  invert: z.literal(false),
})
const byteLevel = z.looseObject({
  type: z.literal('ByteLevel'),
  add_prefix_space: z.literal(false),
  use_regex: z.literal(false),
})

/** The family this project trains: NFC, one isolating split, byte-level BPE. */
const tokenizerSchema = z.looseObject({
  added_tokens: z.array(
    z.looseObject({
      id: z.int().nonnegative(),
      content: z.string().min(1),
      single_word: z.literal(false),
      lstrip: z.literal(false),
      rstrip: z.literal(false),
      normalized: z.literal(false),
      special: z.boolean(),
    }),
  ),
  normalizer: z.looseObject({ type: z.literal('NFC') }).nullable(),
  pre_tokenizer: z.looseObject({
    type: z.literal('Sequence'),
    pretokenizers: z.tuple([split, byteLevel]),
  }),
  decoder: z.looseObject({ type: z.literal('ByteLevel') }),
  model: z.looseObject({
    type: z.literal('BPE'),
    // Checked entry by entry below: a schema over 151,643 keys takes seconds.
    vocab: z.custom<Record<string, unknown>>(value => typeof value === 'object' && value !== null),
    ignore_merges: z.literal(false).optional(),
    byte_fallback: z.literal(false).optional(),
  }),
})

const tokenName = z.union([z.string(), z.looseObject({ content: z.string() })]).nullish()
const configSchema = z.looseObject({ eos_token: tokenName, pad_token: tokenName })
const generationSchema = z.looseObject({
  eos_token_id: z.union([z.int(), z.array(z.int())]).nullish(),
})

/** Words longer than this many UTF-16 units are not worth remembering. */
const MAX_CACHED_WORD = 64
const CACHED_WORDS = 100_000

/** Options of decoding. */
export interface DecodeOptions {
  /** Leave out special tokens (`<|im_end|>`, `<|endoftext|>` …). `<think>` is not special. */
  skipSpecial?: boolean
}

/** Decodes ids as they arrive; text appears only when its last byte has. */
export interface DecodeStream {
  /** The text completed by `id`; empty while a character is unfinished. */
  push(id: number): string
  /** What is left, with U+FFFD for an unfinished character. */
  end(): string
}

function fail(file: string, problem: Phrase): never {
  throw new KogrpoError('E_TOKENIZER', joined([file, problem], ': '))
}

function check<T>(schema: z.ZodType<T>, json: unknown, file: string): T {
  const parsed = schema.safeParse(json)
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.slice(0, 4)
  const problems = issues.map(issue => `"${issue.path.join('.')}": ${issue.message}`)
  return fail(
    file,
    phrase('not a tokenizer of the kind Qwen3 uses: {problems}', { problems: problems.join('; ') }),
  )
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}

/** What `Tokenizer.load` has read. */
interface TokenizerFiles {
  tokenizer: unknown
  config: unknown
  generation: unknown
  chatTemplate: string | null
  dir: string
}

/** A loaded tokenizer; immutable apart from its cache. */
export class Tokenizer {
  /** Highest id + 1: ids from here to the model's vocabulary size do not exist (151,669 for Qwen3). */
  readonly size: number
  /** Ids that end a completion, the chat turn's end first (`<|im_end|>`, then `<|endoftext|>`). */
  readonly eosIds: readonly number[]
  /** Id of the padding token, or null. */
  readonly padId: number | null
  /** Jinja source of the model's chat template, or null. */
  readonly chatTemplate: string | null
  /** The directory it was loaded from, for messages. */
  readonly dir: string
  readonly #library: LibraryTokenizer
  readonly #splitter: LibrarySplitter
  readonly #normalize: boolean
  readonly #added: ReadonlyMap<string, number>
  readonly #addedPattern: RegExp | null
  readonly #special: ReadonlySet<number>
  readonly #bytes: (Uint8Array | undefined)[] = []
  readonly #words = new WordCache<readonly number[]>(CACHED_WORDS)

  private constructor(files: TokenizerFiles) {
    const file = path.join(files.dir, 'tokenizer.json')
    const json = check(tokenizerSchema, files.tokenizer, file)
    const config = check(configSchema, files.config, path.join(files.dir, 'tokenizer_config.json'))
    const generation = check(
      generationSchema,
      files.generation,
      path.join(files.dir, 'generation_config.json'),
    )
    try {
      this.#library = new HuggingFaceTokenizer(files.tokenizer, files.config)
      this.#splitter = new SplitPreTokenizer(json.pre_tokenizer.pretokenizers[0])
    } catch (error) {
      fail(file, failure(error))
    }
    this.dir = files.dir
    this.chatTemplate = files.chatTemplate
    this.#normalize = json.normalizer !== null
    this.#added = new Map(json.added_tokens.map(token => [token.content, token.id]))
    this.#special = new Set(json.added_tokens.filter(token => token.special).map(token => token.id))
    // Leftmost, then longest: what the upstream Aho-Corasick splitter does.
    const contents = [...this.#added.keys()].sort((a, b) => b.length - a.length)
    this.#addedPattern =
      contents.length > 0 ? new RegExp(`(${contents.map(escapeRegExp).join('|')})`) : null

    let highest = -1
    for (const [token, id] of Object.entries(json.model.vocab)) {
      if (!Number.isInteger(id) || (id as number) < 0)
        fail(file, phrase('id of "{token}" is not an id', { token }))
      highest = Math.max(highest, id as number)
    }
    for (const id of this.#added.values()) highest = Math.max(highest, id)
    this.size = highest + 1

    const idOf = (token: z.infer<typeof tokenName>): number | null => {
      if (token == null) return null
      const name = typeof token === 'string' ? token : token.content
      return (
        this.tokenId(name) ??
        fail(file, phrase('has no token "{name}" named by tokenizer_config.json', { name }))
      )
    }
    const eos = [idOf(config.eos_token), ...[generation.eos_token_id ?? []].flat()]
    this.eosIds = [...new Set(eos.filter(id => id !== null))]
    this.padId = idOf(config.pad_token)
    const foreign = this.eosIds.find(id => id < 0 || id >= this.size)
    if (foreign !== undefined)
      fail(files.dir, phrase('eos_token_id {id} is not an id of the tokenizer', { id: foreign }))
    if (this.eosIds.length === 0) {
      fail(files.dir, phrase('no end-of-sequence token: set "eos_token" in tokenizer_config.json'))
    }
  }

  /**
   * Loads `tokenizer.json`, `tokenizer_config.json` and, where present, `generation_config.json` and
   * `chat_template.jinja` from `dir`. Throws `KogrpoError` `E_TOKENIZER`, `E_MODEL_FILE` or
   * `E_MODEL_JSON`.
   */
  static async load(dir: string): Promise<Tokenizer> {
    const config = await readJson(path.join(dir, 'tokenizer_config.json'))
    const generation = await readJson(path.join(dir, 'generation_config.json')).catch(error => {
      if ((error as KogrpoError).code === 'E_MODEL_FILE') return {}
      throw error
    })
    return new Tokenizer({
      tokenizer: await readJson(path.join(dir, 'tokenizer.json')),
      config,
      generation,
      chatTemplate: await readChatTemplate(dir, config),
      dir,
    })
  }

  /** Id of a vocabulary entry or added token by its stored text. */
  tokenId(token: string): number | undefined {
    return this.#added.get(token) ?? this.#library.token_to_id(token)
  }

  /**
   * Throws `KogrpoError` `E_TOKENIZER` when the tokenizer is of another model: it has ids without a row
   * of the embedding, or does not know the end of a turn that config.json names. More rows than ids
   * are usual (padding) and must not be sampled: see `size`.
   */
  requireModel({ vocabSize, raw }: Pick<ModelConfig, 'vocabSize' | 'raw'>): void {
    const remedy = phrase(
      'they do not belong together: take tokenizer.json and tokenizer_config.json from where the model came from',
    )
    if (this.size > vocabSize) {
      fail(
        this.dir,
        phrase("the tokenizer has {size} ids, the model's vocab_size is {vocabSize}; {remedy}", {
          size: this.size,
          vocabSize,
          remedy,
        }),
      )
    }
    for (const id of [raw.eos_token_id ?? []].flat()) {
      if (this.#special.has(Number(id))) continue
      fail(
        this.dir,
        phrase(
          'config.json ends a turn with token {id} (eos_token_id), which is no special token of the tokenizer; {remedy}',
          { id: String(id), remedy },
        ),
      )
    }
  }

  /** Whether `id` is a special token, which `skipSpecial` leaves out. */
  isSpecial(id: number): boolean {
    return this.#special.has(id)
  }

  /** Token ids of `text`. Special tokens written in the text are parsed; none are added. */
  encode(text: string): number[] {
    const ids: number[] = []
    // A split by a capturing pattern alternates plain text with the added tokens between it.
    const pieces = this.#addedPattern === null ? [text] : text.split(this.#addedPattern)
    for (let i = 0; i < pieces.length; i++) {
      const piece = pieces[i] as string
      if (i % 2 === 1) ids.push(this.#added.get(piece) as number)
      else if (piece !== '') this.#encodePlain(piece, ids)
    }
    return ids
  }

  #encodePlain(text: string, ids: number[]): void {
    const normal = this.normalize(text)
    for (const word of this.#splitter.pre_tokenize_text(normal)) {
      const found =
        word.length <= MAX_CACHED_WORD
          ? this.#words.get(word, this.#encodeWord)
          : this.#encodeWord(word)
      for (const id of found) ids.push(id)
    }
  }

  readonly #encodeWord = (word: string): readonly number[] => {
    const { ids } = this.#library.encode(word, { add_special_tokens: false })
    const known = ids.filter(id => id !== undefined)
    if (known.length < ids.length) {
      fail(this.dir, phrase('the vocabulary cannot spell {word}', { word: JSON.stringify(word) }))
    }
    return known
  }

  /** The text as the vocabulary sees it (NFC, where tokenizer.json asks for it). */
  normalize(text: string): string {
    return this.#normalize ? text.normalize('NFC') : text
  }

  /** Whether the tokenizer has a token `id`; a vocabulary may have holes below `size`. */
  hasId(id: number): boolean {
    return Number.isInteger(id) && this.#library.id_to_token(id) !== undefined
  }

  /** The bytes of one token. Throws `E_TOKENIZER` for an id the tokenizer does not have. */
  bytesOf(id: number): Uint8Array {
    const known = this.#bytes[id]
    if (known !== undefined) return known
    const token = Number.isInteger(id) ? this.#library.id_to_token(id) : undefined
    if (token === undefined) {
      throw new KogrpoError(
        'E_TOKENIZER',
        phrase('token id {id} does not exist; the tokenizer in {dir} has ids below {size}', {
          id,
          dir: this.dir,
          size: this.size,
        }),
      )
    }
    const bytes = tokenBytes(token)
    this.#bytes[id] = bytes
    return bytes
  }

  /** The text of `ids`; bytes that are not UTF-8 become U+FFFD. */
  decode(ids: ArrayLike<number>, options: DecodeOptions = {}): string {
    const skip = options.skipSpecial ?? false
    const parts: Uint8Array[] = []
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i] as number
      const bytes = this.bytesOf(id)
      if (!(skip && this.#special.has(id))) parts.push(bytes)
    }
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Buffer.concat(parts))
  }

  /** A decoder for ids that arrive one by one. */
  decodeStream(options: DecodeOptions = {}): DecodeStream {
    // ignoreBOM: a byte-order mark is text like any other.
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
    const skip = options.skipSpecial ?? false
    return {
      push: id => {
        const bytes = this.bytesOf(id)
        return skip && this.#special.has(id) ? '' : decoder.decode(bytes, { stream: true })
      },
      end: () => decoder.decode(),
    }
  }
}
