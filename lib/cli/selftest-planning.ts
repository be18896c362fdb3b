/**
 * `kogrpo selftest planning`: the planning experiment on one seed, as a check that RL on this machine
 * explores, narrows, and is held open by the KL. Exit code 1 when it does not.
 */
import type { ArgumentsCamelCase, CommandModule } from 'yargs'
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import type { CliContext } from './context.ts'
import { runInterruptibly } from './interrupt.ts'
import { sharedOptions } from './options.ts'

interface PlanningArguments {
  seed?: number
  threads?: number
  context: CliContext
}

async function handler(argv: ArgumentsCamelCase<PlanningArguments>): Promise<void> {
  const { context } = argv
  const { planningDiversity } = await import('../experiments/planning-diversity.ts')
  const { runExperiment } = await import('../experiments/run.ts')
  const phases = { onInterrupt: () => {}, message: () => 'stopped' }
  const result = await runInterruptibly(context, phases, signal =>
    runExperiment(planningDiversity, [argv.seed ?? 1], {
      signal,
      threads: argv.threads ?? 1,
      progress: message => context.stderr.write(`${message}\n`),
    }),
  )
  context.stdout.write(`${result.gate}\n${result.measured}\n`)
  if (!result.pass) throw new KogrpoError('E_EXPERIMENT', phrase('the planning self-test failed'))
  context.stdout.write('passed\n')
}

export const command: CommandModule<object, PlanningArguments> = {
  command: 'planning',
  describe: 'Check on a toy problem that RL explores, narrows, and is held open by the KL',
  builder: argv =>
    argv
      .usage('$0 planning\n\nTrains a tiny model to find paths in a graph; about a minute.')
      .options(sharedOptions('seed', 'threads'))
      .example('$0 planning --seed 3', '') as never,
  handler,
}
