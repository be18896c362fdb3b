/**
 * `kogrpo replay DIR`: recomputes the batch of a step that was not finite (on_nonfinite) and says where
 * the first such value arises. The work stands in lib/train/replay.ts.
 */
import type { ArgumentsCamelCase, CommandModule } from 'yargs'
import type { CliContext } from '../context.ts'
import { runInterruptibly } from '../interrupt.ts'

interface ReplayArguments {
  file: string
  context: CliContext
}

async function handler({ file, context }: ArgumentsCamelCase<ReplayArguments>): Promise<void> {
  const { readReplay, replay } = await import('../../train/replay.ts')
  const { file: saved } = await readReplay(file)
  const tokens = saved.batches.reduce((sum, batch) => sum + batch.tokens.length, 0)
  context.stdout.write(
    `${saved.stage} step ${saved.step}: the ${saved.what} was not finite. ${saved.batches.length} micro-batches of ${tokens} tokens are computed again\n`,
  )
  const findings = await runInterruptibly(
    context,
    { onInterrupt: () => undefined, message: () => context.say('stopped') },
    async signal => await replay(file, signal),
  )
  const [first, ...others] = findings
  if (!first) {
    context.stdout.write(
      'every value is finite now: with these weights and this batch the engine does not make it again\n',
    )
    return
  }
  const line = ({ where, batch, message }: (typeof findings)[number]): string =>
    `  ${where}${batch === undefined ? '' : `, micro-batch ${batch}`}: ${message}\n`
  context.stdout.write(`first:\n${line(first)}`)
  if (others.length > 0) context.stdout.write(`then:\n${others.map(line).join('')}`)
}

export const command: CommandModule<object, ReplayArguments> = {
  command: 'replay <file>',
  describe: 'Compute a batch again that gave NaN or infinity, and say where it arose',
  builder: argv =>
    argv
      .positional('file', {
        type: 'string',
        demandOption: true,
        describe: 'What the run saved: nonfinite/STAGE-STEP in its directory, or replay.json there',
      })
      .example('$0 replay runs/ko/nonfinite/grpo-12', 'as the message of the run says') as never,
  handler,
}
