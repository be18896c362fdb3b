/**
 * From a recipe's name to the fully resolved configuration: file (or a recipe of the package), then
 * dotted overrides on top, then the schema's defaults below, then those that follow from other keys.
 * Every error names the file, line, column and key, or the override, with the nearest spelling or
 * valid value.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, extname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type * as z from 'zod'
import { KogrpoError } from '../errors.ts'
import {
  failure,
  inEnglish,
  joined,
  type Phrase,
  phrase,
  type Say,
  written,
} from '../messages/phrase.ts'
import { deriveGrpo } from './derive.ts'
import { parseRecipeText, type RecipeDocument } from './document.ts'
import { keyHint } from './key-places.ts'
import { knownKeys, schemaAt } from './keys.ts'
import { didYouMean } from './nearest.ts'
import { applyOverride, type Override } from './overrides.ts'
import { checkRecipe } from './rules.ts'
import { type Recipe, type RecipeInput, recipeSchema } from './schema.ts'

export type { Override } from './overrides.ts'

/** A recipe that is checked and complete. */
export interface LoadedRecipe {
  recipe: Recipe
  /** The file it came from. */
  file: string
  /** What is allowed but probably not meant; one line each. */
  warnings: string[]
  /** Whether it says its output directory; else that is one of the moment. */
  placed: boolean
}

/** How a recipe is loaded. */
export interface LoadOptions {
  overrides?: readonly Override[]
  /** Time for the default output directory. */
  now?: Date
  /** The language of the warnings; English without. */
  say?: Say
}

/** The package's own recipes. */
function recipesDirectory(): string {
  let directory = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(directory, 'package.json'))) {
    const parent = dirname(directory)
    if (parent === directory) {
      throw new KogrpoError(
        'E_CONFIG',
        phrase('the recipes of kogrpo are missing; install it again'),
      )
    }
    directory = parent
  }
  return join(directory, 'recipes')
}

/** Names of the recipes that come with the package, e.g. `mini`. */
export function builtinRecipes(): string[] {
  const directory = recipesDirectory()
  if (!existsSync(directory)) return []
  return readdirSync(directory)
    .filter(file => file.endsWith('.yaml'))
    .map(file => basename(file, '.yaml'))
    .sort()
}

/** The file of a recipe given as a path or as the name of one of the package's. */
function findRecipe(nameOrPath: string): string {
  if (existsSync(nameOrPath)) {
    if (!statSync(nameOrPath).isDirectory()) return nameOrPath
  } else {
    const builtin = join(recipesDirectory(), `${basename(nameOrPath, '.yaml')}.yaml`)
    if (basename(nameOrPath) === nameOrPath && existsSync(builtin)) return builtin
  }
  const builtins = builtinRecipes()
  const what = existsSync(nameOrPath)
    ? phrase('is a directory, not a recipe file')
    : phrase('not found')
  throw new KogrpoError(
    'E_CONFIG',
    phrase(
      'recipe "{recipe}" {what} (looked at {path}){hint} Give a .yaml or .json file, or one of the built-in recipes: {builtins}',
      {
        recipe: nameOrPath,
        what,
        path: resolve(nameOrPath),
        hint: didYouMean(nameOrPath, builtins) || '.',
        builtins: builtins.join(', ') || phrase('(none)'),
      },
    ),
  )
}

const dotted = (path: readonly PropertyKey[]): string => path.map(String).join('.')

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let current = value
  for (const segment of path) {
    if (typeof current !== 'object' || current === null) return undefined
    current = (current as Record<PropertyKey, unknown>)[segment]
  }
  return current
}

const show = (value: unknown): string | Phrase =>
  typeof value === 'object' && value !== null
    ? Array.isArray(value)
      ? phrase('a list')
      : phrase('an object')
    : typeof value === 'number'
      ? String(value)
      : JSON.stringify(value)

const typeNames: Record<string, Phrase> = {
  int: phrase('a whole number'),
  number: phrase('a number'),
  string: phrase('text'),
  boolean: phrase('true or false'),
  array: phrase('a list'),
  object: phrase('keys (an object)'),
  record: phrase('keys (an object)'),
}

interface Problem {
  path: PropertyKey[]
  message: Phrase
  at: 'key' | 'value'
}

/** A bound of a number: "at least 1". */
function rangeOf(issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig): Phrase {
  if (issue.code === 'too_small') {
    const limit = Number(issue.minimum)
    return issue.inclusive
      ? phrase('at least {limit}', { limit })
      : phrase('more than {limit}', { limit })
  }
  const limit = Number(issue.maximum)
  return issue.inclusive
    ? phrase('at most {limit}', { limit })
    : phrase('less than {limit}', { limit })
}

/** Says one of zod's issues in this project's words: what was expected, what was found. */
function problemsOf(issue: z.core.$ZodIssue, input: unknown): Problem[] {
  const { path } = issue
  const value = valueAt(input, path)
  const problem = (message: Phrase): Problem[] => [{ path, message, at: 'value' }]
  const oneOf = (values: readonly unknown[]): Problem[] => {
    const words = values.map(String)
    if (value === undefined)
      return problem(phrase('is required: one of {words}', { words: words.join(', ') }))
    const hint = typeof value === 'string' ? didYouMean(value, words) : ''
    return problem(
      phrase('expected one of {words}, got {value}{hint}', {
        words: words.join(', '),
        value: show(value),
        hint,
      }),
    )
  }
  switch (issue.code) {
    case 'unrecognized_keys': {
      const schema = schemaAt(path)
      const known = schema === undefined ? [] : knownKeys(schema)
      const where = path.length > 0 ? phrase(' in {key}', { key: dotted(path) }) : ''
      return issue.keys.map(key => ({
        path: [...path, key],
        message: phrase('unknown key{where}{hint}', {
          where,
          hint: keyHint(key, known) || phrase('; known keys: {known}', { known: known.join(', ') }),
        }),
        at: 'key',
      }))
    }
    case 'invalid_type': {
      const expected = typeNames[issue.expected] ?? issue.expected
      return value === undefined
        ? problem(phrase('is required ({expected})', { expected }))
        : problem(phrase('expected {expected}, got {value}', { expected, value: show(value) }))
    }
    case 'invalid_value':
      return oneOf(issue.values)
    case 'invalid_union':
      return 'options' in issue && Array.isArray(issue.options)
        ? oneOf(issue.options)
        : problem(written(issue.message))
    case 'too_small':
    case 'too_big': {
      if (issue.origin === 'array') return problem(written(issue.message))
      if (issue.origin === 'string') return problem(phrase('expected some text, got ""'))
      return problem(
        phrase('expected {range}, got {value}', { range: rangeOf(issue), value: show(value) }),
      )
    }
    case 'invalid_format': {
      const expected =
        issue.format === 'url'
          ? phrase('expected a URL such as http://localhost:8000/v1')
          : written(issue.message)
      return problem(phrase('{expected}, got {value}', { expected, value: show(value) }))
    }
    default:
      return problem(written(issue.message))
  }
}

/** Where a problem stands: the override that set it, or else the place in the file. */
function locator(
  document: RecipeDocument | undefined,
  overrides: readonly Override[],
): (problem: Pick<Problem, 'path' | 'at'>) => string {
  return ({ path, at }) => {
    const key = dotted(path)
    const exact = overrides.findLast(o => key === o.key || key.startsWith(`${o.key}.`))
    if (exact !== undefined) return `--${exact.key}`
    if (document === undefined) return ''
    if (!document.has(path)) {
      // Something is missing from an object: perhaps one that an override brought into being.
      const parent = path.slice(0, -1)
      const creator = overrides.find(o => o.key.startsWith(`${dotted(parent)}.`))
      if (creator !== undefined && !document.has(parent)) return `--${creator.key}`
    }
    return document.locate(path, at)
  }
}

function timestamp(now: Date): string {
  const two = (n: number): string => String(n).padStart(2, '0')
  const date = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`
  return `${date}-${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`
}

function validate(
  input: Record<string, unknown>,
  locate: (problem: Pick<Problem, 'path' | 'at'>) => string,
  title: string,
  now: Date,
  say: Say,
): Omit<LoadedRecipe, 'file'> {
  const line = (problem: Problem): Phrase => {
    const parts = [locate(problem), dotted(problem.path)]
    // An override already names its key.
    if (parts[0] === `--${parts[1]}`) parts.pop()
    return joined([...parts.filter(part => part !== ''), problem.message], ': ')
  }
  const refuse = (problems: Problem[]): never => {
    const lines = problems.map(line)
    throw new KogrpoError(
      'E_CONFIG',
      lines.length === 1
        ? lines[0]!
        : phrase('{title}: {count} errors\n  {errors}', {
            title,
            count: lines.length,
            errors: joined(lines, '\n  '),
          }),
    )
  }
  const parsed = recipeSchema.safeParse(input)
  if (!parsed.success) return refuse(parsed.error.issues.flatMap(i => problemsOf(i, input)))
  const { grpo } = parsed.data
  const data = grpo ? { ...parsed.data, grpo: deriveGrpo(grpo) } : parsed.data
  const { errors, warnings } = checkRecipe(data, input as RecipeInput)
  if (errors.length > 0) return refuse(errors.map(e => ({ ...e, at: 'value' })))
  return {
    recipe: {
      ...data,
      output_dir: data.output_dir ?? join('runs', `${data.name}-${timestamp(now)}`),
    },
    warnings: warnings.map(w => say(line({ ...w, at: 'value' }))),
    placed: data.output_dir !== undefined,
  }
}

/**
 * Loads a recipe: a path (.yaml, .yml, .json), or the name of one of the package's recipes.
 * Precedence: overrides (the later wins), then the file, then the schema's defaults.
 * Errors: `E_CONFIG`.
 */
export function loadRecipe(nameOrPath = 'mini', options: LoadOptions = {}): LoadedRecipe {
  const file = findRecipe(nameOrPath)
  const unreadable = (reason: Phrase, cause: unknown): KogrpoError =>
    new KogrpoError('E_CONFIG', phrase('cannot read recipe {file}: {reason}', { file, reason }), {
      cause,
    })
  let bytes: Buffer
  try {
    bytes = readFileSync(file)
  } catch (error) {
    throw unreadable(failure(error), error)
  }
  let text: string
  try {
    // Text in another encoding (EUC-KR) would otherwise become replacement characters, in prompts too.
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    const reason = phrase(
      'it is not valid UTF-8; convert it (of Korean Windows: iconv -f CP949 -t UTF-8)',
    )
    throw unreadable(reason, error)
  }
  return { file, ...parseRecipe(text, file, options) }
}

/** A run's name from that of its recipe, composed (macOS takes Hangul apart) and without what names do not have. */
export function nameOf(file: string): string {
  const name = basename(file, extname(file)).normalize('NFC')
  return name.replaceAll(/[^\p{L}\p{M}\p{N}._-]+/gu, '-')
}

/** As `loadRecipe`, from text that is already read; `file` is the name for messages. */
export function parseRecipe(
  text: string,
  file: string,
  options: LoadOptions = {},
): Omit<LoadedRecipe, 'file'> {
  const overrides = options.overrides ?? []
  const document = parseRecipeText(text, file)
  const input = structuredClone(document.value)
  input.name ??= nameOf(file)
  for (const override of overrides) applyOverride(input, override)
  const { now = new Date(), say = inEnglish } = options
  return validate(input, locator(document, overrides), file, now, say)
}

/** Validates a recipe given as an object and fills in its defaults. Errors: `E_CONFIG`. */
export function resolveRecipe(input: RecipeInput): Recipe {
  const written = input as Record<string, unknown>
  return validate(written, locator(undefined, []), 'recipe', new Date(), inEnglish).recipe
}
