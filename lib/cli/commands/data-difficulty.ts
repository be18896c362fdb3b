/** `kogrpo data difficulty [recipe] --output FILE`: the pass rate of every prompt under a model. */
import type { ArgumentsCamelCase, CommandModule } from 'yargs'
import { presentIn } from '../../algorithms/group-statistics.ts'
import { KogrpoError } from '../../errors.ts'
import { phrase } from '../../messages/phrase.ts'
import { writeWhole } from '../../report/jsonl.ts'
import { nonEmpty } from '../options.ts'
import { requireOther, requireOutputFile } from '../output-place.ts'
import { type ProbeArguments, probeOptions, withProbe } from '../probe-options.ts'
import { requireOptions } from '../record-job.ts'

interface DifficultyArguments extends ProbeArguments {
  output: string
}

async function handler(argv: ArgumentsCamelCase<DifficultyArguments>): Promise<void> {
  requireOptions('data difficulty', argv, ['output'])
  requireOutputFile(argv.output)
  const { probe } = await import('../../train/probe.ts')
  await withProbe(argv, Number.MAX_SAFE_INTEGER, async ({ session, stage, prompts, k }) => {
    if (!stage.rewards.some(({ name }) => name === 'accuracy')) {
      throw new KogrpoError(
        'E_CONFIG',
        phrase('data difficulty counts right answers: grpo.rewards needs - name: accuracy'),
      )
    }
    requireOther(
      'output',
      argv.output,
      stage.data.map(({ path }) => path),
    )
    const probes = await probe(session, stage, prompts, k)
    let [unknown, zero, full] = [0, 0, 0]
    const rows = probes.map(({ prompt, accuracy }) => {
      const verdicts = presentIn(accuracy!)
      const pass_rate =
        verdicts.length === 0 ? null : verdicts.filter(value => value >= 1).length / verdicts.length
      if (pass_rate === null) unknown++
      if (pass_rate === 0) zero++
      if (pass_rate === 1) full++
      return { prompt: prompt.messages, ...prompt.extra, pass_rate, pass_rate_samples: k }
    })
    writeWhole(argv.output, rows)
    const { context, output } = argv
    const done = phrase(
      '{count} prompts in {output}: {zero} never solved in {k} attempts, {full} always{none}',
      {
        ...{ count: rows.length, output, zero, k, full },
        none: unknown === 0 ? '' : phrase(', {unknown} without a verdict', { unknown }),
      },
    )
    context.stdout.write(`${context.say(done)}\n`)
  })
}

export const command: CommandModule<object, DifficultyArguments> = {
  command: 'difficulty [recipe]',
  describe: 'Measure how often a model solves each prompt, for a curriculum',
  builder: argv =>
    argv
      .usage(
        '$0 difficulty [recipe] --model DIR --output FILE.jsonl\n\n' +
          'Samples k completions of every prompt of the grpo stage and writes the prompts with a column\n' +
          'pass_rate, which grpo.curriculum orders by and drop_zero_pass looks at.',
      )
      .positional('recipe', { type: 'string', describe: 'A recipe [default: mini]' })
      .options(probeOptions)
      .option('limit', {
        ...probeOptions.limit,
        describe: 'Prompts, spread evenly over the data [default: all]',
      })
      .option('output', {
        type: 'string',
        requiresArg: true,
        describe: 'JSONL file to write [required]',
        coerce: nonEmpty('output'),
      })
      .example(
        '$0 difficulty my.yaml --model runs/my/sft --k 8 --output data/rated.jsonl',
        '',
      ) as never,
  handler,
}
