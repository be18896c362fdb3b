/**
 * Comma- and tab-separated files with a header line (RFC 4180): quoted fields may hold separators,
 * doubled quotes and line ends. Errors name file, line and column.
 */
import { readFile } from 'node:fs/promises'
import type { SourceRecord } from '../data/readers.ts'
import { KogrpoError } from '../errors.ts'
import { failure, joined, type Phrase, phrase } from '../messages/phrase.ts'

interface Line {
  cells: string[]
  line: number
}

function fail(file: string, line: number, problem: Phrase): never {
  throw new KogrpoError('E_DATA', joined([`${file}:${line}`, problem], ': '))
}

function* parseLines(text: string, separator: string, file: string): Generator<Line> {
  let [cells, cell, line, start, at]: [string[], string, number, number, number] = [[], '', 1, 1, 0]
  let quoted = false
  const begun = (): boolean => cells.length > 0 || cell !== '' || quoted
  while (at < text.length) {
    const char = text[at]!
    if (char === '"' && cell === '' && !quoted) {
      quoted = true
      for (;;) {
        const end = text.indexOf('"', at + 1)
        if (end < 0)
          fail(
            file,
            line,
            phrase('column {column}: the quotation is never closed', { column: cells.length + 1 }),
          )
        const part = text.slice(at + 1, end)
        cell += part
        line += part.split('\n').length - 1
        at = end
        if (text[end + 1] !== '"') break
        cell += '"'
        at++
      }
      at++
      const next = text[at]
      if (next !== undefined && next !== separator && next !== '\n' && next !== '\r')
        fail(
          file,
          line,
          phrase('column {column}: text behind the closing quotation mark', {
            column: cells.length + 1,
          }),
        )
    } else if (char === separator) {
      cells.push(cell)
      cell = ''
      quoted = false
      at++
    } else if (char === '\n' || char === '\r') {
      at += char === '\r' && text[at + 1] === '\n' ? 2 : 1
      if (begun()) yield { cells: [...cells, cell], line: start }
      line++
      start = line
      cells = []
      cell = ''
      quoted = false
    } else {
      cell += char
      at++
    }
  }
  if (begun()) yield { cells: [...cells, cell], line: start }
}

/** The rows of a .csv or .tsv file, every value a text. Throws `E_DATA` with file and line. */
export async function* readCsv(file: string): AsyncGenerator<SourceRecord> {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file))
  } catch (error) {
    throw new KogrpoError(
      'E_DATA',
      phrase('{file}: cannot be read as UTF-8: {reason}', { file, reason: failure(error) }),
      {
        cause: error,
      },
    )
  }
  let header: string[] | undefined
  for (const { cells, line } of parseLines(text, file.endsWith('.tsv') ? '\t' : ',', file)) {
    if (header === undefined) {
      const twice = cells.find((name, i) => cells.indexOf(name) < i)
      if (twice !== undefined) {
        fail(file, line, phrase('two columns are called "{name}"', { name: twice }))
      }
      header = cells
      continue
    }
    if (cells.length !== header.length) {
      fail(
        file,
        line,
        phrase('{count} columns, but the header has {expected}', {
          count: cells.length,
          expected: header.length,
        }),
      )
    }
    yield { record: Object.fromEntries(header.map((name, i) => [name, cells[i]])), file, line }
  }
}
