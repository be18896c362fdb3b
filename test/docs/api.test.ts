/** The API reference is made from the types without a warning, and has every export of the library. */
import { expect, test } from 'vitest'
import * as kogrpo from '../../lib/index.ts'
import { apiReference } from '../../scripts/api-docs.mjs'

test('every export has its declaration and a comment', () => {
  const { page, names, warnings } = apiReference()
  expect(warnings).toEqual([])
  expect(names).toEqual(expect.arrayContaining(Object.keys(kogrpo)))
  expect(names.length).toBeGreaterThan(35)
  expect(page.match(/^## /gm)).toHaveLength(names.length)
  expect(page).toContain(
    'function loadRecipe(nameOrPath?: string, options?: LoadOptions): LoadedRecipe;',
  )
  // What is private stays so.
  expect(page).not.toMatch(/#private|^ +private /m)
})
