/** Reads the rows that an evaluation has written. */
import * as z from 'zod'
import { recordError } from '../data/columns.ts'
import { readRecords } from '../data/readers.ts'
import { phrase } from '../messages/phrase.ts'
import type { Row } from './grade.ts'

const head = {
  id: z.string(),
  subset: z.string(),
  gold: z.union([z.number(), z.string()]),
}
const grade = z.union([z.literal(0), z.literal(1)])
/** What tells such a row from another; the rest is as it was written. */
const schema = z.union([
  z.looseObject({ ...head, mode: z.literal('likelihood'), correct: grade, correct_norm: grade }),
  z.looseObject({
    ...head,
    mode: z.literal('generation'),
    correct: z.number().nullable(),
    samples: z
      .array(z.looseObject({ correct: grade.nullable(), thinking: z.looseObject({}) }))
      .min(1),
  }),
])

/** Throws `E_DATA` naming file and line. */
export async function readRowFile(file: string): Promise<Row[]> {
  const rows: Row[] = []
  for await (const source of readRecords(file)) {
    if (!schema.safeParse(source.record).success) {
      throw recordError(
        source,
        phrase('is no row of kogrpo eval; name the files that --output wrote'),
      )
    }
    rows.push(source.record as unknown as Row)
  }
  return rows
}
