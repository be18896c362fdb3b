/**
 * `kogrpo replay DIR`: recomputes the batch of a step that was not finite (on_nonfinite) and says where
 * the first such value arises. The work stands in lib/train/replay.ts.
 */
import type { ArgumentsCamelCase, CommandModule } from 'yargs'
import { joined, type Phrase, phrase, written } from '../../messages/phrase.ts'
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
  const print = (...lines: Phrase[]): void =>
    void context.stdout.write(`${lines.map(line => context.say(line)).join('\n')}\n`)
  const { stage, step, what, batches } = saved
  print(
    phrase(
      '{stage} step {step}: the {what} was not finite. {batches} micro-batches of {tokens} tokens are computed again',
      { stage, step, what: written(what), batches: batches.length, tokens },
    ),
  )
  const findings = await runInterruptibly(
    context,
    { onInterrupt: () => undefined, message: () => phrase('stopped') },
    async signal => await replay(file, signal),
  )
  if (findings.length === 0) {
    print(
      phrase(
        'every value is finite now: with these weights and this batch the engine does not make it again',
      ),
    )
    return
  }
  const [first, ...others] = findings.map(({ where, batch, message }) => {
    const found = { where: written(where), message }
    const line =
      batch === undefined
        ? phrase('{where}: {message}', found)
        : phrase('{where}, micro-batch {batch}: {message}', { ...found, batch })
    return joined(['  ', line], '')
  })
  print(phrase('first:'), first!)
  if (others.length > 0) print(phrase('then:'), ...others)
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
