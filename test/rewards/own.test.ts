/** Reward functions of the user's own: loaded once, held to the contract of all, refused by name. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { parseRecipe } from '../../lib/config/load.ts'
import { loadOwnRewards } from '../../lib/rewards/own.ts'
import { runRewards } from '../../lib/rewards/run.ts'

const directory = mkdtempSync(join(tmpdir(), 'kogrpo-own-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

function file(name: string, text: string): string {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}

const input = {
  prompts: [[{ role: 'user', content: '1+1?' }], [{ role: 'user', content: '1+1?' }]],
  completions: ['<think>둘</think>2', '<think>둘</think>2입니다'],
  completionIds: [Int32Array.of(1), Int32Array.of(1, 2)],
  truncated: [false, true],
  columns: { answer: ['2', '2'] },
}

/** The function of the guide. */
const BRIEF = `export default ({ prompts, completions, completionIds, truncated, columns }, { limit = 200 }) =>
  completions.map((text, i) => {
    if (truncated[i]) return null
    const answer = text.split('</think>').at(-1).trim()
    return Math.max(-1, Math.min(0, 1 - answer.length / limit))
  })
`

test("the guide's own function, with its options", async () => {
  const path = file('brief.mjs', BRIEF)
  const load = (options?: Record<string, unknown>) =>
    loadOwnRewards([{ name: 'brief', path, weight: 0.5, options }])
  const [strict] = await load({ limit: 0.5 })
  expect(strict).toMatchObject({ name: 'brief', weight: 0.5, path })
  expect(strict!.sha256).toMatch(/^[0-9a-f]{64}$/)
  expect(await runRewards([strict!], input)).toEqual([[-1, null]])
  expect(await runRewards(await load(), input)).toEqual([[0, null]])
})

test('what is no number of a sample names the function', async () => {
  const path = file('bad.mjs', 'export default async () => [1]')
  const own = await loadOwnRewards([{ name: 'bad', path, weight: 1 }])
  await expect(runRewards(own, input)).rejects.toThrow(
    "reward 'bad' returned 1 values for 2 samples; one value cannot stand for the batch",
  )
})

test.each([
  ['missing.mjs', null, 'there is no such file'],
  ['syntax.mjs', 'export default (', 'cannot be loaded: '],
  ['none.mjs', 'export const rate = () => []', 'has no function as its default export'],
])('%s is refused by its name', async (name, text, reason) => {
  const path = text === null ? join(directory, name) : file(name, text)
  const error = await loadOwnRewards([{ name: 'own', path, weight: 1 }]).catch(thrown => thrown)
  expect(error).toMatchObject({ code: 'E_CONFIG' })
  expect(error.message).toContain(`grpo.reward_functions: ${path}: ${reason}`)
})

test('a name that is taken, or no name, is refused where the recipe is loaded', () => {
  const recipe = (functions: string): string =>
    `grpo:\n  data: [{path: mini:grpo}]\n  reward_functions: ${functions}\n`
  const refusal = (functions: string): string => {
    try {
      parseRecipe(recipe(functions), 'r.yaml')
    } catch (error) {
      return (error as Error).message
    }
    return ''
  }
  expect(refusal('[{name: korean, path: a.mjs}]')).toBe(
    'r.yaml:3:29: grpo.reward_functions.0.name: "korean" is the name of another reward; choose another',
  )
  expect(refusal('[{name: a, path: a.mjs}, {name: a, path: b.mjs}]')).toContain(
    '"a" is the name of',
  )
  expect(refusal('[{name: Brief, path: a.mjs}]')).toContain('expected small letters')
  expect(refusal('[{name: a, path: a.py}]')).toContain('expected a JavaScript module (.mjs or .js)')
  expect(refusal('[{name: a, path: a.mjs}]')).toBe('')
})
