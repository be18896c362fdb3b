/**
 * Takes the overrides of a recipe out of the arguments of `kogrpo train`: `--a.b value`,
 * `--a.b=value`, `--a.flag` alone, and whole top-level keys (`--grpo null`). What remains is for
 * yargs, which would read dots as nested objects and guess types.
 */
import type { Override } from '../config/overrides.ts'

interface SplitArguments {
  overrides: Override[]
  /** The arguments that are not overrides, in their order. */
  rest: string[]
}

/**
 * `recipeKeys` are the top-level keys of a recipe that are not options of their own. The word after
 * an override is its value unless it begins with two dashes.
 */
export function splitOverrides(
  args: readonly string[],
  recipeKeys: ReadonlySet<string>,
): SplitArguments {
  const overrides: Override[] = []
  const rest: string[] = []
  for (let i = 0; i < args.length; i++) {
    const word = args[i]!
    const [, key, inline] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? []
    if (key === undefined || !(key.includes('.') || recipeKeys.has(key))) {
      rest.push(word)
      continue
    }
    const next = args[i + 1]
    if (inline !== undefined) {
      overrides.push({ key, value: inline })
    } else if (next !== undefined && !next.startsWith('--')) {
      overrides.push({ key, value: next })
      i++
    } else {
      overrides.push({ key, value: undefined })
    }
  }
  return { overrides, rest }
}
