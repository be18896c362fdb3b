/**
 * `kogrpo selftest planning`: the planning experiment on one seed, as a check that RL on this machine
 * narrows and is held open by the KL. Exit code 1 when it does not. Its limits are wider than the
 * experiment's gate, which is about means over several seeds.
 */
import type { ArgumentsCamelCase, CommandModule } from 'yargs'
import { KogrpoError } from '../../errors.ts'
import { type Phrase, phrase } from '../../messages/phrase.ts'
import type { CliContext } from '../context.ts'
import { runInterruptibly } from '../interrupt.ts'
import { sharedOptions } from '../options.ts'

interface PlanningArguments {
  seed?: number
  threads?: number
  context: CliContext
}

async function handler(argv: ArgumentsCamelCase<PlanningArguments>): Promise<void> {
  const { context } = argv
  const { planningDiversity } = await import('../../experiments/planning-diversity.ts')
  const { runExperiment } = await import('../../experiments/run.ts')
  const phases = { onInterrupt: () => {}, message: () => phrase('stopped') }
  const result = await runInterruptibly(context, phases, signal =>
    runExperiment(planningDiversity, [argv.seed ?? 1], {
      signal,
      threads: argv.threads ?? 1,
      progress: message => context.stderr.write(`${message}\n`),
    }),
  )
  const values = result.measurements[0]!
  const { sft_distinct: before, pg_distinct: narrow, pg_kl_distinct: open } = values
  const checks: [Phrase, boolean][] = [
    [
      phrase('RL keeps held-out pairs (at least SFT − 0.05)'),
      values.pg_held_out! >= values.sft_held_out! - 0.05,
    ],
    [phrase('without KL it narrows (distinct paths ≤ 0.75 × SFT)'), narrow! <= 0.75 * before!],
    [phrase('with KL it stays open (≥ 1.25 × without)'), open! >= 1.25 * narrow!],
  ]
  context.stdout.write(`${result.measured}\n`)
  for (const [what, holds] of checks) {
    context.stdout.write(`${holds ? 'ok  ' : 'FAIL'}  ${context.say(what)}\n`)
  }
  if (!checks.every(([, holds]) => holds))
    throw new KogrpoError('E_EXPERIMENT', phrase('the planning self-test failed'))
}

export const command: CommandModule<object, PlanningArguments> = {
  command: 'planning',
  describe: 'Check on a toy problem that RL narrows and is held open by the KL',
  builder: argv =>
    argv
      .usage('$0 planning\n\nTrains a tiny model to find paths in a graph; about a minute.')
      .options(sharedOptions('seed', 'threads'))
      .example('$0 planning --seed 3', '') as never,
  handler,
}
