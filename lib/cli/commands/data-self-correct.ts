/** `kogrpo data self-correct INPUT --output FILE`: Korean self-correction samples of wrong attempts. */
import type { ArgumentsCamelCase, CommandModule } from 'yargs'
import {
  type Attempt,
  attemptOf,
  CompletionPairs,
  type CorrectionForm,
  isCompletionRow,
  isRefusal,
  type ReasoningLanguage,
  type Refusal,
  selfCorrection,
} from '../../corpus/self-correct.ts'
import { readRecords } from '../../data/readers.ts'
import { KogrpoError } from '../../errors.ts'
import { joined, phrase } from '../../messages/phrase.ts'
import { writeWhole } from '../../report/jsonl.ts'
import type { CliContext } from '../context.ts'
import { nonEmpty, oneOf, wholeNumber } from '../options.ts'
import { requireOther } from '../output-place.ts'
import { requireOptions } from '../record-job.ts'
import { countsOf } from '../rule-names.ts'

interface SelfCorrectArguments {
  input: string
  output: string
  reasoningLanguage?: ReasoningLanguage
  form?: CorrectionForm
  perPrompt?: number
  context: CliContext
}

async function handler(argv: ArgumentsCamelCase<SelfCorrectArguments>): Promise<void> {
  requireOptions('data self-correct', argv, ['output'])
  const { input, output, context } = argv
  requireOther('output', output, [input])
  const attempts: Attempt[] = []
  const pairs = new CompletionPairs()
  for await (const source of readRecords(input)) {
    if (isCompletionRow(source)) pairs.add(source)
    else attempts.push(attemptOf(source))
  }
  attempts.push(...pairs.attempts(argv.perPrompt ?? 2))
  const counts = new Map<Refusal, number>()
  const rows: object[] = []
  const options = {
    reasoningLanguage: argv.reasoningLanguage ?? 'ko',
    form: argv.form ?? 'dialogue',
  } as const
  for (const attempt of attempts) {
    const made = selfCorrection(attempt, options)
    if (isRefusal(made)) counts.set(made, (counts.get(made) ?? 0) + 1)
    else rows.push(made)
  }
  const refused = countsOf(counts)
  if (rows.length === 0) {
    throw new KogrpoError(
      'E_DATA',
      phrase(
        '{input}: no sample could be made of {length} wrong attempts{why}; a correction needs a right solution of the same question',
        { input, length: attempts.length, why: refused ? joined([' (', refused, ')'], '') : '' },
      ),
    )
  }
  writeWhole(output, rows)
  const done = [
    phrase('{count} samples in {output}', { count: rows.length, output }),
    ...(refused ? [phrase('; left out: {refused}', { refused })] : []),
  ]
  context.stdout.write(`${context.say(joined(done, ''))}\n`)
}

export const command: CommandModule<object, SelfCorrectArguments> = {
  command: 'self-correct <input>',
  describe: 'Make Korean self-correction samples of wrong attempts',
  builder: argv =>
    argv
      .usage(
        '$0 self-correct <input> --output FILE.jsonl\n\n' +
          "INPUT holds records with question, attempt, answer, solution (and verdict, solution_en), or is a run's\n" +
          'completions.jsonl, in which wrong and right completions of one prompt are paired.',
      )
      .positional('input', { type: 'string', demandOption: true, describe: 'A data file' })
      .options({
        output: {
          type: 'string',
          requiresArg: true,
          describe: 'JSONL file to write [required]',
          coerce: nonEmpty('output'),
        },
        'reasoning-language': {
          type: 'string',
          requiresArg: true,
          describe:
            'Of the correction: ko; en or mixed (changing at every step) need solution_en [default: ko]',
          coerce: oneOf('reasoning-language', ['ko', 'en', 'mixed']),
        },
        form: {
          type: 'string',
          requiresArg: true,
          describe:
            'dialogue: the attempt is context; thinking: attempt and correction in one thinking [default: dialogue]',
          coerce: oneOf('form', ['dialogue', 'thinking']),
        },
        'per-prompt': {
          type: 'string',
          requiresArg: true,
          describe: 'completions.jsonl: wrong attempts of a prompt at most [default: 2]',
          coerce: wholeNumber('per-prompt', 1),
        },
      })
      .example(
        '$0 self-correct runs/my/completions.jsonl --output data/corrections.jsonl',
        '',
      ) as never,
  handler,
}
