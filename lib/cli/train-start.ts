/**
 * Where a run of `kogrpo train` begins: a new one in a directory of its own, or where the one that
 * `--resume` names was stopped.
 */

import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { loadRecipe, type Override } from '../config/load.ts'
import type { Recipe } from '../config/schema.ts'
import type { Claim } from '../durable/claim.ts'
import type { DeviceName } from '../engine/device.ts'
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import type { StageName } from '../report/events.ts'
import { Reporter } from '../report/reporter.ts'
import {
  claimRunDirectory,
  createRunDirectory,
  type RunDirectory,
  runDirectory,
  trimLines,
  writeJson,
} from '../report/run-directory.ts'
import type { SavedState } from '../train/run-state.ts'
import type { CliContext } from './context.ts'
import { UsageError } from './errors.ts'

export interface TrainArguments {
  recipe?: string
  seed?: number
  threads?: number
  device?: DeviceName
  outputDir?: string
  overwrite?: boolean
  resume?: string
  acceptChanges?: boolean
  dryRun?: boolean
  keys?: boolean
  jsonSchema?: boolean
  /** Added by main.ts: what `prepare` took out, and the process. */
  overrides: Override[]
  context: CliContext
}

interface Start {
  recipe: Recipe
  warnings: string[]
  directory: RunDirectory
  state?: SavedState
  /** The first rank's, that nobody else is at work in the directory. */
  claim: Claim | null
}

/** The options that stand for recipe keys, after the dotted ones: the plain option wins. */
function allOverrides(argv: TrainArguments): Override[] {
  const plain = { seed: argv.seed, threads: argv.threads, device: argv.device }
  const overrides = [...argv.overrides]
  for (const [key, value] of Object.entries({ ...plain, output_dir: argv.outputDir })) {
    if (value !== undefined) overrides.push({ key, value: String(value) })
  }
  return overrides
}

/** The recipe of a new run, and its directory, which the first rank makes. */
function start(argv: TrainArguments, first: boolean): Start {
  const { recipe, warnings, placed } = loadRecipe(argv.recipe, {
    overrides: allOverrides(argv),
    say: argv.context.say,
  })
  if (argv.dryRun || !first) {
    return { recipe, warnings, directory: runDirectory(recipe.output_dir), claim: null }
  }
  if (placed) return { recipe, warnings, ...make(recipe, argv.overwrite === true) }
  // Several runs may begin in one second.
  for (let n = 1; ; n++) {
    const own = n === 1 ? recipe : { ...recipe, output_dir: `${recipe.output_dir}-${n}` }
    try {
      return { recipe: own, warnings, ...make(own, false) }
    } catch (error) {
      const taken = error instanceof KogrpoError && TAKEN.has(error.code)
      if (!taken || n === MOST_AT_ONCE || !existsSync(own.output_dir)) throw error
    }
  }
}

/** What creating a directory fails with where another run has it. */
const TAKEN: ReadonlySet<string> = new Set(['E_OUTPUT_DIR', 'E_IN_USE'])
const MOST_AT_ONCE = 1000

/** Makes the directory of a new run, claimed for this process. */
function make(recipe: Recipe, overwrite: boolean): { directory: RunDirectory; claim: Claim } {
  const claims: Claim[] = []
  try {
    const take = (path: string): void => void claims.push(claimRunDirectory(path))
    return { directory: createRunDirectory(recipe, { overwrite, take }), claim: claims[0]! }
  } catch (error) {
    claims[0]?.release()
    throw error
  }
}

/** `auto` found no state: a run that was stopped before its first one begins again. */
function begin(argv: TrainArguments, first: boolean): Start {
  const again = argv.resume === 'auto' && existsSync(join(argv.outputDir!, 'config.json'))
  return start(again ? { ...argv, overwrite: true } : argv, first)
}

/**
 * The recipe, directory and state of the run that `--resume` names; later lines are removed. Without
 * a recipe on the command line it is that of the run. Null: `auto` found no state, so that the run
 * begins (again).
 */
async function takeUp(argv: TrainArguments, first: boolean): Promise<Start | null> {
  const auto = argv.resume === 'auto'
  const place = auto ? argv.outputDir : argv.resume
  if (place === undefined) {
    throw new UsageError(phrase('--resume auto looks into the run directory: give --output-dir'))
  }
  const { findState, statePaths, STAGES } = await import('../train/find-state.ts')
  // One of a run's states may be named itself.
  const path = /(^|\/)checkpoints\/state-[\w-]+\/?$/.test(place) ? join(place, '../..') : place
  if (argv.outputDir !== undefined && resolve(argv.outputDir) !== resolve(path)) {
    throw new UsageError(
      phrase('--output-dir: the run goes on in {path}, where it is; remove it', { path }),
    )
  }
  if (auto && (await statePaths(path)).length === 0) return null
  const state = await findState(place, { earlier: auto })
  const directory = runDirectory(path)
  const source = argv.recipe ?? directory.config
  const overrides = [...allOverrides(argv), { key: 'output_dir', value: path }]
  const { recipe, warnings } = loadRecipe(source, { overrides, say: argv.context.say })
  const made = (row: Record<string, unknown>): boolean => {
    const [stage, at] = [STAGES.indexOf(row.stage as StageName), STAGES.indexOf(state.stage)]
    return stage < at || (stage === at && Number(row.step) <= state.step)
  }
  // Completions are of grpo's steps, or of the evaluation of base, sft or rl.
  const written = (row: Record<string, unknown>): boolean =>
    row.stage === 'grpo' ? made(row) : state.outcomes.some(([name]) => name === row.stage)
  const { SameRun } = await import('../train/same-run.ts')
  new SameRun(state, argv.acceptChanges === true, new Reporter([])).checkRecipe(recipe)
  if (!first || argv.dryRun) return { recipe, warnings, directory, state, claim: null }
  const claim = claimRunDirectory(path)
  try {
    rmSync(directory.summary, { force: true })
    trimLines(directory.metrics, made)
    trimLines(directory.completions, written)
    writeJson(directory.config, recipe)
  } catch (error) {
    claim.release()
    throw error
  }
  return { recipe, warnings, directory, state, claim }
}

/**
 * On the first rank directories are made and logs cut; the others only read. Null: `auto`, and the run is
 * finished, so that a job which is started again does not train anew what is done.
 */
export async function beginOrTakeUp(argv: TrainArguments, first: boolean): Promise<Start | null> {
  const { resume, outputDir, acceptChanges } = argv
  const settled = resume === 'auto' && acceptChanges !== true && outputDir !== undefined
  if (settled && existsSync(runDirectory(outputDir).summary)) return null
  return (argv.resume && (await takeUp(argv, first))) || begin(argv, first)
}

/** Whether a run has saved a state; without loading the training code. */
export function hasState(path: string): boolean {
  const checkpoints = join(path, 'checkpoints')
  return existsSync(checkpoints) && readdirSync(checkpoints).some(name => name.startsWith('state-'))
}
