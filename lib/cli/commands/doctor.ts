/** `kogrpo doctor`: what this machine can run, and why not the rest. Exit code 1: training cannot. */
import type { ArgumentsCamelCase, CommandModule } from 'yargs'
import { KogrpoError } from '../../errors.ts'
import { phrase, type Say } from '../../messages/phrase.ts'
import { pad } from '../../report/width.ts'
import type { CliContext } from '../context.ts'
import { allChecks, type Check } from '../doctor-checks.ts'

interface DoctorArguments {
  json?: boolean
  context: CliContext
}

function lines(checks: readonly Check[], say: Say): string {
  const width = Math.max(...checks.map(({ name }) => name.length))
  return checks
    .flatMap(({ name, status, message, remedy }) => [
      `${pad(status, 4, 'left')}  ${pad(name, width, 'left')}  ${say(message)}`,
      ...(remedy === undefined ? [] : [`${' '.repeat(width + 8)}→ ${say(remedy)}`]),
    ])
    .map(line => `${line}\n`)
    .join('')
}

async function handler({ json, context }: ArgumentsCamelCase<DoctorArguments>): Promise<void> {
  const checks = await allChecks()
  const failed = checks.filter(({ status }) => status === 'fail').map(({ name }) => name)
  const report = { ok: failed.length === 0, checks }
  context.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : lines(checks, context.say))
  if (failed.length > 0) {
    throw new KogrpoError(
      'E_DOCTOR',
      phrase('training cannot run here; see {failed} above', { failed: failed.join(', ') }),
    )
  }
  if (!json) context.stdout.write(`${context.say('Training can run here.')}\n`)
}

export const command: CommandModule<object, DoctorArguments> = {
  command: 'doctor',
  describe: 'Say what this machine can run, and why not the rest',
  builder: argv =>
    argv
      .usage('$0 doctor [--json]\n\nSays what this machine can run, and why not the rest.')
      .option('json', { type: 'boolean', describe: 'Print JSON, for programs' })
      .example('$0 doctor', 'a line a check, with the remedy where one is needed') as never,
  handler,
}
