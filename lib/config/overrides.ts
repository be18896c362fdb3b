/**
 * Dotted overrides: `--grpo.learning_rate 1e-4`, `--sft.data.0.path x.jsonl`, `--grpo null`.
 * The schema says how the word is read: numbers and booleans by their key's type, lists and objects
 * as YAML flow text (`'[{path: a.jsonl}]'`). `null` takes a key away, so that its default (or, for
 * a stage, nothing) stands in its place.
 */
import { parse } from 'yaml'
import { KogrpoError, messageOf } from '../errors.ts'
import { joined, type Phrase, phrase } from '../messages/phrase.ts'
import { keyHint } from './key-places.ts'
import { childSchema, defaultOf, kindOf, knownKeys } from './keys.ts'
import { recipeSchema } from './schema.ts'

/** One key of a recipe, changed from outside of its file. */
export interface Override {
  /** Dotted key, without the dashes. */
  key: string
  /** The word after it; undefined when the option stands alone (true for a boolean). */
  value: string | undefined
}

type Container = Record<string, unknown> | unknown[]

const error = (key: string, message: Phrase): KogrpoError =>
  new KogrpoError('E_CONFIG', joined([`--${key}`, message], ': '))

const fail = (key: string, message: Phrase): never => {
  throw error(key, message)
}

function readValue(key: string, text: string | undefined, schema: Parameters<typeof kindOf>[0]) {
  const kind = kindOf(schema)
  if (text === undefined) {
    return kind === 'boolean' ? true : fail(key, phrase('needs a value'))
  }
  switch (kind) {
    case 'number': {
      const number = text.trim() === '' ? Number.NaN : Number(text)
      return Number.isFinite(number)
        ? number
        : fail(key, phrase('expected a number, got "{text}"', { text }))
    }
    case 'boolean':
      if (text === 'true' || text === 'false') return text === 'true'
      return fail(key, phrase('expected true or false, got "{text}"', { text }))
    case 'text':
      return text
    default: {
      let value: unknown
      try {
        value = parse(text)
      } catch (cause) {
        return fail(
          key,
          phrase('cannot read "{text}" as YAML: {reason}', {
            text,
            reason: messageOf(cause).split('\n')[0]!,
          }),
        )
      }
      if (kind === 'list' && !Array.isArray(value)) {
        return fail(key, phrase('expected a list such as \'[…]\', got "{text}"', { text }))
      }
      if (
        kind === 'keys' &&
        (typeof value !== 'object' || value === null || Array.isArray(value))
      ) {
        return fail(
          key,
          phrase("expected keys such as '{key: value}', or one of its keys: --{key}.KEY", { key }),
        )
      }
      return value
    }
  }
}

/** Index into a list that may grow by one. */
function listIndex(key: string, path: string, segment: string, length: number): number {
  const index = /^\d+$/.test(segment) ? Number(segment) : Number.NaN
  if (!(index <= length)) {
    const range =
      length === 0
        ? phrase('is empty: start with 0')
        : phrase('has entries 0 to {last}', { last: length - 1 })
    return fail(
      key,
      phrase('"{segment}" is no entry of the list {path}, which {range}', { segment, path, range }),
    )
  }
  return index
}

/** Sets one override in `recipe` (a recipe as written), in place. Errors: `E_CONFIG`, naming it. */
export function applyOverride(recipe: Record<string, unknown>, { key, value }: Override): void {
  const segments = key.split('.')
  let container: Container = recipe
  let schema: Parameters<typeof kindOf>[0] = recipeSchema
  for (const [depth, segment] of segments.entries()) {
    const path = segments.slice(0, depth).join('.')
    const prefix = path === '' ? '' : `${path}.`
    const child = segment === '__proto__' ? undefined : childSchema(schema, segment)
    if (child === undefined) {
      const known = knownKeys(schema)
      const message =
        known.length > 0
          ? phrase('unknown key "{name}"{hint}', {
              name: prefix + segment,
              hint: keyHint(segment, known, `--${prefix}`, '--'),
            })
          : phrase('"{path}" has no keys below it', { path })
      throw error(key, message)
    }
    const slot = Array.isArray(container)
      ? listIndex(key, path, segment, container.length)
      : segment
    const slots = container as Record<string | number, unknown>
    if (depth === segments.length - 1) {
      if (value !== 'null') slots[slot] = readValue(key, value, child)
      else if (Array.isArray(container)) container.splice(Number(slot), 1)
      else delete slots[slot]
      return
    }
    const kind = kindOf(child)
    if (kind !== 'list' && kind !== 'keys') {
      fail(
        key,
        phrase('"{prefix}{segment}" is a single value and has no keys below it', {
          prefix,
          segment,
        }),
      )
    }
    if (slots[slot] === undefined || slots[slot] === null) {
      slots[slot] = defaultOf(child) ?? (kind === 'list' ? [] : {})
    }
    if (typeof slots[slot] !== 'object') {
      fail(
        key,
        phrase('the recipe has a single value at "{prefix}{segment}"; correct it there first', {
          prefix,
          segment,
        }),
      )
    }
    container = slots[slot] as Container
    schema = child
  }
}
