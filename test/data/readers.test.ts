import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseJsonl, readRecords, type SourceRecord } from '../../lib/data/readers.ts'
import { KogrpoError } from '../../lib/errors.ts'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'kogrpo-read-'))
})
afterAll(() => rm(dir, { recursive: true }))

async function collect(records: AsyncIterable<SourceRecord>): Promise<SourceRecord[]> {
  const all: SourceRecord[] = []
  for await (const record of records) all.push(record)
  return all
}

async function* chunks(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

const jsonl = (bytes: Buffer | string, size = 7, maxLineBytes = 1000): Promise<SourceRecord[]> =>
  collect(parseJsonl(chunks(Buffer.from(bytes), size), 'f.jsonl', { maxLineBytes }))

describe('parseJsonl', () => {
  it('numbers lines across blank lines, CRLF, a byte-order mark and a missing last newline', async () => {
    const records = await jsonl('\ufeff{"a":"가"}\r\n\r\n  \n{"a":2}\n{"a":3}')
    expect(records.map(({ record, line }) => [record.a, line])).toEqual([
      ['가', 1],
      [2, 4],
      [3, 5],
    ])
  })

  it.each([
    ['{"a":1}\n{"a":\n', 'f.jsonl:2: the line is not valid JSON'],
    ['{"a":1}\n\n[1]\n', 'f.jsonl:3: the line is not a JSON object'],
    ['null', 'f.jsonl:1: the line is not a JSON object'],
    ['{}\n\ufeff{}', 'f.jsonl:2: the line is not valid JSON'],
    [`{"a":"${'x'.repeat(1000)}"}`, 'f.jsonl:1: the line is longer than 1000 bytes'],
  ])('names the line: %j', async (text, expected) => {
    await expect(jsonl(text)).rejects.toThrow(expected)
    await expect(jsonl(text)).rejects.toMatchObject({ code: 'E_DATA' })
  })

  it('names the line of invalid UTF-8', async () => {
    await expect(jsonl(Buffer.from([0x7b, 0x7d, 0x0a, 0x22, 0xff, 0x22]))).rejects.toThrow(
      'f.jsonl:2: the line is not valid UTF-8; convert the file (of Korean Windows: iconv -f CP949 -t UTF-8)',
    )
  })

  it('gives back any objects, however the bytes are cut (property)', async () => {
    const object = fc.dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true })
    await fc.assert(
      fc.asyncProperty(fc.array(object), fc.integer({ min: 1, max: 50 }), async (objects, size) => {
        const text = objects.map(item => `${JSON.stringify(item)}\n`).join('')
        const records = await jsonl(text, size, 1e6)
        expect(records.map(({ record }) => record)).toEqual(
          objects.map(item => JSON.parse(JSON.stringify(item))),
        )
      }),
    )
  })

  it('throws nothing but errors with a code on any bytes (property)', async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.string().map(s => Buffer.from(s)),
    )
    await fc.assert(
      fc.asyncProperty(bytes, async input => {
        try {
          await jsonl(Buffer.from(input))
        } catch (error) {
          expect(error).toBeInstanceOf(KogrpoError)
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('readRecords', () => {
  it('reads .jsonl and .jsonl.gz alike', async () => {
    const text = Array.from({ length: 5000 }, (_, i) => `{"i":${i}}\n`).join('')
    await writeFile(path.join(dir, 'a.jsonl'), text)
    await writeFile(path.join(dir, 'a.jsonl.gz'), gzipSync(text))
    for (const name of ['a.jsonl', 'a.jsonl.gz']) {
      const records = await collect(readRecords(path.join(dir, name)))
      expect(records).toHaveLength(5000)
      expect(records.at(-1)).toEqual({
        record: { i: 4999 },
        file: path.join(dir, name),
        line: 5000,
      })
    }
  })

  it('can be abandoned halfway', async () => {
    for await (const { line } of readRecords(path.join(dir, 'a.jsonl.gz'))) if (line === 2) break
  })

  it('refuses a damaged archive, a directory, a missing file and other extensions', async () => {
    const broken = gzipSync('{"a":1}\n').subarray(0, 15)
    await writeFile(path.join(dir, 'cut.jsonl.gz'), broken)
    await writeFile(path.join(dir, 'a.csv'), 'a,b')
    await writeFile(path.join(dir, 'no.parquet'), 'PAR1 not really PAR1')
    const read = (name: string) => collect(readRecords(path.join(dir, name)))
    await expect(read('cut.jsonl.gz')).rejects.toThrow(/cut\.jsonl\.gz: cannot be read/)
    await expect(read('no.parquet')).rejects.toThrow(/no\.parquet: cannot be read as Parquet/)
    await expect(read('a.csv')).rejects.toThrow(/unknown extension/)
    await expect(read('missing.jsonl')).rejects.toThrow(/missing\.jsonl: cannot be read/)
    await expect(read('.')).rejects.toThrow(/is not a file/)
  })

  it('reads Parquet by row group: text, numbers, lists of messages, nulls', async () => {
    const file = path.join(import.meta.dirname, 'fixtures/messages.parquet')
    const records = await collect(readRecords(file))
    expect(records.map(({ line }) => line)).toEqual([1, 2, 3])
    expect(records[0]?.record).toEqual({
      messages: [
        { role: 'user', content: '하나 더하기 하나?' },
        { role: 'assistant', content: '<think>\n1+1\n</think>\n\n2' },
      ],
      answer: 2,
      weight: 0.5,
      tag: null,
    })
    expect(records[2]?.record.answer).toBe(4)
  })

  it('refuses Parquet integers that a double cannot hold', async () => {
    const file = path.join(import.meta.dirname, 'fixtures/large-integer.parquet')
    await expect(collect(readRecords(file))).rejects.toThrow(
      /large-integer\.parquet:1: integer 9007199254740993 does not fit/,
    )
  })
})
