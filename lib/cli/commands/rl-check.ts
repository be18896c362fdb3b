/**
 * `kogrpo rl-check [recipe]`: whether a model is ready for the recipe's grpo stage. Exit code 1 when too
 * many groups would teach nothing.
 */
import type { ArgumentsCamelCase, CommandModule } from 'yargs'
import { KogrpoError } from '../../errors.ts'
import { describeReadiness, notReady } from '../../eval/readiness.ts'
import { phrase } from '../../messages/phrase.ts'
import { type ProbeArguments, probeOptions, withProbe } from '../probe-options.ts'
import { realNumber } from '../sampling-options.ts'

interface RlCheckArguments extends ProbeArguments {
  maxDeadGroupRate?: number
  json?: boolean
}

async function handler(argv: ArgumentsCamelCase<RlCheckArguments>): Promise<void> {
  const { probe, probedReadiness } = await import('../../train/probe.ts')
  await withProbe(argv, 64, async ({ session, stage, prompts, k }) => {
    const figures = probedReadiness(await probe(session, stage, prompts, k), k)
    const line = argv.json ? JSON.stringify(figures) : argv.context.say(describeReadiness(figures))
    argv.context.stdout.write(`${line}\n`)
    const limit = argv.maxDeadGroupRate ?? stage.readiness.max_dead_group_rate
    const problem = notReady(figures, limit)
    if (problem !== null)
      throw new KogrpoError('E_NOT_READY', phrase('not ready for RL: {problem}', { problem }))
  })
}

export const command: CommandModule<object, RlCheckArguments> = {
  command: 'rl-check [recipe]',
  describe: 'Say whether a model is ready for the grpo stage of a recipe',
  builder: argv =>
    argv
      .usage(
        '$0 rl-check [recipe] --model DIR\n\n' +
          'Samples completions of the prompts of the grpo stage as that would, and rewards them (without\n' +
          'the judge): pass@1, pass@k, the share of groups whose rewards are all equal, Korean in the\n' +
          'thinking. Fails where too many groups would teach nothing.',
      )
      .positional('recipe', { type: 'string', describe: 'A recipe [default: mini]' })
      .options(probeOptions)
      .option('max-dead-group-rate', {
        type: 'string',
        requiresArg: true,
        describe: "Limit of the share of dead groups [default: the recipe's, 0.9]",
        coerce: realNumber(
          'max-dead-group-rate',
          phrase('{from} to {to}', { from: 0, to: 1 }),
          x => x >= 0 && x <= 1,
        ),
      })
      .option('json', { type: 'boolean', describe: 'Print the figures as JSON' })
      .example('$0 rl-check my.yaml --model runs/my/sft', 'after the sft stage') as never,
  handler,
}
