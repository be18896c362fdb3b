/**
 * A strict JSON reader for file headers, where `JSON.parse` is too forgiving.
 *
 * It differs from `JSON.parse` in what matters for untrusted headers and in what Rust's serde_json
 * (the upstream reader of safetensors) does: duplicate keys and lone surrogates are errors, nesting
 * is bounded, objects become `Map`s (no prototype to pollute), and only plain non-negative integers
 * that a double holds exactly become usable numbers; any other number becomes NaN, so that `4.0`,
 * `1e2` or 2^60 can never pass as an offset.
 */

/** A JSON value; objects are Maps in file order. */
export type StrictJson = null | boolean | number | string | StrictJson[] | Map<string, StrictJson>

const MAX_DEPTH = 127
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
// Only finds where a string literal ends; JSON.parse checks and decodes it.
const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"/sy
const LONE_SURROGATE = /\p{Surrogate}/u

/** Parses `text` completely; throws `SyntaxError` with the character position. */
export function parseStrictJson(text: string): StrictJson {
  let at = 0

  const fail = (what: string): never => {
    throw new SyntaxError(`${what} at character ${at}`)
  }
  const skipSpace = (): void => {
    for (;;) {
      const c = text.charCodeAt(at)
      if (c !== 32 && c !== 10 && c !== 13 && c !== 9) return
      at++
    }
  }
  const word = <T extends StrictJson>(literal: string, value: T): T => {
    if (!text.startsWith(literal, at)) fail('unexpected character')
    at += literal.length
    return value
  }
  const string = (): string => {
    STRING.lastIndex = at
    const match = STRING.exec(text)
    if (match === null) return fail('malformed string')
    const value: string = JSON.parse(match[0])
    if (LONE_SURROGATE.test(value)) fail('lone surrogate in string')
    at += match[0].length
    return value
  }
  const number = (): number => {
    NUMBER.lastIndex = at
    const match = NUMBER.exec(text)
    if (match === null) return fail('unexpected character')
    at += match[0].length
    const value = Number(match[0])
    if (!Number.isFinite(value)) fail('number out of range')
    return /^[0-9]+$/.test(match[0]) && Number.isSafeInteger(value) ? value : Number.NaN
  }
  const array = (depth: number): StrictJson[] => {
    const items: StrictJson[] = []
    at++
    skipSpace()
    if (text[at] === ']') {
      at++
      return items
    }
    for (;;) {
      items.push(value(depth + 1))
      skipSpace()
      const c = text[at++]
      if (c === ']') return items
      if (c !== ',') {
        at--
        fail('expected "," or "]"')
      }
    }
  }
  const object = (depth: number): Map<string, StrictJson> => {
    const entries = new Map<string, StrictJson>()
    at++
    skipSpace()
    if (text[at] === '}') {
      at++
      return entries
    }
    for (;;) {
      skipSpace()
      const key = string()
      if (entries.has(key)) fail(`duplicate key ${JSON.stringify(key)}`)
      skipSpace()
      if (text[at] !== ':') fail('expected ":"')
      at++
      entries.set(key, value(depth + 1))
      skipSpace()
      const c = text[at++]
      if (c === '}') return entries
      if (c !== ',') {
        at--
        fail('expected "," or "}"')
      }
    }
  }
  const value = (depth: number): StrictJson => {
    if (depth > MAX_DEPTH) fail('nesting too deep')
    skipSpace()
    switch (text[at]) {
      case '{':
        return object(depth)
      case '[':
        return array(depth)
      case '"':
        return string()
      case 't':
        return word('true', true)
      case 'f':
        return word('false', false)
      case 'n':
        return word('null', null)
      case undefined:
        return fail('unexpected end')
      default:
        return number()
    }
  }

  const result = value(0)
  skipSpace()
  if (at !== text.length) fail('unexpected character after the value')
  return result
}
