/** Every TypeScript reader of foreign bytes. */
import type { FuzzTarget } from './harness.ts'
import { target as completion } from './typescript/completion.ts'
import { target as config } from './typescript/config.ts'
import { target as frames } from './typescript/frames.ts'
import { target as jsonl } from './typescript/jsonl.ts'
import { target as judge } from './typescript/judge.ts'
import { target as math } from './typescript/math.ts'
import { target as parquet } from './typescript/parquet.ts'
import { target as recipe } from './typescript/recipe.ts'
import { target as report } from './typescript/report.ts'
import { target as requests } from './typescript/requests.ts'
import { target as safetensors } from './typescript/safetensors.ts'
import { target as tables } from './typescript/tables.ts'
import { target as template } from './typescript/template.ts'
import { target as tokenizer } from './typescript/tokenizer.ts'

export const TARGETS: readonly FuzzTarget[] = [
  ...[completion, config, frames, jsonl, judge, math, parquet, recipe, report, requests],
  ...[safetensors, tables, template, tokenizer],
]
