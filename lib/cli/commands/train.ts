/**
 * `kogrpo train [recipe] [--dotted.key value …]`: resolves the recipe, makes the run directory,
 * connects the reports and runs the stages. All of the training stands in lib/train.
 */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { ArgumentsCamelCase, CommandModule } from 'yargs'
import { recipeJsonSchema } from '../../config/json-schema.ts'
import { keyHint } from '../../config/key-places.ts'
import { describeKeys } from '../../config/keys.ts'
import { type Recipe, recipeSchema } from '../../config/schema.ts'
import type { KogrpoError } from '../../errors.ts'
import { failure, type Phrase, phrase, written } from '../../messages/phrase.ts'
import { CompletionsWriter } from '../../report/completions-writer.ts'
import type { Consumer } from '../../report/events.ts'
import { MetricsWriter } from '../../report/metrics-writer.ts'
import { ReportWriter } from '../../report/page/report-writer.ts'
import { Progress } from '../../report/progress.ts'
import { Reporter } from '../../report/reporter.ts'
import { discardRunDirectory, type RunDirectory } from '../../report/run-directory.ts'
import { SummaryWriter } from '../../report/summary.ts'
import { TensorBoardWriter } from '../../report/tensorboard.ts'
import { syncWandb, wantsWandb } from '../../report/wandb.ts'
import { shellWord } from '../../shell-word.ts'
import type { CliContext } from '../context.ts'
import { Interrupted, UsageError } from '../errors.ts'
import { runInterruptibly } from '../interrupt.ts'
import { nonEmpty, sharedOptions } from '../options.ts'
import { splitOverrides } from '../train-overrides.ts'
import { beginOrTakeUp, hasState, type TrainArguments } from '../train-start.ts'

/** Top-level keys of a recipe that have an option of their own, with the dash of options. */
const OPTION_KEYS = new Set(['seed', 'threads', 'device', 'output_dir'])

export function prepare(args: readonly string[]): {
  args: string[]
  extra: Record<string, unknown>
} {
  const recipeKeys = Object.keys(recipeSchema.shape).filter(key => !OPTION_KEYS.has(key))
  const { overrides, rest } = splitOverrides(args, new Set(recipeKeys))
  for (const word of rest) {
    // TRL's command line has no sections: --learning_rate is that of a stage here.
    const [, name] = /^--([a-z]\w*_\w+)(?:=|$)/.exec(word) ?? []
    if (name === undefined || OPTION_KEYS.has(name)) continue
    const hint = keyHint(name, [], '', '--')
    if (hint === '') continue
    throw new UsageError(phrase('unknown option --{name}{hint}', { name, hint }))
  }
  return { args: rest, extra: { overrides } }
}

/** Says how to go on after the run in `directory` was stopped. */
function howToGoOn(directory: RunDirectory): Phrase {
  return hasState(directory.path)
    ? phrase('stopped. To go on from here, to the bit:\n  npx kogrpo train --resume {path}', {
        path: shellWord(directory.path),
      })
    : phrase(
        'stopped before the first step. To start again:\n  npx kogrpo train {config} --overwrite',
        {
          config: shellWord(directory.config),
        },
      )
}

function showKeys(context: CliContext): void {
  for (const { key, type, default: value, description } of describeKeys()) {
    const shown = value === undefined ? '' : ` [${JSON.stringify(value)}]`
    context.stdout.write(`--${key} <${type}>${shown}\n    ${context.say(written(description))}\n`)
  }
}

/** What the first rank writes; other ranks report nothing. */
function consumersOf(
  recipe: Recipe,
  directory: RunDirectory,
  context: CliContext,
): { consumers: Consumer[]; page: ReportWriter } {
  const { steps, completions, heartbeat_seconds, report_seconds, tensorboard } = recipe.logging
  const warn = (message: Phrase): void =>
    void context.stderr.write(`${context.say('warning: {message}', { message })}\n`)
  const page = new ReportWriter(directory.path, report_seconds, warn, context.language)
  const consumers: Consumer[] = [
    new MetricsWriter(directory.metrics),
    ...(completions ? [new CompletionsWriter(directory.completions)] : []),
    new SummaryWriter(directory.summary),
    ...(tensorboard || wantsWandb(context.env)
      ? [new TensorBoardWriter(join(directory.path, 'tensorboard'))]
      : []),
    page,
    new Progress({
      term: context.env.TERM,
      output: context.stderr,
      results: context.stdout,
      heartbeatSeconds: heartbeat_seconds,
      plainEverySteps: steps,
      say: context.say,
    }),
  ]
  return { consumers, page }
}

async function handler(argv: ArgumentsCamelCase<TrainArguments>): Promise<void> {
  const { context } = argv
  if (argv.keys) return showKeys(context)
  if (argv.jsonSchema) {
    context.stdout.write(`${JSON.stringify(recipeJsonSchema(), null, 2)}\n`)
    return
  }
  const { placeOf } = await import('../../launch/place.ts')
  const place = placeOf(context.env) ?? undefined
  const first = place === undefined || place.rank === 0
  if (argv.acceptChanges && argv.resume === undefined) {
    throw new UsageError(phrase('--accept-changes goes with --resume'))
  }
  const begun = await beginOrTakeUp(argv, first)
  if (begun === null) {
    if (first) {
      const path = argv.outputDir!
      context.stderr.write(
        `${context.say('the run in {path} is finished (summary.json is there): nothing is left to do', { path })}\n`,
      )
    }
    return
  }
  const { recipe, warnings, directory, state, claim } = begun
  if (argv.dryRun) {
    for (const warning of warnings) {
      context.stderr.write(`${context.say('warning: {message}', { message: warning })}\n`)
    }
    context.stdout.write(`${JSON.stringify(recipe, null, 2)}\n`)
    const { sayMemory } = await import('../dry-run.ts')
    await sayMemory(recipe, context)
    return
  }
  const report = first ? consumersOf(recipe, directory, context) : { consumers: [], page: null }
  const reporter = new Reporter(report.consumers)
  const note = (level: 'info' | 'warning', message: string): void =>
    reporter.emit({ type: 'note', level, message })
  const { StoreServer } = await import('../../launch/store.ts')
  const store = place?.serves ? await StoreServer.listen({ port: place.port }) : null
  try {
    if (claim?.doubt) note('warning', context.say(claim.doubt))
    for (const warning of warnings) note('warning', warning)
    await runInterruptibly(
      context,
      {
        onInterrupt: () =>
          note(
            'info',
            context.say('stopping after the work in hand; press Ctrl-C again to quit at once'),
          ),
        message: () => howToGoOn(directory),
      },
      async signal => {
        const { runTraining } = await import('../../train/run.ts')
        const acceptChanges = argv.acceptChanges === true
        const giveUp = (error: KogrpoError): void => {
          const killed = context.say('it does not end by itself: killed')
          context.stderr.write(`kogrpo: ${context.say(failure(error))}\n${killed}\n`)
          process.kill(process.pid, 'SIGKILL')
        }
        await runTraining(recipe, { reporter, signal, resume: state, acceptChanges, place, giveUp })
      },
    )
  } catch (error) {
    if (first && !(error instanceof Interrupted)) {
      claim?.release()
      discardRunDirectory(directory)
    }
    throw error
  } finally {
    reporter.close()
    await report.page?.finished()
    if (first && wantsWandb(context.env) && existsSync(join(directory.path, 'tensorboard'))) {
      const problem = await syncWandb(directory.path, context.env)
      if (problem !== null) {
        context.stderr.write(`${context.say('warning: {message}', { message: problem })}\n`)
      }
    }
    await store?.close()
    claim?.release()
  }
}

export const command: CommandModule<object, TrainArguments> = {
  command: 'train [recipe]',
  describe: 'Train a model by a recipe (without one: the miniature, in a few minutes)',
  builder: argv =>
    argv
      .usage(
        '$0 train [recipe] [--dotted.key value …]\n\nTrains a model by a recipe, and evaluates it before and after.',
      )
      .positional('recipe', {
        type: 'string',
        describe: 'A .yaml or .json file, or the name of a built-in recipe [default: mini]',
      })
      .options(sharedOptions('seed', 'threads', 'device', 'output-dir'))
      .option('overwrite', {
        type: 'boolean',
        describe: 'Replace an earlier run in the output directory',
      })
      .option('resume', {
        type: 'string',
        requiresArg: true,
        describe:
          'Go on with the stopped run in this directory, to the bit; auto: with the one in --output-dir, from its last whole state, or begin it',
        coerce: nonEmpty('resume'),
      })
      .option('accept-changes', {
        type: 'boolean',
        describe:
          'Resume although recipe, tokenizer or data have changed; summary.json then says what',
      })
      .option('dry-run', {
        type: 'boolean',
        describe:
          'Print the resolved recipe as JSON, say whether it fits this machine, and do nothing',
      })
      .option('keys', {
        type: 'boolean',
        describe: 'Print every key of a recipe, with its default',
      })
      .option('json-schema', {
        type: 'boolean',
        describe: 'Print the JSON schema of a recipe, for an editor',
      })
      .example('$0 train', 'the miniature')
      .example('$0 train my.yaml --grpo.learning_rate 1e-5', 'one key of a recipe changed')
      .example('$0 train mini --grpo null', 'without the RL stage') as never,
  handler,
}
