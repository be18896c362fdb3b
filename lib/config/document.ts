/**
 * A recipe file (YAML, or JSON as its subset) that remembers where each key stands, so that an
 * error about a key can name `file:line:column`.
 */

import type { Node, Pair, YAMLError } from 'yaml'
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml'
import { KogrpoError } from '../errors.ts'
import { failure, joined, type Phrase, phrase } from '../messages/phrase.ts'

export interface RecipeDocument {
  /** The content as plain objects, arrays and scalars. */
  value: Record<string, unknown>
  /**
   * `file:line:column` of the value at `path` (`at: 'key'`: of the key itself). When the path leads
   * beyond what is written, the place of the last part that is.
   */
  locate(path: readonly PropertyKey[], at?: 'key' | 'value'): string
  /** Whether something is written at `path`. */
  has(path: readonly PropertyKey[]): boolean
}

/** What to do about the commonest mistakes, by the codes of the parser. */
const SYNTAX_REMEDIES: Partial<Record<YAMLError['code'], Phrase>> = {
  TAB_AS_INDENT: phrase('Indent with spaces'),
  BAD_INDENT: phrase(
    'Keys that belong together begin in one column; what belongs to a key stands further in',
  ),
  MISSING_CHAR: phrase('A bracket, a quote, or the space behind a colon is missing'),
  MULTILINE_IMPLICIT_KEY: phrase('A colon behind a key is missing'),
  BLOCK_AS_IMPLICIT_KEY: phrase('Put quotes around text that holds a colon and a space'),
  BAD_SCALAR_START: phrase('Put quotes around the text'),
  BAD_ALIAS: phrase('Put quotes around text that begins with * or &'),
  DUPLICATE_KEY: phrase('Keep one of them'),
}

/** Recipes have a few thousand characters. */
const MOST_TEXT = 2 ** 20
const MOST_DEPTH = 64
/** Characters of a line that an error shows. */
const MOST_SHOWN = 200

/** The parser calls itself at every level, and refuses aliases that multiply (`&a [*b, *b, …]`). */
function guarded<T>(file: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    throw new KogrpoError(
      'E_CONFIG',
      phrase('{file}: cannot be read as YAML: {reason}', { file, reason: failure(cause) }),
      { cause },
    )
  }
}

/** The value, which is not nested deeper than any recipe. Each of its objects is looked at once a level: an
 *  alias may stand in many places, and within what it stands for. */
function shallow(value: unknown): Record<string, unknown> {
  let level = new Set<unknown>([value])
  for (let depth = 0; level.size > 0; depth++) {
    if (depth > MOST_DEPTH) {
      throw new Error(
        `nested deeper than ${MOST_DEPTH} levels, or an alias within what it stands for`,
      )
    }
    const items = [...level].filter(item => typeof item === 'object' && item !== null) as object[]
    level = new Set(items.flatMap(item => Object.values(item)))
  }
  return value as Record<string, unknown>
}

/** The first key of the text that is a list or a mapping (`? [a, b]`): YAML has them, and turning nested
 *  ones into objects writes every level out anew. */
function structuredKey(root: Node): Node | undefined {
  const nodes: unknown[] = [root]
  for (const node of nodes) {
    if (isSeq(node)) nodes.push(...node.items)
    if (!isMap(node)) continue
    for (const { key, value } of node.items) {
      if (isMap(key) || isSeq(key)) return key
      nodes.push(value)
    }
  }
  return undefined
}

/** Reads recipe text. Errors: `E_CONFIG` with file:line:column for a syntax error or a repeated key. */
export function parseRecipeText(text: string, file: string): RecipeDocument {
  if (text.length > MOST_TEXT) {
    throw new KogrpoError(
      'E_CONFIG',
      phrase('{file}: a recipe does not have {count} characters', { file, count: text.length }),
    )
  }
  const lines = new LineCounter()
  const document = guarded(file, () =>
    parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' }),
  )
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset)
    return `${file}:${line}:${col}`
  }
  const syntaxError = document.errors[0]
  if (syntaxError !== undefined) {
    const { line } = lines.linePos(syntaxError.pos[0])
    const remedy = /^Flow/.test(syntaxError.message)
      ? phrase('A closing bracket is missing, or stands too far left')
      : SYNTAX_REMEDIES[syntaxError.code]
    throw new KogrpoError(
      'E_CONFIG',
      phrase('{place}: not YAML: {problem}\n  {line} | {text}', {
        place: place(syntaxError.pos[0]),
        problem: joined(remedy ? [syntaxError.message, remedy] : [syntaxError.message], '. '),
        line,
        text: text.split('\n')[line - 1]!.slice(0, MOST_SHOWN),
      }),
    )
  }
  const root = document.contents
  if (!isMap(root)) {
    throw new KogrpoError(
      'E_CONFIG',
      phrase('{file}: expected a recipe (keys such as model, sft, grpo, eval), found {found}', {
        file,
        found: root === null ? phrase('nothing') : phrase('something else'),
      }),
    )
  }

  const odd = structuredKey(root)
  if (odd) {
    throw new KogrpoError(
      'E_CONFIG',
      phrase('{place}: a list or mapping stands where a key must; keys are words', {
        place: place(odd.range?.[0] ?? 0),
      }),
    )
  }

  const step = (node: Node, segment: PropertyKey): { key?: Node; value?: Node } | undefined => {
    const target = isAlias(node) ? node.resolve(document) : node
    if (isMap(target)) {
      const pair = target.items.find(
        (item: Pair<unknown, unknown>) => isScalar(item.key) && String(item.key.value) === segment,
      ) as Pair<Node, Node | null> | undefined
      return pair && { key: pair.key, value: pair.value ?? undefined }
    }
    if (isSeq(target)) {
      const value = target.items[Number(segment)] as Node | undefined
      return value && { value }
    }
    return undefined
  }

  const walk = (path: readonly PropertyKey[]): { key?: Node; value?: Node; depth: number } => {
    let found: { key?: Node; value?: Node } = { value: root }
    let depth = 0
    for (const segment of path) {
      const next = found.value && step(found.value, segment)
      if (next === undefined) break
      found = next
      depth++
    }
    return { ...found, depth }
  }

  return {
    value: guarded(file, () => shallow(document.toJS())),
    has: path => walk(path).depth === path.length,
    locate: (path, at = 'value') => {
      const { key, value, depth } = walk(path)
      // A missing key is reported at the key of the object it is missing from.
      const atKey = (at === 'key' || depth < path.length) && key !== undefined
      const node = atKey ? key : (value ?? key)
      const range = node?.range
      return depth === 0 && path.length > 0 ? file : range ? place(range[0]) : file
    },
  }
}
