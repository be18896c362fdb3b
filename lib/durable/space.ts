/**
 * Room on a disk: asked for before anything is written, so that a checkpoint that cannot fit is an
 * error at once instead of a torn file later.
 */
import { statfs } from 'node:fs/promises'
import { KogrpoError } from '../errors.ts'
import { type Phrase, phrase } from '../messages/phrase.ts'

/** Names and small files beside what is counted, and what others write meanwhile. */
const MARGIN = 1 << 20

const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB', 'PB'] as const

/** Bytes for people, in powers of 1,000. */
function formatBytes(bytes: number): string {
  const power = bytes < 1000 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), UNITS.length - 1)
  return `${power === 0 ? bytes : (bytes / 1000 ** power).toFixed(1)} ${UNITS[power]}`
}

/** Bytes that this user may still write in a directory's file system; null where it does not tell. */
async function freeBytes(directory: string): Promise<number | null> {
  const info = await statfs(directory).catch(() => null)
  return info === null ? null : info.bavail * info.bsize
}

/**
 * Throws `E_DISK_FULL` unless `bytes` more fit where the existing `directory` lies; `what` is to be
 * written there.
 */
export async function requireSpace(directory: string, bytes: number, what: string): Promise<void> {
  const free = await freeBytes(directory)
  const needed = bytes + MARGIN
  if (free === null || free >= needed) return
  throw new KogrpoError(
    'E_DISK_FULL',
    phrase(
      '{directory}: {what} needs {needed}, {free} are free: {missing} are missing. Nothing was written, and earlier checkpoints are whole; make room, or choose another --output-dir',
      {
        directory,
        what,
        needed: formatBytes(needed),
        free: formatBytes(free),
        missing: formatBytes(needed - free),
      },
    ),
  )
}

/** For the message of a write that found the disk full. */
export async function shortage(directory: string): Promise<string | Phrase> {
  const free = await freeBytes(directory)
  if (free === null) return ''
  return phrase(' ({free} are free in {directory})', { free: formatBytes(free), directory })
}
