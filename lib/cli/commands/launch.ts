/**
 * `kogrpo launch --nproc-per-node N [--nnodes …] train recipe …`: the ranks of this machine. All of
 * the launching stands in lib/launch.
 */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ArgumentsCamelCase, CommandModule } from 'yargs'
import { phrase } from '../../messages/phrase.ts'
import type { CliContext } from '../context.ts'
import { LaunchFailed, UsageError } from '../errors.ts'
import { nonEmpty } from '../options.ts'

interface LaunchArguments {
  nprocPerNode: number
  nnodes: number
  nodeRank: number
  rdzvEndpoint?: string
  maxRestarts: number
  logDir?: string
  /** Added by main.ts: the command of the ranks, and the process. */
  ranks: string[]
  context: CliContext
}

/** What comes from the word "train" on is for the ranks. */
export function prepare(args: readonly string[]): {
  args: string[]
  extra: Record<string, unknown>
} {
  const at = args.indexOf('train')
  if (at < 0) return { args: [...args], extra: { ranks: [] } }
  return { args: args.slice(0, at), extra: { ranks: args.slice(at) } }
}

/** The value of an option of the ranks' command, in either spelling. */
function optionOf(words: readonly string[], name: string): string | undefined {
  const at = words.indexOf(name)
  if (at >= 0) return words[at + 1]
  return words.find(word => word.startsWith(`${name}=`))?.slice(name.length + 1)
}

const hasState = (directory: string): boolean => {
  const checkpoints = join(directory, 'checkpoints')
  return existsSync(checkpoints) && readdirSync(checkpoints).some(n => n.startsWith('state-'))
}

function whole(name: string, least: number) {
  return (value: number): number => {
    if (Number.isSafeInteger(value) && value >= least) return value
    throw new UsageError(
      phrase('--{name} must be a whole number of at least {least}', { name, least }),
    )
  }
}

async function handler(argv: ArgumentsCamelCase<LaunchArguments>): Promise<void> {
  const { context, ranks, nnodes, nodeRank } = argv
  if (ranks.length === 0) {
    throw new UsageError(
      phrase(
        'kogrpo launch starts ranks of a training: kogrpo launch --nproc-per-node 4 train recipe.yaml',
      ),
    )
  }
  if (nnodes > 1 && argv.rdzvEndpoint === undefined) {
    throw new UsageError(phrase('--nnodes needs --rdzv-endpoint host:port, an address of node 0'))
  }
  if (nodeRank >= nnodes)
    throw new UsageError(phrase('--node-rank must be below --nnodes {nnodes}', { nnodes }))
  const resume = optionOf(ranks, '--resume')
  const directory = resume ?? optionOf(ranks, '--output-dir')
  if (argv.maxRestarts > 0 && directory === undefined) {
    throw new UsageError(
      phrase(
        '--max-restarts takes the run up from its directory: give train an --output-dir (and a recipe with save_steps)',
      ),
    )
  }
  const { Launcher, parseEndpoint } = await import('../../launch/launch.ts')
  const stamp = new Date().toISOString().replaceAll(/[:.]/g, '-').slice(0, 19)
  const width = String(nnodes * argv.nprocPerNode - 1).length
  const launcher = new Launcher({
    nprocPerNode: argv.nprocPerNode,
    nnodes,
    nodeRank,
    endpoint: argv.rdzvEndpoint === undefined ? null : parseEndpoint(argv.rdzvEndpoint),
    maxRestarts: argv.maxRestarts,
    logDirectory: argv.logDir ?? join('launch-logs', stamp),
    program: [process.execPath, fileURLToPath(new URL('../main.js', import.meta.url))],
    argumentsOf: attempt => {
      if (attempt === 0 || resume !== undefined) return ranks
      if (hasState(directory!)) return ['train', '--output-dir', directory!, '--resume', 'auto']
      return [...ranks, ...(ranks.includes('--overwrite') ? [] : ['--overwrite'])]
    },
    env: context.env,
    print: (rank, line) => {
      const text = typeof line === 'string' ? line : context.say(line)
      if (rank === null) context.stderr.write(`kogrpo launch: ${text}\n`)
      else context.stdout.write(`[${String(rank).padStart(width)}] ${text}`.trimEnd().concat('\n'))
    },
  })
  const pass = (signal: NodeJS.Signals): void => launcher.signal(signal)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) context.signals.on(signal, pass)
  try {
    const code = await launcher.run()
    if (code !== 0) throw new LaunchFailed(code)
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) context.signals.off(signal, pass)
  }
}

export const command: CommandModule<object, LaunchArguments> = {
  command: 'launch',
  describe: 'Start the ranks of a training on this machine, or its part of several machines',
  builder: argv =>
    argv
      .usage('$0 --nproc-per-node N [options] train [recipe] [--dotted.key value …]')
      .option('nproc-per-node', {
        type: 'number',
        demandOption: true,
        describe: 'Ranks on this machine',
        coerce: whole('nproc-per-node', 1),
      })
      .option('nnodes', {
        type: 'number',
        default: 1,
        describe: 'Machines',
        coerce: whole('nnodes', 1),
      })
      .option('node-rank', {
        type: 'number',
        default: 0,
        describe: 'Which of them this is, from 0',
        coerce: whole('node-rank', 0),
      })
      .option('rdzv-endpoint', {
        type: 'string',
        describe: 'host:port where node 0 serves the rendezvous store',
        coerce: nonEmpty('rdzv-endpoint'),
      })
      .option('max-restarts', {
        type: 'number',
        default: 0,
        describe: 'Start again from the last saved state after a failure, this often',
        coerce: whole('max-restarts', 0),
      })
      .option('log-dir', {
        type: 'string',
        describe: 'Where rank-<rank>.log are written [default: launch-logs/<date>]',
        coerce: nonEmpty('log-dir'),
      })
      .example('$0 launch --nproc-per-node 4 train my.yaml', 'four ranks here') as never,
  handler,
}
