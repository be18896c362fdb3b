/**
 * Who is at work in a place: two processes there would write into each other's files and remove each other's
 * half-written ones. A small file names the process by its machine, its number and the moment it began, so
 * that what a killed process left behind is known for what it is and taken over. On another machine nobody
 * can be seen: there the claim is taken over too, with a doubt that the caller tells.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { KogrpoError } from '../errors.ts'
import { whyUnwritable } from '../file-errors.ts'
import { type Phrase, phrase } from '../messages/phrase.ts'

/** A process, told from every other one, also from a later one of the same number. */
interface Owner {
  pid: number
  host: string
  /** Of the machine since it was started; null where the system does not tell. */
  boot: string | null
  /** When the process began, in the system's ticks; null where the system does not tell. */
  began: string | null
  /** For people. */
  since: string
}

export interface Claim {
  /** Whom this claim took over from without knowing that it has ended; null: from nobody. */
  readonly doubt: Phrase | null
  release(): void
}

function textOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}

/** When a process began; null for one that is not there, or is but a zombie, or where there is no /proc. */
function beginningOf(pid: number): string | null {
  const text = textOf(`/proc/${pid}/stat`)
  if (text === null) return null
  // Behind the name, which may hold anything: the state, and 19 fields later the start time (proc(5)).
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null)
}

function thisProcess(): Owner {
  return {
    pid: process.pid,
    host: hostname(),
    boot: textOf('/proc/sys/kernel/random/boot_id')?.trim() ?? null,
    began: beginningOf(process.pid),
    since: new Date().toISOString(),
  }
}

/** Whether the owner is still at work; null: it cannot be seen from here. */
function isAtWork(owner: Owner, here: Owner): boolean | null {
  if (owner.host !== here.host) return null
  if (owner.boot !== here.boot) return false
  if (here.began !== null) return beginningOf(owner.pid) === owner.began
  try {
    process.kill(owner.pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** The owner that a file names; null where it was cut off while it was written. */
function parseOwner(text: string | null): Owner | null {
  try {
    const owner = JSON.parse(text ?? '') as Owner
    return Number.isSafeInteger(owner.pid) && typeof owner.host === 'string' ? owner : null
  } catch {
    return null
  }
}

/** Takes away the file that held `text`. One that another process has put there meanwhile stays. */
function takeAway(file: string, text: string | null): void {
  const aside = `${file}.${process.pid}`
  try {
    renameSync(file, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  if (textOf(aside) === text) rmSync(aside)
  else renameSync(aside, file)
}

/**
 * Claims `place` for this process by the file `file` in an existing directory. Errors: `E_IN_USE` where a process
 * of this machine has claimed it, `E_FILE` where the file cannot be written.
 */
export function claim(place: string, file: string): Claim {
  const here = thisProcess()
  const text = `${JSON.stringify(here)}\n`
  let doubt: Phrase | null = null
  for (;;) {
    try {
      writeFileSync(file, text, { flag: 'wx' })
      const release = (): void => {
        if (textOf(file) === text) rmSync(file, { force: true })
      }
      return { doubt, release }
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') {
        throw new KogrpoError(
          'E_FILE',
          phrase('cannot write {path}: {reason}', { path: file, reason: whyUnwritable(cause) }),
          { cause },
        )
      }
    }
    const found = textOf(file)
    const owner = parseOwner(found)
    if (owner) {
      const { pid, host, since } = owner
      const atWork = isAtWork(owner, here)
      if (atWork) {
        throw new KogrpoError(
          'E_IN_USE',
          phrase(
            "{place} is in use: process {pid} has been at work there since {since}, and two at a time would spoil each other's files. Wait for it, or stop it first (kill {pid})",
            { place, pid, since },
          ),
        )
      }
      if (atWork === null) {
        doubt = phrase(
          '{place} was in use by process {pid} on {host} (since {since}), which never said that it ended; if it is still at work there, stop one of the two',
          { place, pid, host, since },
        )
      }
    }
    takeAway(file, found)
  }
}
