/** `kogrpo report DIR …`: the report page of a run, of several side by side, or live. */
import { writeFileSync } from 'node:fs'
import type { ArgumentsCamelCase, CommandModule } from 'yargs'
import { KogrpoError } from '../../errors.ts'
import { failure, phrase } from '../../messages/phrase.ts'
import { reportPage } from '../../report/page/page.ts'
import { PAGE_COMPLETIONS } from '../../report/page/report-writer.ts'
import { readRun, reportPath } from '../../report/page/run-data.ts'
import { watchRuns } from '../../report/page/watch.ts'
import type { CliContext } from '../context.ts'
import { UsageError } from '../errors.ts'
import { runInterruptibly } from '../interrupt.ts'
import { nonEmpty, wholeNumber } from '../options.ts'

interface ReportArguments {
  runs: string[]
  output?: string
  completions?: number
  watch?: boolean
  port?: number
  context: CliContext
}

async function handler(argv: ArgumentsCamelCase<ReportArguments>): Promise<void> {
  const { context, runs: paths } = argv
  const maxCompletions = argv.completions ?? PAGE_COMPLETIONS
  if (argv.watch) return watch(argv, paths, maxCompletions)
  if (argv.port !== undefined) throw new UsageError(phrase('--port: goes with --watch'))
  const output = argv.output ?? (paths.length === 1 ? reportPath(paths[0]!) : undefined)
  if (output === undefined) {
    throw new UsageError(
      phrase('--output: name the file that the comparison of several runs is written to'),
    )
  }
  const runs = []
  for (const path of paths) runs.push(await readRun(path, maxCompletions))
  try {
    writeFileSync(output, reportPage(runs, { language: context.language }))
  } catch (cause) {
    throw new KogrpoError(
      'E_REPORT',
      phrase('cannot write {output}: {reason}', { output, reason: failure(cause) }),
      { cause },
    )
  }
  context.stdout.write(`${output}\n`)
}

async function watch(
  argv: ReportArguments,
  paths: string[],
  maxCompletions: number,
): Promise<void> {
  const { context } = argv
  if (argv.output !== undefined) throw new UsageError(phrase('--output: does not go with --watch'))
  for (const path of paths) await readRun(path, 0)
  await runInterruptibly(
    context,
    { onInterrupt: () => {}, message: () => phrase('stopped') },
    signal =>
      watchRuns(paths, {
        port: argv.port ?? 0,
        maxCompletions,
        language: context.language,
        signal,
        onListening: address =>
          context.stdout.write(`${context.say('{address}  (Ctrl-C stops it)', { address })}\n`),
      }),
  )
}

export const command: CommandModule<object, ReportArguments> = {
  command: 'report <runs..>',
  describe: 'Make the report page of a run, compare runs, or watch one',
  builder: argv =>
    argv
      .usage(
        '$0 report <runs..>\n\nWrites DIR/report.html: curves, completions, time and memory in one file that needs no network.',
      )
      .positional('runs', {
        type: 'string',
        array: true,
        demandOption: true,
        describe: 'Run directories',
      })
      .option('output', {
        type: 'string',
        requiresArg: true,
        describe: 'File to write (one run: DIR/report.html)',
        coerce: nonEmpty('output'),
      })
      .option('completions', {
        type: 'string',
        requiresArg: true,
        describe: `Completions to keep of each run, evenly from all of them [default: ${PAGE_COMPLETIONS}]`,
        coerce: wholeNumber('completions', 0),
      })
      .option('watch', {
        type: 'boolean',
        describe: 'Serve the page on 127.0.0.1 and keep it up to date while the run goes on',
      })
      .option('port', {
        type: 'string',
        requiresArg: true,
        describe: 'Port of --watch [default: one that is free]',
        coerce: wholeNumber('port', 1, 65_535),
      })
      .example('$0 report runs/mini-20260101-120000', 'one run')
      .example('$0 report runs/a runs/b --output compared.html', 'two runs side by side')
      .example('$0 report runs/mini-20260101-120000 --watch', 'while it runs') as never,
  handler,
}
