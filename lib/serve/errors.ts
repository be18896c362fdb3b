/** Errors in OpenAI's form: `{"error": {"message", "type", "param", "code"}}` with an HTTP status. */
import type { z } from 'zod'

type ErrorStatus = 400 | 401 | 404 | 405 | 408 | 413 | 429 | 500 | 503

export class HttpError extends Error {
  readonly status: ErrorStatus
  readonly param: string | null
  readonly code: string | null

  constructor(status: ErrorStatus, message: string, code: string | null = null, param?: string) {
    super(message)
    this.status = status
    this.code = code
    this.param = param ?? null
  }

  body(): object {
    const type =
      this.status >= 500
        ? 'server_error'
        : this.status === 401
          ? 'authentication_error'
          : this.status === 429
            ? 'rate_limit_error'
            : 'invalid_request_error'
    const { message, param, code } = this
    return { error: { message, type, param, code } }
  }
}

/** The first thing wrong with a body, by the name of the parameter. */
export function invalid(error: z.ZodError): HttpError {
  const issue = error.issues[0] as z.core.$ZodIssue
  if (issue.code === 'unrecognized_keys') {
    const param = [...issue.path, issue.keys[0]].join('.')
    return new HttpError(
      400,
      `${param} is not a parameter of this server`,
      'unknown_parameter',
      param,
    )
  }
  const param = issue.path.join('.')
  return new HttpError(400, `${param || 'body'}: ${issue.message}`, 'invalid_value', param)
}
