/**
 * What of the host a Python program needs to see: the interpreter, its standard library, and the shared
 * libraries that these are linked with. Everything else stays outside.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'

export interface PythonFiles {
  executable: string
  /** Paths to bind, each at its own place. */
  paths: string[]
}

function output(command: string, args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' })
  if (status === 0) return stdout
  throw new KogrpoError(
    'E_SANDBOX',
    phrase('{command} does not run ({problem}); the code reward needs python3 and ldd', {
      command,
      problem: error?.message ?? stderr.trim(),
    }),
  )
}

/** Debian's, which every user can read, before one of a home directory. */
const SYSTEM_PYTHON = '/usr/bin/python3'

/** Asks python3 itself, once. Errors: `E_SANDBOX`. */
export function pythonFiles(): PythonFiles {
  const python = existsSync(SYSTEM_PYTHON) ? SYSTEM_PYTHON : 'python3'
  const script =
    'import sys, sysconfig; print(sys.executable); print(sysconfig.get_path("stdlib")); print(sysconfig.get_path("platstdlib"))'
  const [executable, ...libraries] = output(python, ['-I', '-S', '-c', script]).trim().split('\n')
  const real = realpathSync(executable!)
  const extensions = [...new Set(libraries)].flatMap(directory => {
    const modules = join(directory, 'lib-dynload')
    try {
      return readdirSync(modules).map(name => join(modules, name))
    } catch {
      return []
    }
  })
  const linked = output('ldd', [real, ...extensions.filter(name => name.endsWith('.so'))])
  const shared = [...linked.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(match => match[1]!)
  return { executable: real, paths: [...new Set([real, ...libraries, ...shared])] }
}
