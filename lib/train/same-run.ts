/**
 * Whether a saved state may be gone on from: recipe, tokenizer and data must be what they were, or
 * the run that goes on is no longer the one that its recipe describes. What differs is an error that
 * names the key; `--accept-changes` goes on all the same, and the change is recorded: in every
 * further state, in summary.json and in the log.
 */

import type { Recipe } from '../config/schema.ts'
import { KogrpoError } from '../errors.ts'
import { joined, phrase, written } from '../messages/phrase.ts'
import type { AcceptedChange } from '../report/events.ts'
import { note } from '../report/events.ts'
import type { Reporter } from '../report/reporter.ts'
import type { SavedState } from './run-state.ts'

/** Keys that change how a run is made, or how much is told of it, but no number of it. */
const FREE =
  /^(name|output_dir|threads|shard|rollout_weights|logging|watchdog)(\.|$)|\.(save_steps|save_total_limit|check_weights_steps|max_shard_size)$/

/** A value by its dotted key, such as "sft.data[0].path". */
function leaves(value: unknown, key = '', into = new Map<string, string>()): Map<string, string> {
  if (typeof value === 'object' && value !== null && Object.keys(value).length > 0) {
    for (const [name, part] of Object.entries(value)) {
      const inner = Array.isArray(value) ? `${key}[${name}]` : key === '' ? name : `${key}.${name}`
      leaves(part, inner, into)
    }
  } else if (value !== undefined) {
    into.set(key, JSON.stringify(value))
  }
  return into
}

/** What differs between two recipes and matters, by dotted key. */
function recipeChanges(saved: Recipe, now: Recipe): { key: string; from: string; to: string }[] {
  const [before, after] = [leaves(saved), leaves(JSON.parse(JSON.stringify(now)))]
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter(key => !FREE.test(key) && before.get(key) !== after.get(key))
    .map(key => ({
      key,
      from: before.get(key) ?? 'not there',
      to: after.get(key) ?? 'not there',
    }))
}

/** What a resumed run is compared with, and what was accepted of it. */
export class SameRun {
  readonly #saved: SavedState | undefined
  readonly #accepts: boolean
  readonly #reporter: Reporter
  readonly changes: AcceptedChange[]

  /** `accepts`: differences are recorded instead of refused. */
  constructor(saved: SavedState | undefined, accepts: boolean, reporter: Reporter) {
    this.#saved = saved
    this.#accepts = accepts
    this.#reporter = reporter
    this.changes = [...(saved?.changes ?? [])]
  }

  /** Throws `E_RESUME` naming every key whose value is another than when the state was saved. */
  checkRecipe(now: Recipe): void {
    if (!this.#saved) return
    this.#take(recipeChanges(this.#saved.config, now))
  }

  /** The same for one hash, of the tokenizer or of a source. */
  checkHash(key: string, what: string, from: string | undefined, to: string): void {
    if (!this.#saved || from === undefined || from === to) return
    const short = (hash: string): string => `${what} (SHA-256 ${hash.slice(0, 12)}…)`
    this.#take([{ key, from: short(from), to: short(to) }])
  }

  /** The same for something that is found wrong, in words. */
  checkThat(key: string, problem: string | null): void {
    if (problem !== null) this.#take([{ key, from: 'as it was saved', to: problem }])
  }

  #take(found: readonly { key: string; from: string; to: string }[]): void {
    if (found.length === 0) return
    const { stage, step, path } = this.#saved!
    const lines = found.map(({ key, from, to }) =>
      phrase('  {key}: was {from}, is now {to}', { key, from: written(from), to: written(to) }),
    )
    const differences = joined(lines, '\n')
    if (!this.#accepts) {
      throw new KogrpoError(
        'E_RESUME',
        phrase(
          '{path} was saved by a run of which this differs:\n{differences}\nGo on with what the run had; or add --accept-changes, which is recorded in summary.json: the run is then no longer to the bit that of its recipe',
          { path, differences },
        ),
      )
    }
    this.changes.push(...found.map(change => ({ ...change, stage, step })))
    this.#reporter.emit(
      note(
        'warning',
        phrase('resumed with changes that were accepted:\n{differences}', { differences }),
      ),
    )
  }
}
