/**
 * Files that outlive a crash: written in pieces, hashed on the way, flushed to the disk, and made
 * visible by one rename whose directory is flushed too. Until that rename whatever stood under the
 * name before is untouched, so a kill, a full disk or a power failure leaves the old or the new,
 * never a mixture. Every failure names the file.
 */
import { createHash } from 'node:crypto'
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { KogrpoError } from '../errors.ts'
import { whyUnwritable } from '../file-errors.ts'
import { english, joined, phrase } from '../messages/phrase.ts'
import { shortage } from './space.ts'

/** Size and SHA-256 (hexadecimal) of a file's contents. */
export interface FileSum {
  bytes: number
  sha256: string
}

/** Bytes that are hashed and written at a time: JavaScript is not held up for longer. */
const PIECE = 4 << 20

/** What can fail with a file or a directory, in words. */
const FAILURES = {
  read: english('cannot read {path}: {reason}'),
  write: english('cannot write {path}: {reason}'),
  flush: english('cannot flush {path}: {reason}'),
  make: english('cannot make {path}: {reason}'),
  publish: english('cannot publish {path}: {reason}'),
  remove: english('cannot remove {path}: {reason}'),
} as const

/** What could not be done with `path`; on a full disk also how much is missing. */
export async function fileError(
  what: keyof typeof FAILURES,
  path: string,
  cause: unknown,
): Promise<KogrpoError> {
  const full = cause instanceof Error && 'code' in cause && cause.code === 'ENOSPC'
  const failed = phrase(FAILURES[what], { path, reason: whyUnwritable(cause) })
  return new KogrpoError(
    full ? 'E_DISK_FULL' : 'E_FILE',
    full ? joined([failed, await shortage(dirname(path))], '') : failed,
    { cause },
  )
}

/** Forces what was written to `target`, a file or a directory (its names), to the disk. */
export async function flush(target: string): Promise<void> {
  try {
    const handle = await open(target, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  } catch (cause) {
    throw await fileError('flush', target, cause)
  }
}

/** `flush` of a directory with everything in it. */
export async function flushTree(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const target = join(directory, entry.name)
    if (entry.isDirectory()) await flushTree(target)
    else await flush(target)
  }
  await flush(directory)
}

/** Makes a new file of `blocks` and forces it to the disk. Errors: `E_FILE`, `E_DISK_FULL`. */
export async function writeFlushed(path: string, blocks: readonly Uint8Array[]): Promise<FileSum> {
  const hash = createHash('sha256')
  let bytes = 0
  try {
    const handle = await open(path, 'wx')
    try {
      for (const block of blocks) {
        for (let at = 0; at < block.length; at += PIECE) {
          const piece = block.subarray(at, at + PIECE)
          hash.update(piece)
          for (let done = 0; done < piece.length; ) {
            const { bytesWritten } = await handle.write(piece, done, piece.length - done, null)
            done += bytesWritten
          }
          bytes += piece.length
        }
      }
      await handle.sync()
    } finally {
      await handle.close()
    }
  } catch (cause) {
    throw await fileError('write', path, cause)
  }
  return { bytes, sha256: hash.digest('hex') }
}

/** Size and hash of a file as it lies on the disk. Errors: `E_FILE`. */
export async function sumFile(path: string): Promise<FileSum> {
  const hash = createHash('sha256')
  let bytes = 0
  try {
    const handle = await open(path, 'r')
    try {
      const piece = Buffer.allocUnsafe(PIECE)
      for (;;) {
        const { bytesRead } = await handle.read(piece, 0, PIECE, null)
        if (bytesRead === 0) break
        hash.update(piece.subarray(0, bytesRead))
        bytes += bytesRead
      }
    } finally {
      await handle.close()
    }
  } catch (cause) {
    throw await fileError('read', path, cause)
  }
  return { bytes, sha256: hash.digest('hex') }
}

/** A new, empty directory to fill; what a killed process left under the name goes. */
export async function freshDirectory(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true })
    await mkdir(dirname(path), { recursive: true })
    // By itself: a recursive mkdir would say ENOENT where the disk is full.
    await mkdir(path)
  } catch (cause) {
    throw await fileError('make', path, cause)
  }
}

const asideOf = (target: string): string => join(dirname(target), `.${basename(target)}.old`)

/**
 * Gives the flushed directory `temporary` the name `target`, in place of what had it. Between the two
 * renames a kill leaves `target` under another name; `recoverDirectory` puts it back.
 */
export async function publishDirectory(temporary: string, target: string): Promise<void> {
  const aside = asideOf(target)
  try {
    await rm(aside, { recursive: true, force: true })
    const replaced = await rename(target, aside).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return false
        throw error
      },
    )
    try {
      await rename(temporary, target)
    } catch (error) {
      if (replaced) await rename(aside, target)
      throw error
    }
    await flush(dirname(target))
    if (replaced) await rm(aside, { recursive: true, force: true })
  } catch (cause) {
    if (cause instanceof KogrpoError) throw cause
    throw await fileError('publish', target, cause)
  }
}

/**
 * Removes a directory. One rename takes its name first: a kill in between leaves nothing under it that could
 * be taken for the whole (what it leaves, `sweepDirectory` finds). Errors: `E_FILE`; none where it is not there.
 */
export async function removeDirectory(path: string): Promise<void> {
  const gone = join(dirname(path), `.${basename(path)}.gone`)
  try {
    await rm(gone, { recursive: true, force: true })
    await rename(path, gone)
    await rm(gone, { recursive: true })
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return
    throw await fileError('remove', path, cause)
  }
}

/**
 * Clears a directory of what killed processes left of its directories: half-written ones, half-removed ones,
 * and those that were replaced (put back where their successor had not come yet). No other process may be
 * writing there. Errors: `E_FILE`.
 */
export async function sweepDirectory(parent: string): Promise<void> {
  for (const name of await readdir(parent).catch((): string[] => [])) {
    const [, target, kind] = /^\.(.+)\.(partial|gone|old)$/.exec(name) ?? []
    if (target === undefined) continue
    try {
      if (kind === 'old') await recoverDirectory(join(parent, target))
      await rm(join(parent, name), { recursive: true, force: true })
    } catch (cause) {
      throw await fileError('remove', join(parent, name), cause)
    }
  }
}

/** Undoes a `publishDirectory` that was killed between its two renames. */
async function recoverDirectory(target: string): Promise<void> {
  const names: string[] = await readdir(dirname(target)).catch(() => [])
  if (names.includes(basename(target)) || !names.includes(basename(asideOf(target)))) return
  await rename(asideOf(target), target)
}
