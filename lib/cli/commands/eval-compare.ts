/** `kogrpo eval compare`: evaluations of several checkpoints on the same questions, on one table. */
import { basename } from 'node:path'
import type { ArgumentsCamelCase, CommandModule } from 'yargs'
import { compareRows } from '../../eval/comparison.ts'
import { readRowFile } from '../../eval/row-file.ts'
import { summarizeRows } from '../../eval/summary.ts'
import { writeJson } from '../../report/run-directory.ts'
import type { CliContext } from '../context.ts'
import { comparisonTable } from '../eval-table.ts'
import { nonEmpty } from '../options.ts'
import { requireOther } from '../output-place.ts'

interface CompareArguments {
  rows: string[]
  output?: string
  context: CliContext
}

async function handler({
  rows,
  output,
  context,
}: ArgumentsCamelCase<CompareArguments>): Promise<void> {
  if (output !== undefined) requireOther('output', output, rows)
  const evaluations = await Promise.all(
    rows.map(async file => ({ file, rows: await readRowFile(file) })),
  )
  const first = evaluations[0]!
  const compared = evaluations.map(({ file, rows }, i) => ({
    name: basename(file, '.jsonl'),
    file,
    summary: summarizeRows(rows),
    comparison: i === 0 ? null : compareRows(first.rows, rows),
  }))
  const differences = compared.flatMap(({ comparison }) => comparison ?? [])
  const lines = comparisonTable(compared, context.say)
  if (differences.length > 0) {
    lines.push(
      '',
      context.say(
        'Differences are to {first}, paired by question: points, 95 % bootstrap interval, questions gained and\nlost, exact sign test. "Within the noise": the interval holds 0 or p is 0.05 or more.',
        { first: compared[0]!.name },
      ),
    )
  }
  if (differences.length > 1) {
    lines.push(
      context.say('p is not corrected for {count} comparisons.', { count: differences.length }),
    )
  }
  context.stdout.write(`${lines.join('\n')}\n`)
  if (output !== undefined) writeJson(output, compared)
}

export const command: CommandModule<object, CompareArguments> = {
  command: 'compare <rows..>',
  describe: 'Put evaluations of several checkpoints on one table',
  builder: argv =>
    argv
      .usage(
        '$0 compare base.jsonl sft.jsonl rl.jsonl\n\n' +
          'Compares files that kogrpo eval wrote (--output) with the first of them, question by\n' +
          'question. A difference that chance alone would make is called so.',
      )
      .positional('rows', {
        type: 'string',
        array: true,
        demandOption: true,
        describe: 'Files of rows, of the same benchmark and data',
      })
      .option('output', {
        type: 'string',
        requiresArg: true,
        describe: 'JSON file to write as well',
        coerce: nonEmpty('output'),
      })
      .example(
        '$0 compare base.jsonl sft.jsonl rl.jsonl --output table.json',
        'three checkpoints',
      ) as never,
  handler,
}
