/** Help and completion know every command: both are asked of the commands themselves. */
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { kogrpo, temporaryDirectory } from './running.ts'

/** Candidates after `kogrpo` and these words, the last of which is being typed. */
async function completed(...words: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await kogrpo(['__complete', ...words])
  expect([code, stderr]).toEqual([0, ''])
  return stdout.split('\n').slice(0, -1)
}

/** Every command, of one word or two. */
async function commands(): Promise<string[]> {
  const top = await kogrpo(['--help'])
  const words = top.stdout.matchAll(
    /^ {2}kogrpo ([a-z]+(?:-[a-z]+)*)(?: ([a-z]+(?:-[a-z]+)*))?(?= )/gm,
  )
  return [...words].map(([, one, two]) => (two ? `${one} ${two}` : one!))
}

const names = await commands()

test('the list of commands is whole', async () => {
  expect(names.length).toBeGreaterThan(20)
  const first = [...new Set(names.map(name => name.split(' ')[0]!))]
  expect(await completed('')).toEqual([...first, '--help', '--lang', '--version'].sort())
})

describe('--help has examples, of options that there are', () => {
  test.each(names)('%s', async name => {
    const { code, stdout } = await kogrpo([...name.split(' '), '--help'])
    expect(code).toBe(0)
    const [options, examples] = stdout.split(/^Examples:$/m)
    expect(examples, 'no examples').toBeDefined()
    const lines = examples!.split('\n').filter(line => line.includes('kogrpo '))
    expect(lines.length).toBeGreaterThan(0)
    for (const line of lines) expect(line).toContain(`kogrpo ${name}`)
    // Keys of a recipe are no options; ranks take those of their own command.
    const used = [...examples!.matchAll(/ --([a-z][a-z-]*)(?![\w.-])/g)].map(
      ([, option]) => option!,
    )
    if (name === 'train') return
    for (const option of used) expect(options).toMatch(new RegExp(` -{1,2}${option}\\b`))
  })
})

/** GPUs that --device can name. */
const CUDA = ['cuda', ...Array.from({ length: 8 }, (_, i) => `cuda:${i}`)]

describe('completion', () => {
  test.each([
    [['tr'], ['train']],
    [
      ['data', ''],
      ['check', 'commonsense', 'difficulty', 'prepare', 'self-correct'],
    ],
    [['data', 'pre'], ['prepare']],
    [['nothing', ''], []],
    [['train', '--dev'], ['--device']],
    [
      ['train', '--device', ''],
      ['cpu', ...CUDA],
    ],
    [['train', '--grpo.loss'], ['--grpo.loss_type']],
    [
      ['train', '--grpo.loss_type', 'd'],
      ['dapo', 'dr_grpo'],
    ],
    [
      ['train', '--sft.packing', ''],
      ['false', 'true'],
    ],
    [['train', '--seed', ''], [':files']],
    [
      ['train', 'mini-j'],
      ['mini-judge', ':files'],
    ],
    [
      ['train', '--lang', ''],
      ['en', 'ko'],
    ],
    [['generate', '--inp'], ['--input']],
    [
      ['data', 'check', '--stage', ''],
      ['grpo', 'pretrain', 'sft'],
    ],
    [['data', 'check', '--sho'], ['--show']],
    [['completion', 'x', '--he'], ['--help']],
  ])('%j → %j', async (words, expected) => {
    expect(await completed(...words)).toEqual(expected)
  })

  test.each(names)('%s: its options, as --help has them', async name => {
    const offered = await completed(...name.split(' '), '--')
    const { stdout } = await kogrpo([...name.split(' '), '--help'])
    const shown = [...stdout.split('Examples:')[0]!.matchAll(/^ +(?:-\w, +)?--([\w-]+)/gm)]
    for (const [, option] of shown) {
      if (option !== 'version') expect(offered).toContain(`--${option}`)
    }
  })

  const bin = fileURLToPath(new URL('../../bin/kogrpo.mjs', import.meta.url))
  const compiled = existsSync(fileURLToPath(new URL('../../dist/cli/complete.js', import.meta.url)))
  const directory = temporaryDirectory()
  mkdirSync(join(directory, 'bin'))
  writeFileSync(
    join(directory, 'bin/kogrpo'),
    `#!/bin/sh\nexec "${process.execPath}" "${bin}" "$@"\n`,
  )
  chmodSync(join(directory, 'bin/kogrpo'), 0o755)
  mkdirSync(join(directory, 'my data'))
  writeFileSync(join(directory, 'my recipe.yaml'), '')
  const env = { ...process.env, PATH: `${join(directory, 'bin')}:${process.env.PATH}` }
  const has = (shell: string): boolean => spawnSync(shell, ['-c', 'true']).status === 0

  test.skipIf(!compiled || !has('bash'))('in bash', () => {
    const press = (...words: string[]): string[] => {
      const array = words.map(word => `'${word}'`).join(' ')
      const script = `source <(kogrpo completion bash) || exit 1
COMP_WORDS=(${array}); COMP_CWORD=${words.length - 1}
complete -p kogrpo >/dev/null || exit 2
_kogrpo
printf '%s\\n' "\${COMPREPLY[@]}"`
      const options = { env, cwd: directory, encoding: 'utf8' } as const
      return execFileSync('bash', ['--norc', '-c', script], options).split('\n').slice(0, -1)
    }
    expect(press('kogrpo', 'tr')).toEqual(['train'])
    expect(press('kogrpo', 'train', '--device', 'cu')).toEqual(CUDA)
    expect(press('kogrpo', 'train', 'm').sort()).toEqual([
      ...['mini', 'mini-base', 'mini-judge', 'mini-local-judge', 'my data', 'my recipe.yaml'],
    ])
  })

  test.skipIf(!compiled || !has('zsh'))('in zsh', () => {
    const script = `compdef() { print -r -- "compdef $*" }
compadd() { shift; print -rl -- "\${(@P)1}" }
_files() { print files }
source <(kogrpo completion zsh) || exit 1
words=(kogrpo train --device c); CURRENT=4; _kogrpo
words=(kogrpo train mini-j); CURRENT=3; _kogrpo`
    const output = execFileSync('zsh', ['-f', '-c', script], {
      env,
      cwd: directory,
      encoding: 'utf8',
    })
    expect(output).toBe(
      `${['compdef _kogrpo kogrpo', 'cpu', ...CUDA, 'mini-judge', 'files'].join('\n')}\n`,
    )
  })
})
