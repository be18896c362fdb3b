import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { KogrpoError } from '../lib/errors.ts'
import { whyUnreadable, whyUnwritable } from '../lib/file-errors.ts'
import { JsonLinesWriter } from '../lib/report/jsonl.ts'

const directory = mkdtempSync(join(tmpdir(), 'kogrpo-files-'))
writeFileSync(join(directory, 'train.jsonl'), '')

function why(path: string): string {
  try {
    readFileSync(path)
  } catch (error) {
    return String(whyUnreadable(path, error))
  }
  throw new Error('it could be read')
}

test('a missing file: where it was looked for, and what has nearly its name', () => {
  const path = join(directory, 'trian.jsonl')
  expect(why(path)).toBe(`there is no such file (looked at ${path}); did you mean "train.jsonl"?`)
  expect(why(join(directory, 'no', 'x'))).toBe(`there is no directory ${join(directory, 'no')}`)
  expect(why(directory)).toMatch(/^EISDIR/)
  expect(why('~/train.jsonl')).toBe(
    '"~" is the home directory to a shell alone: write the whole path',
  )
  // As macOS writes it, and as everybody types it.
  writeFileSync(join(directory, '한글.jsonl'.normalize('NFD')), '')
  expect(why(join(directory, '한글.jsonl'))).toContain('there whose letters are composed otherwise')
})

test('a full disk, as the system and as the engine say it; no permission', () => {
  const full = 'the disk is full; free some space, or write elsewhere (--output-dir, --output)'
  expect(String(whyUnwritable(new Error("cannot write 'x': No space left on device")))).toBe(full)
  expect(String(whyUnwritable(new Error('EDQUOT: quota exceeded, write')))).toBe(full)
  expect(String(whyUnwritable(new Error('EROFS: read-only file system')))).toMatch(
    /^no permission .*EROFS/,
  )
  expect(String(whyUnwritable(new Error('something else')))).toBe('something else')
})

test.skipIf(!existsSync('/dev/full'))('a line that does not fit on the disk', () => {
  const writer = new JsonLinesWriter('/dev/full')
  const message = 'cannot write /dev/full: the disk is full; free some space'
  expect(() => writer.append({ a: 1 })).toThrow(KogrpoError)
  expect(() => writer.append({ a: 1 })).toThrow(message)
  writer.close()
})
