/**
 * The one error class of kogrpo. Every error a user can cause carries a stable `code` (for
 * programs) and a message that names the file, line, key, tensor or argument at fault together
 * with the remedy (for people). The native addon throws errors of the same form.
 */

/** An error with a stable machine-readable code, e.g. `E_CONFIG`, `E_SAFETENSORS`, `E_DATA`. */
export class KogrpoError extends Error {
  readonly code: string

  /** `options.cause` keeps the underlying error, as for any `Error`. */
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'KogrpoError'
    this.code = code
  }
}

/** The message of whatever was thrown, for building a message around it. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
