/** `kogrpo data commonsense`: generated questions of Korean commonsense, for `kogrpo eval` or training. */
import type { ArgumentsCamelCase, CommandModule } from 'yargs'
import { generateCommonsense } from '../../eval/commonsense/generate.ts'
import { phrase } from '../../messages/phrase.ts'
import { writeWhole } from '../../report/jsonl.ts'
import type { CliContext } from '../context.ts'
import { nonEmpty, sharedOptions, wholeNumber } from '../options.ts'
import { requireOptions } from '../record-job.ts'

interface CommonsenseArguments {
  output: string
  count?: number
  seed?: number
  context: CliContext
}

async function handler(argv: ArgumentsCamelCase<CommonsenseArguments>): Promise<void> {
  requireOptions('data commonsense', argv, ['output'])
  const questions = generateCommonsense(argv.count ?? 600, argv.seed ?? 0)
  writeWhole(argv.output, questions)
  const { context, output } = argv
  const done = phrase('{count} questions in {output}', { count: questions.length, output })
  context.stdout.write(`${context.say(done)}\n`)
}

export const command: CommandModule<object, CommonsenseArguments> = {
  command: 'commonsense',
  describe: 'Generate questions of Korean commonsense in 1 to 6 steps',
  builder: argv =>
    argv
      .usage(
        '$0 commonsense --output FILE.jsonl\n\n' +
          'Dates and holidays of both calendars, ages, animals, school and service, units of counting,\n' +
          'kinship: each with its answer and the result of every step. Never train on a seed that you\n' +
          'evaluate with. kogrpo eval --benchmark ko-commonsense says at which step a model fails.',
      )
      .options({
        output: {
          type: 'string',
          requiresArg: true,
          describe: 'JSONL file to write [required]',
          coerce: nonEmpty('output'),
        },
        count: {
          type: 'string',
          requiresArg: true,
          describe: 'Questions, of all families and levels [default: 600]',
          coerce: wholeNumber('count', 1, 20_000),
        },
        ...sharedOptions('seed'),
      })
      .example(
        '$0 commonsense --output ko.jsonl --count 600 --seed 7',
        '100 questions of each level',
      ) as never,
  handler,
}
