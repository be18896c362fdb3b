/** Where samples come from: a mixture of files and built-in sets. */
import * as z from 'zod'
import { english } from '../../messages/phrase.ts'
import { count, name, positive } from './values.ts'

/**
 * What of a record stands in which column of the file. At run time a strict object, so that a
 * mistyped name is an error; in types a plain mapping, since only written names are in it.
 */
const columns: z.ZodType<Record<string, string>, Record<string, string>> = z.strictObject(
  Object.fromEntries(
    ['messages', 'prompt', 'completion', 'reasoning', 'text', 'system', 'tools', 'answer'].map(
      key => [key, name.optional()],
    ),
  ),
) as z.ZodType as z.ZodType<Record<string, string>, Record<string, string>>

export const source = z.strictObject({
  path: z
    .string()
    .regex(/^[a-z][a-z0-9_-]*:[^/]|\.(jsonl|jsonl\.gz|parquet)$/, {
      error: english(
        'expected a built-in such as "mini:sft", or a path that ends in .jsonl, .jsonl.gz or .parquet',
      ),
    })
    .describe('a built-in set ("mini:sft"), or a .jsonl, .jsonl.gz or .parquet file'),
  weight: positive
    .default(1)
    .describe('share of this source in the mixture, relative to the others'),
  size: count.optional().describe('take only this many samples (default: all of them)'),
  columns: columns
    .optional()
    .describe('which column of the file holds what, when it is not named so itself'),
  domain: name
    .optional()
    .describe('grpo: what the source is counted under in the metrics domain/NAME/…'),
  options: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('options of a built-in set (of its generator)'),
})

export const sources = z
  .array(source)
  .min(1, { error: english('expected at least one source, e.g. - path: FILE.jsonl') })

export type Source = z.output<typeof source>
