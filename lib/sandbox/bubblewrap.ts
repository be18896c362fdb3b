/**
 * Runs programs that a model wrote in a sandbox of bubblewrap (github.com/containers/bubblewrap): no
 * network, no files of the host but the interpreter's, read-only; one small scratch directory in memory;
 * own process, user, IPC and host-name namespaces; no capabilities; a seccomp filter; limits on time,
 * memory, processes, file size and output. Where the sandbox cannot be set up the reward is refused:
 * there is no weaker form.
 */
import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import type { CodeJob, CodeResult, CodeRunner } from '../rewards/kinds/types.ts'
import { type PythonFiles, pythonFiles } from './python-files.ts'
import { seccompProgram } from './seccomp.ts'

interface SandboxLimits {
  /** Address space of a process, bytes. */
  memory: number
  processes: number
  /** The scratch directory /tmp, bytes. */
  scratch: number
  openFiles: number
}

const MIB = 2 ** 20
const DEFAULT_LIMITS: SandboxLimits = {
  memory: 512 * MIB,
  processes: 16,
  scratch: 32 * MIB,
  openFiles: 64,
}

/** What the harness may say; more than that is a flood. */
const MOST_OUTPUT = 4096
/** The user that programs run as when kogrpo runs as root, to whom the limit of processes does not apply. */
const NOBODY = '65534'
const PYTHON = new Set(['', 'python', 'python3', 'py'])
const HARNESS = new URL('../../assets/sandbox/harness.py', import.meta.url)

const REMEDY = phrase(
  'install it (Debian, Ubuntu: sudo apt-get install -y bubblewrap) and allow user namespaces (kernel.unprivileged_userns_clone=1; on Ubuntu 24.04 kernel.apparmor_restrict_unprivileged_userns=0)',
)

export class BubblewrapRunner implements CodeRunner {
  readonly #command: string[]
  readonly #filter: Buffer
  readonly #harness: Buffer
  readonly #limits: SandboxLimits
  #free = Math.max(1, availableParallelism())
  readonly #waiting: (() => void)[] = []

  /** Tries the sandbox with a trivial program. Errors: `E_SANDBOX` with the remedy. */
  constructor(limits: SandboxLimits = DEFAULT_LIMITS) {
    const filter = seccompProgram()
    if (process.platform !== 'linux' || filter === null) {
      throw new KogrpoError(
        'E_SANDBOX',
        phrase(
          "accuracy kind 'code' runs programs that the model wrote, in a sandbox that exists on Linux (x86-64, arm64) only; this is {platform}-{arch}",
          { platform: process.platform, arch: process.arch },
        ),
      )
    }
    this.#filter = filter
    this.#limits = limits
    this.#harness = readFileSync(HARNESS)
    this.#command = sandboxCommand(pythonFiles(), limits)
    this.#tryOut()
  }

  async run(job: CodeJob): Promise<CodeResult> {
    // Another language cannot pass Python's tests.
    if (!PYTHON.has(job.language)) return { passed: 0, total: 1 }
    await this.#enter()
    try {
      return await this.#execute(job)
    } finally {
      this.#leave()
    }
  }

  async #execute(job: CodeJob): Promise<CodeResult> {
    const word = randomBytes(16).toString('hex')
    const [program, ...args] = this.#command
    return await new Promise(resolve => {
      const child = spawn(program!, args, {
        stdio: ['pipe', 'pipe', 'pipe', 'pipe', 'pipe'],
        env: {},
      })
      let [said, complaint] = ['', '']
      const timer = setTimeout(() => child.kill('SIGKILL'), job.timeoutMs)
      const finish = (result: CodeResult): void => {
        clearTimeout(timer)
        resolve(result)
      }
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        said += text
        if (said.length > MOST_OUTPUT) child.kill('SIGKILL')
      })
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        if (complaint.length < MOST_OUTPUT) complaint += text
      })
      child.on('error', error => finish({ failure: `the sandbox did not start: ${error.message}` }))
      child.on('close', code => {
        // bubblewrap's own complaints: the program never began.
        if (code !== 0 && complaint.startsWith('bwrap:'))
          return finish({ failure: complaint.trim() })
        finish({ passed: said === word ? 1 : 0, total: 1 })
      })
      const give = (descriptor: number, bytes: Buffer | string): void => {
        const stream = child.stdio[descriptor] as NodeJS.WritableStream
        // A program that ended early leaves its pipe closed.
        stream.on('error', () => {})
        stream.end(bytes)
      }
      give(0, JSON.stringify({ ...this.#job(job), word }))
      give(3, this.#harness)
      give(4, this.#filter)
    })
  }

  #job({ code, tests, entryPoint, timeoutMs }: CodeJob): object {
    const { memory, processes, scratch, openFiles } = this.#limits
    const limits = {
      ...{ AS: memory, NPROC: processes, FSIZE: scratch, NOFILE: openFiles, CORE: 0 },
      CPU: Math.ceil(timeoutMs / 1000) + 1,
    }
    return { code, tests, entry_point: entryPoint, limits }
  }

  #tryOut(): void {
    const [program, ...args] = this.#command
    const job = { code: '', tests: '', entryPoint: null, language: '', timeoutMs: 10_000 }
    const directory = mkdtempSync(join(tmpdir(), 'kogrpo-sandbox-'))
    const files = [this.#harness, this.#filter].map((bytes, i) => {
      const path = join(directory, String(i))
      writeFileSync(path, bytes)
      return openSync(path, 'r')
    })
    try {
      const { stdout, stderr, error } = spawnSync(program!, args, {
        ...{ encoding: 'utf8', timeout: 20_000, env: {} },
        input: JSON.stringify({ ...this.#job(job), word: 'works' }),
        stdio: ['pipe', 'pipe', 'pipe', ...files],
      })
      if (stdout === 'works') return
      const why = error?.message ?? (stderr.trim() || stdout || 'it said nothing')
      throw new KogrpoError(
        'E_SANDBOX',
        phrase(
          "accuracy kind 'code' runs programs that the model wrote and needs the sandbox of bubblewrap, which does not work here: {why}; {remedy}",
          { why, remedy: REMEDY },
        ),
      )
    } finally {
      for (const file of files) closeSync(file)
      rmSync(directory, { recursive: true })
    }
  }

  async #enter(): Promise<void> {
    if (this.#free > 0) this.#free--
    else await new Promise<void>(resolve => this.#waiting.push(resolve))
  }

  #leave(): void {
    const next = this.#waiting.shift()
    if (next) next()
    else this.#free++
  }
}

/** bubblewrap with its arguments, the interpreter's behind them. The harness is descriptor 3, the filter 4. */
function sandboxCommand({ executable, paths }: PythonFiles, limits: SandboxLimits): string[] {
  const bind = paths.flatMap(path => ['--ro-bind', path, path])
  // The loader is found under these names on systems whose /lib is a link into /usr.
  const links = ['lib', 'lib64'].flatMap(name =>
    paths.some(path => path.startsWith(`/${name}/`)) || !existsSync(`/usr/${name}`)
      ? []
      : ['--symlink', `usr/${name}`, `/${name}`],
  )
  const sandbox = [
    'bwrap',
    ...['--unshare-all', '--die-with-parent', '--new-session', '--clearenv', '--cap-drop', 'ALL'],
    ...['--uid', NOBODY, '--gid', NOBODY, '--hostname', 'sandbox'],
    ...bind,
    ...links,
    ...['--dev-bind', '/dev/null', '/dev/null'],
    ...['--size', String(limits.scratch), '--tmpfs', '/tmp', '--chdir', '/tmp'],
    ...['--ro-bind-data', '3', '/harness.py', '--remount-ro', '/', '--seccomp', '4'],
    ...['--setenv', 'LANG', 'C.UTF-8', '--setenv', 'PYTHONHASHSEED', '0'],
    ...[executable, '-I', '-S', '-B', '/harness.py'],
  ]
  return process.getuid?.() === 0
    ? ['setpriv', '--reuid', NOBODY, '--regid', NOBODY, '--clear-groups', ...sandbox]
    : sandbox
}
