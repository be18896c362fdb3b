/**
 * SHA256SUMS: the hashes of a directory's files in the form of coreutils, so that
 * `sha256sum -c SHA256SUMS` checks a checkpoint without kogrpo. The list names every file, so no
 * change of a byte anywhere, the list included, leaves a directory that verifies.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { KogrpoError } from '../errors.ts'
import { type Phrase, phrase } from '../messages/phrase.ts'
import { type FileSum, fileError, sumFile, writeFlushed } from './files.ts'

const SUMS_FILE = 'SHA256SUMS'

const LINE = /^([0-9a-f]{64}) {2}([\w.-]+)$/

/** Writes the list of a directory's files and forces it to the disk. */
export async function writeSums(
  directory: string,
  sums: Readonly<Record<string, FileSum>>,
): Promise<void> {
  const lines = Object.entries(sums).map(([name, { sha256 }]) => `${sha256}  ${name}\n`)
  await writeFlushed(join(directory, SUMS_FILE), [Buffer.from(lines.join(''))])
}

/** The hashes that a directory's list has. Throws `E_CHECKPOINT` naming the file. */
export async function readSums(directory: string): Promise<Map<string, string>> {
  const path = join(directory, SUMS_FILE)
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw await fileError('read', path, cause)
  }
  const sums = new Map<string, string>()
  const lines = text.split('\n')
  if (lines.pop() !== '') throw damaged(path, phrase('its last line is cut off'))
  for (const [i, line] of lines.entries()) {
    const match = LINE.exec(line)
    if (!match)
      throw damaged(path, phrase('line {line} is not "<sha-256>  <file>"', { line: i + 1 }))
    sums.set(match[2]!, match[1]!)
  }
  return sums
}

/**
 * Checks that a directory holds exactly `names` beside its list, and `checked` of them byte for byte
 * (default: all). Returns the bytes read. Throws `E_CHECKPOINT` naming the file at fault.
 */
export async function verifySums(
  directory: string,
  names: readonly string[],
  checked: readonly string[] = names,
): Promise<number> {
  const sums = await readSums(directory)
  const list = join(directory, SUMS_FILE)
  for (const name of names) {
    if (!sums.has(name)) throw damaged(list, phrase('it does not list {name}', { name }))
  }
  for (const name of sums.keys()) {
    if (!names.includes(name))
      throw damaged(list, phrase('it lists {name}, which is no part of it', { name }))
  }
  const there: string[] = await readdir(directory).catch(() => [])
  for (const name of names) {
    if (!there.includes(name)) throw damaged(join(directory, name), phrase('it is missing'))
  }
  let bytes = 0
  for (const name of checked) {
    const path = join(directory, name)
    const sum = await sumFile(path)
    if (sum.sha256 !== sums.get(name)) {
      throw damaged(
        path,
        phrase('its {bytes} bytes have the SHA-256 {found}…, {list} says {listed}…', {
          bytes: sum.bytes,
          found: sum.sha256.slice(0, 12),
          list,
          listed: sums.get(name)!.slice(0, 12),
        }),
      )
    }
    bytes += sum.bytes
  }
  return bytes
}

function damaged(path: string, why: Phrase): KogrpoError {
  return new KogrpoError('E_CHECKPOINT', phrase('{path} is damaged: {why}', { path, why }))
}
