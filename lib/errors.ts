/**
 * The one error class of kogrpo. Every error a user can cause carries a stable `code` (for
 * programs) and a message that names the file, line, key, tensor or argument at fault together
 * with the remedy (for people). The native addon throws errors of the same form.
 */
import type { Dictionary } from './messages/catalogue.ts'

/** Words that can be said in several languages (lib/messages); in English by `String(words)`. */
export interface Words {
  in(dictionary: Dictionary | null): string
}

/** An error with a stable machine-readable code, e.g. `E_CONFIG`, `E_SAFETENSORS`, `E_DATA`. */
export class KogrpoError extends Error {
  readonly code: string
  readonly #text: string | Words

  /** `options.cause` keeps the underlying error, as for any `Error`. */
  constructor(code: string, text: string | Words, options?: ErrorOptions) {
    super(String(text), options)
    this.name = 'KogrpoError'
    this.code = code
    this.#text = text
  }

  /** What `message` says in English, to be said in any language (lib/messages). */
  get text(): string | Words {
    return this.#text
  }
}

/** The message of whatever was thrown, in English. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
