/** Help in Korean: every text of every command, and the pages as they are printed. */
import { describe, expect, test } from 'vitest'
import { COMMANDS } from '../../lib/cli/commands.ts'
import { describeIn, usageIn } from '../../lib/cli/help-language.ts'
import { main } from '../../lib/cli/main.ts'
import { helpData } from '../../lib/messages/ko/help-data.ts'
import { helpModel } from '../../lib/messages/ko/help-model.ts'
import { helpRun } from '../../lib/messages/ko/help-run.ts'
import { ko } from '../../lib/messages/ko.ts'
import { sayIn } from '../../lib/messages/phrase.ts'

async function help(args: string[], env: Record<string, string>): Promise<string> {
  const out: string[] = []
  const output = { write: (text: string) => out.push(text) }
  const code = await main(args, {
    stdout: output,
    stderr: output,
    env,
    signals: { on: () => {}, off: () => {} },
    exit: () => {},
  })
  expect(code, out.join('')).toBe(0)
  return out.join('')
}

interface Told {
  usages: string[]
  descriptions: string[]
  examples: string[]
}

/** What a command tells yargs. */
async function toldBy(name: string): Promise<Told> {
  const told: Told = { usages: [], descriptions: [], examples: [] }
  const option = (_name: string, { describe: text }: { describe?: string }) => {
    told.descriptions.push(text ?? '')
    return parser
  }
  const parser = {
    usage: (text: string) => told.usages.push(text) && parser,
    example: (_command: string, text: string) => {
      told.examples.push(text)
      return parser
    },
    option,
    positional: option,
    options: (options: Record<string, { describe?: string }>) => {
      for (const [key, one] of Object.entries(options)) option(key, one)
      return parser
    },
  }
  const { command } = await COMMANDS[name]!.load()
  await (command.builder as (argv: unknown) => unknown)(parser)
  return told
}

const HANGUL = /[가-힣]/
const names = Object.keys(COMMANDS)

test('every usage, option, positional and example of every command is Korean', async () => {
  const say = sayIn(ko)
  const missing: string[] = []
  let checked = 0
  const check = (name: string, english: string, korean: string): void => {
    checked++
    if (!HANGUL.test(korean)) missing.push(`${name}: ${english}`)
  }
  for (const name of names) {
    check(name, COMMANDS[name]!.describe, describeIn(say, COMMANDS[name]!.describe))
    const { usages, descriptions, examples } = await toldBy(name)
    // The first paragraph is the syntax.
    for (const usage of usages) {
      for (const text of usage.split('\n\n').slice(1)) check(name, text, usageIn(say, text))
    }
    for (const text of descriptions) {
      const korean = describeIn(say, text)
      check(name, text, korean.replace(/ \[(기본값|필수).*\]$/, ''))
      // A default that is more than one word has words to translate.
      if (/\[default: [^\]]*[a-z]{2} [a-z]/.test(text))
        check(name, text, /\[기본값: (.*)\]/.exec(korean)![1]!)
    }
    for (const text of examples)
      if (text !== '' && /\s/.test(text)) check(name, text, say(text as never))
  }
  expect(missing).toEqual([])
  expect(names.length).toBeGreaterThan(18)
  expect(checked).toBeGreaterThan(250)
})

test('no translation is of a text that no help has any more', async () => {
  const told = await Promise.all(names.map(toldBy))
  const main = Object.values(COMMANDS).map(({ describe: text }) => text)
  const all = told.flatMap(({ usages, descriptions, examples }) => [
    ...usages.flatMap(usage =>
      usage.split('\n\n').flatMap(part => [part.replaceAll('\n', ' '), ...part.split('\n')]),
    ),
    ...descriptions.flatMap(text => [
      text,
      text.replace(/ \[(default: .*|required)\]$/, ''),
      /\[default: (.*)\]$/.exec(text)?.[1],
    ]),
    ...examples,
  ])
  const yargs = Object.keys(helpRun).slice(0, Object.keys(helpRun).indexOf('all'))
  const known = new Set([...main, ...all, ...yargs])
  const keys = Object.keys({ ...helpRun, ...helpData, ...helpModel })
  expect(keys.filter(key => !known.has(key))).toEqual([])
})

describe('a page', () => {
  const KOREAN = { LANG: 'ko_KR.UTF-8' }

  test('kogrpo --help', async () => {
    const korean = await help(['--help'], KOREAN)
    expect(korean).toMatch(/^kogrpo는 Qwen3가 한국어로 생각하도록 가르칩니다\./)
    expect(korean).toContain('명령:')
    expect(korean).toMatch(
      /kogrpo doctor +이 컴퓨터에서 무엇이 돌고 무엇이 왜 안 도는지 알려 줍니다/,
    )
    expect(await help(['--help', '--lang', 'ko'], {})).toBe(korean)
    const english = await help(['--help'], { LANG: 'C' })
    expect(english).toMatch(/^kogrpo teaches Qwen3 to think in Korean\./)
    expect(english).not.toMatch(HANGUL)
  })

  test('kogrpo train --help', async () => {
    const korean = await help(['train', '--help'], KOREAN)
    expect(korean).toContain('레시피대로 모델을 학습하고, 학습 전후에 평가합니다.')
    expect(korean).toMatch(/--seed +모든 난수가 이 값에서 나옵니다 +\[문자열\]/)
    expect(korean).toMatch(/-h, --help +도움말을 봅니다 +\[켜고 끔\]/)
    expect(korean).toMatch(/kogrpo train +미니어처/)
    const english = await help(['train', '--help'], { LANG: 'en_US.UTF-8' })
    expect(english).toMatch(/--seed +Every random number follows from it +\[string\]/)
    expect(english).not.toMatch(HANGUL)
  })
})
