/**
 * Weights & Biases, where its key is set: when a run is over, also when it was stopped, its event files
 * are handed to the program `wandb`, which reads TensorBoard's format. Only metrics leave the machine,
 * and only with the key in WANDB_API_KEY. Whatever fails is a warning: the run has its files.
 */
import { spawn } from 'node:child_process'
import { basename, join, resolve } from 'node:path'
import { failure, type Phrase, phrase } from '../messages/phrase.ts'

type Environment = Record<string, string | undefined>

/** Whether the metrics of a run are to go to Weights & Biases. */
export function wantsWandb(env: Environment): boolean {
  return (env.WANDB_API_KEY ?? '') !== '' && env.WANDB_MODE !== 'disabled'
}

/** The command that hands over the run in `directory`; WANDB_PROJECT names the project. */
export function wandbCommand(directory: string, env: Environment): [program: string, ...string[]] {
  const id = basename(resolve(directory)).replaceAll(/[^\w-]/g, '-')
  const project = env.WANDB_PROJECT || 'kogrpo'
  const events = join(directory, 'tensorboard')
  return ['wandb', 'sync', '--sync-tensorboard', '--project', project, '--id', id, events]
}

/** Hands the run over. Returns a warning with the remedy when that failed, else null. */
export async function syncWandb(directory: string, env: Environment): Promise<Phrase | null> {
  const [program, ...args] = wandbCommand(directory, env)
  const again = [program, ...args].join(' ')
  return await new Promise(done => {
    let said = ''
    const child = spawn(program, args, { env: env as NodeJS.ProcessEnv })
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', chunk => {
        said = `${said}${chunk}`.slice(-2000)
      })
    }
    child.on('error', error => {
      const missing = 'code' in error && error.code === 'ENOENT'
      const why = missing ? phrase('there is no program wandb (pip install wandb)') : failure(error)
      done(phrase('WANDB_API_KEY is set, but {why}; to send it later: {again}', { why, again }))
    })
    child.on('close', code => {
      const last = said.trim().split('\n').at(-1)!
      const ended = { code: String(code), last, again }
      done(
        code === 0
          ? null
          : phrase('wandb ended with {code}: {last}; to send it later: {again}', ended),
      )
    })
  })
}
