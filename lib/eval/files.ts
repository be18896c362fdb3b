/**
 * The files of a benchmark as they are published: a file, or a directory of .jsonl(.gz), .parquet,
 * .csv, .tsv and .json files in any depth. The split is a word of the path ("test-00000-of-00001.parquet",
 * "data/Law-test.csv", "test/law.jsonl"); where no file names a split, all are meant.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, join, relative, sep } from 'node:path'
import { readRecords, type SourceRecord } from '../data/readers.ts'
import { KogrpoError } from '../errors.ts'
import { parseForeignJson } from '../foreign-json.ts'
import { failure, phrase } from '../messages/phrase.ts'
import { readCsv } from './csv.ts'

const EXTENSION = /\.(?:jsonl(?:\.gz)?|parquet|csv|tsv|json)$/
/** Files that publications have beside their data. */
const OTHER = /^(?:dataset_infos?|README|package|config|state)\.json$|^\./
const SPLITS = ['train', 'validation', 'valid', 'val', 'dev', 'test']

interface DataFile {
  path: string
  /** What the path says beside split, shard and extension: "law", "boolq"; empty for nothing. */
  subset: string
  split: string | null
}

/** The words of a path below the data directory, without its extension. */
function wordsOf(path: string): string[] {
  return path
    .replace(EXTENSION, '')
    .replace(/-\d{5}-of-\d{5}/g, '')
    .split(sep)
    .flatMap(part =>
      part.split(
        /(?<=[\w)])[-_.](?=(?:train|validation|valid|val|dev|test)$)|(?<=^(?:train|validation|valid|val|dev|test))[-_.]/,
      ),
    )
}

function describe(root: string, path: string): DataFile {
  const words = wordsOf(relative(root, path) || basename(path))
  const split = words.find(word => SPLITS.includes(word)) ?? null
  const generic = new Set([...SPLITS, 'data', 'main', 'default'])
  return { path, split, subset: words.filter(word => !generic.has(word)).join('/') }
}

/** The files of one split below `path`, in order of their names. Throws `E_DATA` for none. */
export function dataFiles(path: string, split: string): DataFile[] {
  let files: DataFile[]
  try {
    const info = statSync(path)
    files = info.isDirectory()
      ? readdirSync(path, { recursive: true, encoding: 'utf8' })
          .filter(name => EXTENSION.test(name) && !OTHER.test(basename(name)))
          .sort()
          .map(name => describe(path, join(path, name)))
      : [{ path, split: null, subset: '' }]
  } catch (cause) {
    throw new KogrpoError(
      'E_DATA',
      phrase('--data {path}: cannot be read: {reason}', { path, reason: failure(cause) }),
      {
        cause,
      },
    )
  }
  if (files.length === 0) {
    throw new KogrpoError(
      'E_DATA',
      phrase('--data {path}: no .jsonl, .jsonl.gz, .parquet, .csv, .tsv or .json file in it', {
        path,
      }),
    )
  }
  const named = files.filter(file => file.split !== null)
  if (named.length === 0) return files
  const chosen = named.filter(file => file.split === split)
  if (chosen.length > 0) return chosen
  const there = [...new Set(named.map(file => file.split))].join(', ')
  throw new KogrpoError(
    'E_DATA',
    phrase(
      '--data {path}: no file of split "{split}"; there are {there} (--split chooses another)',
      { path, split, there },
    ),
  )
}

function* readJsonArray(file: string): Generator<SourceRecord> {
  let value: unknown
  try {
    value = parseForeignJson(readFileSync(file, 'utf8'))
  } catch (cause) {
    throw new KogrpoError(
      'E_DATA',
      phrase('{file}: cannot be read as JSON: {reason}', { file, reason: failure(cause) }),
      {
        cause,
      },
    )
  }
  if (!Array.isArray(value)) {
    throw new KogrpoError(
      'E_DATA',
      phrase('{file}: is no JSON array of rows; .jsonl has one object a line', { file }),
    )
  }
  for (const [i, record] of value.entries()) {
    if (typeof record !== 'object' || record === null || Array.isArray(record)) {
      throw new KogrpoError(
        'E_DATA',
        phrase('{file}: element {element} is no object', { file, element: i + 1 }),
      )
    }
    yield { record: record as Record<string, unknown>, file, line: i + 1 }
  }
}

/** The rows of one file. Throws `E_DATA` naming file and line. */
export async function* readRows(file: string): AsyncGenerator<SourceRecord> {
  if (/\.[ct]sv$/.test(file)) yield* readCsv(file)
  else if (file.endsWith('.json')) yield* readJsonArray(file)
  else yield* readRecords(file)
}
