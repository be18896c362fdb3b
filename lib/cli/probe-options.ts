/** What the commands that look at a model through a recipe's grpo stage share: options, session. */

import type { Options } from 'yargs'
import { loadRecipe } from '../config/load.ts'
import type { GrpoStage } from '../config/schema.ts'
import type { GrpoSample } from '../data/samples.ts'
import { phrase, verbatim, written } from '../messages/phrase.ts'
import type { RunEvent } from '../report/events.ts'
import { Reporter } from '../report/reporter.ts'
import type { Session } from '../train/session.ts'
import type { CliContext } from './context.ts'
import { runInterruptibly } from './interrupt.ts'
import { nonEmpty, sharedOptions, wholeNumber } from './options.ts'
import { WorkProgress } from './work-progress.ts'

export interface ProbeArguments {
  recipe?: string
  model?: string
  k?: number
  limit?: number
  seed?: number
  threads?: number
  context: CliContext
}

export const probeOptions = {
  model: {
    type: 'string',
    requiresArg: true,
    describe: "The model to look at [default: the recipe's]",
    coerce: nonEmpty('model'),
  },
  k: {
    type: 'string',
    requiresArg: true,
    describe: "Completions of each prompt [default: the recipe's num_generations]",
    coerce: wholeNumber('k', 2, 4096),
  },
  limit: {
    type: 'string',
    requiresArg: true,
    describe: 'Prompts, spread evenly over the data [default: 64]',
    coerce: wholeNumber('limit', 1),
  },
  ...sharedOptions('seed', 'threads'),
} as const satisfies Record<string, Options>

interface Probed {
  session: Session
  stage: GrpoStage
  prompts: GrpoSample[]
  k: number
}

/** Opens the model of the recipe (or `--model`) and the prompts of its grpo stage, and runs `task`. */
export async function withProbe<T>(
  argv: ProbeArguments,
  defaultLimit: number,
  task: (probed: Probed) => Promise<T>,
): Promise<T> {
  const { context, model, seed, threads } = argv
  const given = { 'model.path': model, seed, threads }
  const overrides = Object.entries(given).flatMap(([key, value]) =>
    value === undefined ? [] : [{ key, value: String(value) }],
  )
  const { recipe } = loadRecipe(argv.recipe, { overrides, say: context.say })
  const { probePrompts, probeRecipe } = await import('../train/probe.ts')
  const { openSession } = await import('../train/open-session.ts')
  const config = probeRecipe(recipe)
  const phases = {
    onInterrupt: () => context.stderr.write(`${context.say('stopping')}\n`),
    message: () => phrase('stopped; nothing was written'),
  }
  return await runInterruptibly(context, phases, async signal => {
    let words = phrase('opening the model')
    const progress = new WorkProgress(context, () => words)
    const handle = (event: RunEvent): void => {
      if (event.type === 'note') progress.note(event.text ?? verbatim(event.message))
      if (event.type !== 'activity') return
      const { activity, done, total } = event
      const what = written(activity)
      words =
        done === undefined
          ? what
          : phrase('{what}: {done} of at most {total} tokens', {
              what,
              done,
              total: total ?? '?',
            })
    }
    const reporter = new Reporter([{ handle }])
    let session: Session | undefined
    try {
      session = await openSession(config, { reporter, signal })
      const prompts = await probePrompts(session, config.grpo, argv.limit ?? defaultLimit)
      const k = argv.k ?? config.grpo.num_generations
      return await task({ session, stage: config.grpo, prompts, k })
    } finally {
      progress.close()
      await session?.engine.dispose()
    }
  })
}
