/** `kogrpo eval diversity [recipe]`: what a model can still do beside its favourite answer. */
import type { ArgumentsCamelCase, CommandModule } from 'yargs'
import { KogrpoError } from '../../errors.ts'
import { type Diversity, diversity } from '../../eval/diversity.ts'
import { phrase, type Say } from '../../messages/phrase.ts'
import { pad } from '../../report/width.ts'
import { type ProbeArguments, probeOptions, withProbe } from '../probe-options.ts'

interface DiversityArguments extends ProbeArguments {
  json?: boolean
}

function table(figures: Diversity, say: Say): string {
  const number = (value: number | null): string =>
    value === null ? say('unknown') : value.toFixed(4)
  return [
    ...Object.entries(figures.pass_at).map(([k, value]) => [`pass@${k}`, number(value)]),
    [say('distinct correct per solved prompt'), number(figures.distinct_correct)],
    [say('token entropy (nats)'), number(figures.token_entropy)],
    [say('answer entropy (nats)'), number(figures.answer_entropy)],
  ]
    .map(([name, value]) => `${pad(name!, 36, 'left')}${value}`)
    .join('\n')
}

async function handler(argv: ArgumentsCamelCase<DiversityArguments>): Promise<void> {
  const { probe, probeEntropies } = await import('../../train/probe.ts')
  await withProbe(argv, 64, async ({ session, stage, prompts, k }) => {
    if (!stage.rewards.some(({ name }) => name === 'accuracy')) {
      throw new KogrpoError(
        'E_CONFIG',
        phrase('eval diversity counts right answers: grpo.rewards needs - name: accuracy'),
      )
    }
    const probes = await probe(session, stage, prompts, k)
    const figures = diversity({
      k,
      accuracy: probes.flatMap(({ accuracy }) => accuracy ?? []),
      completions: probes.flatMap(({ rollouts }) => rollouts.map(({ text }) => text)),
      entropies: await probeEntropies(session, stage, probes),
    })
    const { context, json } = argv
    context.stdout.write(`${json ? JSON.stringify(figures) : table(figures, context.say)}\n`)
  })
}

export const command: CommandModule<object, DiversityArguments> = {
  command: 'diversity [recipe]',
  describe: 'pass@1 to pass@k, distinct right answers, entropies of a model',
  builder: argv =>
    argv
      .usage(
        '$0 diversity [recipe] --model DIR\n\n' +
          'Samples k completions of prompts of the grpo stage: pass@1, 2, 4 … k, how many different right\n' +
          'completions a solved prompt has, entropy of the tokens and of the answers. RL that raises\n' +
          'pass@1 while pass@k falls has only become narrower.',
      )
      .positional('recipe', { type: 'string', describe: 'A recipe [default: mini]' })
      .options(probeOptions)
      .option('json', { type: 'boolean', describe: 'Print the figures as JSON' })
      .example('$0 diversity my.yaml --model runs/my/rl --k 32', 'after the grpo stage') as never,
  handler,
}
