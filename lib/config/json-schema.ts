/** The JSON schema of a recipe file (draft 2020-12), for completion and checks in editors. */
import * as z from 'zod'
import { recipeSchema } from './schema.ts'

/** What a recipe file may hold: keys with defaults are optional. */
export function recipeJsonSchema(): Record<string, unknown> {
  return { title: 'kogrpo recipe', ...z.toJSONSchema(recipeSchema, { io: 'input' }) }
}
