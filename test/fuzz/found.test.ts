/** What a long run of a TypeScript reader found, as the input that broke it. Native ones: corpus/. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { parseRecipe } from '../../lib/config/load.ts'
import { readRecords } from '../../lib/data/readers.ts'
import { Template } from '../../lib/data/template-engine.ts'
import { Random } from './mutate.ts'
import { target as parquet } from './typescript/parquet.ts'

/** The error of `run`, which may take what a case of fuzzing may. */
function refused(run: () => unknown): string {
  const from = process.cpuUsage()
  try {
    run()
  } catch (error) {
    const { user, system } = process.cpuUsage(from)
    expect((user + system) / 1000).toBeLessThan(5000)
    return (error as Error).message
  }
  throw new Error('it was taken')
}

test('recipe 30219: an alias within what it stands for doubled at every level', () => {
  const text = 'b: &b [x]\nc: &c [*b, b, *b, c, *c, *c]\n'
  expect(refused(() => parseRecipe(text, 'r.yaml', {}))).toMatch(/alias within what it stands for/)
})

test('recipe 58770: keys within keys were written out anew at every level', () => {
  const text = `model: {}\n${'? '.repeat(400)}x\n`
  expect(refused(() => parseRecipe(text, 'r.yaml', {}))).toMatch(
    /^r\.yaml:2:3: a list or mapping stands where a key must/,
  )
})

test.each([
  // Case 2129: each slice goes through every character, and the text doubles.
  '{% set x = x[::-1] ~ x %}',
  '{% set y = x[::100000] %}',
  '{% set y = x | upper %}',
  '{% set y = "b" in x %}',
  '{% set y = x.split("b") %}',
])('template 2129: %s, as often as steps allow', statement => {
  const start = `{% set x = "${'a'.repeat(3000)}" %}{% for i in range(11) %}{% set x = x ~ x %}{% endfor %}`
  const source = `${start}{% for i in range(100000) %}${statement}{% endfor %}`
  expect(refused(() => new Template(source).render({}))).toMatch(
    /goes through more than \d+ elements/,
  )
})

test('template 31637: a macro or function that is printed does not show its source', () => {
  const source =
    '{% macro f(x) %}{{ f }}{{ [f] | join("") }}{% endmacro %}{{ f(1) }}{{ range ~ "a".upper }}'
  expect(new Template(source).render({})).toBe('<function>'.repeat(4))
})

test('a template that reads long messages many times is rendered', () => {
  const content = '가'.repeat(100_000)
  const messages = Array.from({ length: 20 }, () => ({ role: 'user', content }))
  const source =
    '{% for m in messages %}{% if m.content is string and "</think>" not in m.content %}{{ m.content.split("x")[-1] | trim }}{% endif %}{% endfor %}'
  expect(new Template(source).render({ messages })).toHaveLength(2_000_000)
})

test('parquet 10842: no column is left to fail alone when another has an impossible place', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'kogrpo-found-')), 'x.parquet')
  const bytes = parquet.make(new Random('parquet 1 10842')) as Buffer
  writeFileSync(file, bytes)
  const alone: unknown[] = []
  const listener = (reason: unknown): void => {
    alone.push(reason)
  }
  process.on('unhandledRejection', listener)
  try {
    await expect(readRecords(file).next()).rejects.toThrow(/cannot be read as Parquet/)
    // What the other columns go on to read is no column any more.
    writeFileSync(file, Buffer.alloc(bytes.length, 0xff))
    await setTimeout(100)
    expect(alone).toEqual([])
  } finally {
    process.off('unhandledRejection', listener)
  }
})
