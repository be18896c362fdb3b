/** Every TypeScript reader of foreign bytes. Native ones have other names: `npm run fuzz` knows both. */
import type { FuzzTarget } from './harness.ts'
import { target as completion } from './typescript/completion.ts'
import { target as http } from './typescript/http.ts'
import { target as jsonl } from './typescript/jsonl.ts'
import { target as judge } from './typescript/judge.ts'
import { target as math } from './typescript/math.ts'
import { target as modelConfig } from './typescript/model-config.ts'
import { target as parquet } from './typescript/parquet.ts'
import { target as recipe } from './typescript/recipe.ts'
import { target as report } from './typescript/report.ts'
import { target as safetensors } from './typescript/safetensors.ts'
import { target as store } from './typescript/store.ts'
import { target as tables } from './typescript/tables.ts'
import { target as template } from './typescript/template.ts'
import { target as tokenizer } from './typescript/tokenizer.ts'

export const TARGETS: readonly FuzzTarget[] = [
  ...[completion, http, jsonl, judge, math, modelConfig, parquet, recipe, report],
  ...[safetensors, store, tables, template, tokenizer],
]
