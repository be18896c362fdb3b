/**
 * Walking the recipe schema by key: what keys an object has, what type a dotted key has, and the
 * list of all keys with defaults and descriptions for `kogrpo train --keys`.
 */
import * as z from 'zod'
import { recipeSchema } from './schema.ts'

type Schema = z.core.$ZodType

/** Takes off the wrappers for optional and defaulted values. */
function unwrap(schema: Schema): Schema {
  let inner = schema
  while (
    inner instanceof z.ZodOptional ||
    inner instanceof z.ZodDefault ||
    inner instanceof z.ZodPrefault
  ) {
    inner = inner.unwrap()
  }
  return inner
}

/** The value a key has when it is absent, or undefined when it has none. */
export function defaultOf(schema: Schema): unknown {
  if (schema instanceof z.ZodOptional) return defaultOf(schema.unwrap())
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return structuredClone(schema.def.defaultValue)
  }
  return undefined
}

/** The schemas a value may follow: the options of a union, else the schema itself. */
function options(schema: Schema): Schema[] {
  const inner = unwrap(schema)
  return inner instanceof z.ZodUnion ? inner.options.flatMap(options) : [inner]
}

/** The known keys of an object schema (of every option of a union); none for anything else. */
export function knownKeys(schema: Schema): string[] {
  const keys = options(schema).flatMap(o => (o instanceof z.ZodObject ? Object.keys(o.shape) : []))
  return [...new Set(keys)]
}

/**
 * The schema below `segment`, or undefined when there is none. In a union the first that has it, save
 * for keys that hold further keys (options of rewards): there what stands in any of them is known.
 */
export function childSchema(schema: Schema, segment: PropertyKey): Schema | undefined {
  const found: Schema[] = []
  for (const option of options(schema)) {
    if (option instanceof z.ZodObject) {
      const shape: Record<string, Schema> = option.shape
      if (Object.hasOwn(shape, segment)) found.push(shape[String(segment)]!)
    } else if (option instanceof z.ZodArray) {
      found.push(option.element)
    } else if (option instanceof z.ZodRecord) {
      found.push(option.valueType)
    }
  }
  const holders = found.filter(child => kindOf(child) === 'keys')
  return holders.length > 1 ? z.union(holders) : found[0]
}

/** The schema at a path from the root of a recipe, or undefined when a segment is unknown. */
export function schemaAt(path: readonly PropertyKey[]): Schema | undefined {
  let schema: Schema | undefined = recipeSchema
  for (const segment of path) {
    if (schema === undefined) return undefined
    schema = childSchema(schema, segment)
  }
  return schema
}

/**
 * Whether `value`, written at `path`, says something else than the schema's default. A default that is
 * written out is no choice: config.json has every key and is a recipe too.
 */
export function isChosen(path: readonly PropertyKey[], value: unknown): boolean {
  const schema = schemaAt(path)
  return value !== undefined && !(schema !== undefined && value === defaultOf(schema))
}

type ValueKind = 'number' | 'boolean' | 'text' | 'list' | 'keys' | 'any'

/** What kind of value a schema takes, which decides how a word of the command line is read. */
export function kindOf(schema: Schema): ValueKind {
  const inner = unwrap(schema)
  if (inner instanceof z.ZodNumber) return 'number'
  if (inner instanceof z.ZodBoolean) return 'boolean'
  if (inner instanceof z.ZodArray) return 'list'
  if (inner instanceof z.ZodObject || inner instanceof z.ZodRecord) return 'keys'
  if (inner instanceof z.ZodUnion) return kindOf(options(inner)[0]!)
  if (inner instanceof z.ZodUnknown) return 'any'
  return 'text'
}

interface KeyDescription {
  /** Dotted key; `N` stands for an index of a list. */
  key: string
  /** `number`, `text`, `a|b|c` … */
  type: string
  default: unknown
  description: string
}

function typeName(schema: Schema): string {
  const inner = unwrap(schema)
  if (inner instanceof z.ZodEnum) return inner.options.join('|')
  if (inner instanceof z.ZodLiteral) return [...inner.values].join('|')
  return kindOf(inner)
}

function describe(schema: Schema, prefix: string): KeyDescription[] {
  const rows = new Map<string, KeyDescription>()
  for (const option of options(schema)) {
    if (!(option instanceof z.ZodObject)) continue
    for (const [name, child] of Object.entries(option.shape as Record<string, z.ZodType>)) {
      const key = prefix + name
      const known = rows.get(key)
      if (known !== undefined) {
        const type = typeName(child)
        if (!known.type.split('|').includes(type)) known.type += `|${type}`
        if (known.default !== defaultOf(child)) known.default = undefined
      } else {
        rows.set(key, {
          key,
          type: typeName(child),
          default: kindOf(child) === 'keys' ? undefined : defaultOf(child),
          description: child.description ?? '',
        })
      }
      const inner = unwrap(child)
      const below =
        inner instanceof z.ZodArray
          ? describe(inner.element, `${key}.N.`)
          : describe(inner, `${key}.`)
      for (const row of below) if (!rows.has(row.key)) rows.set(row.key, row)
    }
  }
  return [...rows.values()]
}

/** Every dotted key of a recipe, in the order of the schema. */
export function describeKeys(): KeyDescription[] {
  return describe(recipeSchema, '')
}
