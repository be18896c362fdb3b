/**
 * The questions of a benchmark in order, each with an id that is the same in every evaluation of the
 * same data: evaluations are paired by it.
 */
import type * as z from 'zod'
import { recordError } from '../data/columns.ts'
import type { SourceRecord } from '../data/readers.ts'
import { KogrpoError } from '../errors.ts'
import { joined, type Phrase, phrase } from '../messages/phrase.ts'
import type { Benchmark, Question } from './benchmarks/types.ts'
import { dataFiles, readRows } from './files.ts'

export interface Item extends Question {
  id: string
  subset: string
  source: SourceRecord
}

/** Names the columns at fault, what they hold, and a row as it should be. */
function explain(benchmark: Benchmark, { record }: SourceRecord, error: z.ZodError): Phrase {
  const problems = error.issues.slice(0, 4).map(({ path, message }) => {
    const column = String(path[0] ?? 'row')
    const value = column in record ? JSON.stringify(record[column])?.slice(0, 80) : phrase('absent')
    return phrase('column "{column}" {message} (found {value})', {
      column: path.join('.'),
      message,
      value: value ?? phrase('absent'),
    })
  })
  return phrase('is no row of {title}: {problems}; a row looks like {example}', {
    title: benchmark.title,
    problems: joined(problems, '; '),
    example: JSON.stringify(benchmark.example),
  })
}

/** Reads the questions of a split. Throws `E_DATA` naming file, line and column. */
export async function* readItems(
  benchmark: Benchmark,
  path: string,
  split: string = benchmark.split,
): AsyncGenerator<Item> {
  const seen = new Map<string, string>()
  const places = new Map<string, number>()
  for (const file of dataFiles(path, split)) {
    for await (const source of readRows(file.path)) {
      const parsed = benchmark.columns.safeParse(source.record)
      if (!parsed.success) throw recordError(source, explain(benchmark, source, parsed.error))
      const question = benchmark.question(parsed.data)
      const subset = question.subset ?? file.subset
      // Counted through the shards of a subset.
      const place = (places.get(file.subset) ?? 0) + 1
      places.set(file.subset, place)
      const id = question.id ?? (file.subset === '' ? String(place) : `${file.subset}:${place}`)
      const where = `${source.file}:${source.line}`
      const before = seen.get(id)
      if (before !== undefined) {
        throw recordError(
          source,
          phrase('question "{id}" was at {before} already; ids must be unique', { id, before }),
        )
      }
      seen.set(id, where)
      yield { ...question, id, subset, source }
    }
  }
  if (seen.size === 0)
    throw new KogrpoError('E_DATA', phrase('--data {path}: no row in its files', { path }))
}

/** `limit` questions at most of each subset, in order. */
export async function collect(items: AsyncIterable<Item>, limit = Infinity): Promise<Item[]> {
  const taken = new Map<string, number>()
  const found: Item[] = []
  for await (const item of items) {
    const count = (taken.get(item.subset) ?? 0) + 1
    taken.set(item.subset, count)
    if (count <= limit) found.push(item)
  }
  return found
}
