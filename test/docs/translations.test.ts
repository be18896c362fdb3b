/** The Korean README and guides keep step with the English: same structure, same commands, links that lead somewhere. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { COMMANDS } from '../../lib/cli/commands.ts'
import { main } from '../../lib/cli/main.ts'

const GUIDES = readdirSync('docs/guides')
const PAIRS: [english: string, korean: string][] = [
  ['README.md', 'README.ko.md'],
  ...GUIDES.map((name): [string, string] => [`docs/guides/${name}`, `docs/ko/guides/${name}`]),
]
const read = (file: string): string => readFileSync(file, 'utf8')

/** Fenced blocks, by their language and text. */
const blocks = (text: string): string[] => text.match(/^```[\s\S]*?^```$/gm) ?? []
const prose = (text: string): string => text.replaceAll(/^```[\s\S]*?^```$/gm, '')
const levels = (text: string): number[] =>
  [...prose(text).matchAll(/^(#+) /gm)].map(([, marks]) => marks!.length)
/** Targets of links and images in this repository. */
const targets = (text: string): string[] =>
  [...prose(text).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target!.replace(/#.*$/, ''))
    .filter(target => target !== '' && !/^https?:/.test(target))

test('there are eight guides, each in both languages', () => {
  expect(GUIDES).toHaveLength(8)
  expect(readdirSync('docs/ko/guides')).toEqual(GUIDES)
})

describe.each(PAIRS)('%s and %s', (english, korean) => {
  const [one, other] = [read(english), read(korean)]

  test('have headings of the same levels in the same order', () => {
    expect(levels(other)).toEqual(levels(one))
  })

  test('have the same blocks of code', () => {
    expect(blocks(other)).toEqual(blocks(one))
  })

  test('have tables of the same shape, and as many points in lists', () => {
    const rows = (text: string): number[] =>
      [...prose(text).matchAll(/^\|.*\|$/gm)].map(([row]) => row.split(/(?<!\\)\|/).length)
    const points = (text: string): number => [...prose(text).matchAll(/^(?:- |\d+\. )/gm)].length
    expect(rows(other)).toEqual(rows(one))
    expect(points(other)).toBe(points(one))
  })

  test('the translation is Korean', () => {
    const letters = prose(other).replaceAll(/`[^`]*`|\([^)]*\)/g, '')
    const hangul = letters.match(/[가-힣]/g)?.length ?? 0
    expect(hangul / (letters.match(/\p{L}/gu)?.length ?? 1)).toBeGreaterThan(0.6)
  })
})

test('every link of the README, of the guides and of the Korean pages leads to a file', () => {
  const files = [...PAIRS.flat(), 'docs/README.md', 'docs/ko/README.md', 'docs/ko/glossary.md']
  const broken = files.flatMap(file =>
    targets(read(file))
      .filter(target => !existsSync(join(dirname(file), target)))
      .map(target => `${file}: ${target}`),
  )
  expect(broken).toEqual([])
})

test('both READMEs name every command, and no option that a command does not have', async () => {
  const names = Object.keys(COMMANDS)
  for (const file of ['README.md', 'README.ko.md']) {
    const shown = [...read(file).matchAll(/`kogrpo ([^`\n]+)`/g)].map(([, words]) => words!)
    const named = (name: string): boolean =>
      shown.some(words => words === name || words.startsWith(`${name} `))
    expect(
      names.filter(name => !named(name)),
      file,
    ).toEqual([])
    for (const words of shown) {
      const longest = names
        .filter(one => words === one || words.startsWith(`${one} `))
        .sort((a, b) => b.length - a.length)[0]
      if (longest === undefined) continue
      const options = words.match(/--[a-z][a-z-]*/g) ?? []
      if (options.length === 0) continue
      const known = await helpOf(longest.split(' '))
      for (const option of options) expect(known, `${file}: kogrpo ${words}`).toContain(option)
    }
  }
})

const helps = new Map<string, string>()

/** The help of a command. */
async function helpOf(words: string[]): Promise<string> {
  const known = helps.get(words.join(' '))
  if (known !== undefined) return known
  const out: string[] = []
  const output = { write: (text: string) => out.push(text) }
  const signals = { on: () => {}, off: () => {} }
  await main([...words, '--help'], {
    stdout: output,
    stderr: output,
    env: { LANG: 'C' },
    signals,
    exit: () => {},
  })
  helps.set(words.join(' '), out.join(''))
  return out.join('')
}
