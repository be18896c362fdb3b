/**
 * `kogrpo experiments [name]`: repeats the neighbouring papers' claims at toy size and says whether
 * their gates are met; exit code 1 when one is not. `--table DIR` prints docs/neighbours.md.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ArgumentsCamelCase, CommandModule } from 'yargs'
import { KogrpoError } from '../../errors.ts'
import { joined, phrase, written } from '../../messages/phrase.ts'
import type { CliContext } from '../context.ts'
import { UsageError } from '../errors.ts'
import { runInterruptibly } from '../interrupt.ts'
import { nonEmpty, sharedOptions } from '../options.ts'

interface ExperimentsArguments {
  name?: string
  seeds?: number[]
  threads?: number
  output?: string
  table?: string
  list?: boolean
  context: CliContext
}

/** Reads `1,2,3`. */
function seedList(word: string | undefined): number[] | undefined {
  if (word === undefined) return undefined
  const seeds = word.split(',').map(part => (/^\d+$/.test(part) ? Number(part) : Number.NaN))
  if (seeds.every(seed => seed <= 0xffff_ffff) && new Set(seeds).size === seeds.length) return seeds
  throw new UsageError(
    phrase('--seeds: expected different whole numbers, e.g. 1,2,3, got "{word}"', { word }),
  )
}

async function handler(argv: ArgumentsCamelCase<ExperimentsArguments>): Promise<void> {
  const { context, name, output } = argv
  const say = (line: string): void => void context.stdout.write(`${line}\n`)
  if (argv.table !== undefined) {
    const { readResults, renderTable } = await import('../../experiments/table.ts')
    context.stdout.write(renderTable(await readResults(argv.table)))
    return
  }
  const { findExperiments } = await import('../../experiments/registry.ts')
  const { runExperiment } = await import('../../experiments/run.ts')
  const experiments = findExperiments(name)
  if (argv.list) {
    for (const { name, paper, claim, seconds } of experiments) {
      say(
        context.say('{name}  {what} (about {seconds} s)', {
          name,
          what: joined([paper, written(claim)], ': '),
          seconds,
        }),
      )
    }
    return
  }
  const failed: string[] = []
  const phases = { onInterrupt: () => {}, message: () => phrase('stopped') }
  await runInterruptibly(context, phases, async signal => {
    for (const experiment of experiments) {
      say(`${experiment.name}: ${experiment.paper}`)
      say(`  ${context.say('claim: {claim}', { claim: written(experiment.claim) })}`)
      say(`  ${context.say('gate: {gate}', { gate: written(experiment.gate) })}`)
      const result = await runExperiment(experiment, argv.seeds ?? [1, 2, 3], {
        signal,
        threads: argv.threads ?? 1,
        progress: message => context.stderr.write(`${message}\n`),
      })
      const { measured, pass, cpu_seconds } = result
      const outcome = context.say(pass ? 'pass' : 'FAIL')
      say(`  ${context.say('measured: {measured}', { measured })}`)
      say(`  ${context.say('result: {outcome} ({seconds} s)', { outcome, seconds: cpu_seconds })}`)
      if (!pass) failed.push(experiment.name)
      if (output === undefined) continue
      await mkdir(output, { recursive: true })
      const file = join(output, `${experiment.name}.json`)
      await writeFile(file, `${JSON.stringify(result, null, 2)}\n`)
    }
  })
  if (failed.length === 0) return
  throw new KogrpoError(
    'E_EXPERIMENT',
    phrase('the gate is not met by: {names}', { names: failed.join(', ') }),
  )
}

export const command: CommandModule<object, ExperimentsArguments> = {
  command: 'experiments [name]',
  describe: "Repeat the neighbouring papers' claims at toy size",
  builder: argv =>
    argv
      .usage(
        "$0 experiments [name] [options]\n\nRepeats the neighbouring papers' claims on tiny models and says whether their gates are met.",
      )
      .positional('name', { type: 'string', describe: 'One experiment [default: all of them]' })
      .option('seeds', {
        type: 'string',
        requiresArg: true,
        describe: 'Seeds, separated by commas [default: 1,2,3]',
        coerce: seedList,
      })
      .option('output', {
        type: 'string',
        requiresArg: true,
        describe: 'Directory for the results, NAME.json each',
        coerce: nonEmpty('output'),
      })
      .option('table', {
        type: 'string',
        requiresArg: true,
        describe: 'Run nothing: print the table of the results in this directory',
        coerce: nonEmpty('table'),
      })
      .option('list', { type: 'boolean', describe: 'Run nothing: say what there is' })
      .options(sharedOptions('threads'))
      .example('$0 experiments prorl-reset --seeds 1,2,3', 'one of them')
      .example('$0 experiments --table bench/neighbours', 'docs/neighbours.md') as never,
  handler,
}
