/**
 * What a new user does: an empty directory with one's own 200 lines, and three commands, of which
 * `npm install kogrpo` is the first (scripts/test-package.sh makes it). Commands are processes here, as
 * compiled.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { loadRecipe } from '../../lib/config/load.ts'
import { askInTurn } from '../../lib/init/ask.ts'
import { readRows, temporaryDirectory, writeLines } from './running.ts'

const BIN = fileURLToPath(new URL('../../bin/kogrpo.mjs', import.meta.url))
const compiled = existsSync(fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url)))
if (!compiled) console.warn('skipped: the first run, which needs dist/ (npm run build:ts)')

const directory = temporaryDirectory()

/** 200 problems of one's own, in columns with names of one's own. */
writeLines(
  join(directory, 'my.jsonl'),
  Array.from({ length: 200 }, (_, i) => ({
    질문: `사과 ${i}개에 ${i % 7}개를 더하면 모두 몇 개입니까?`,
    풀이: `사과가 ${i}개 있다. 여기에 ${i % 7}개를 더하면 ${i + (i % 7)}개이다.`,
    정답: `${i + (i % 7)}개`,
  })),
)

function kogrpo(...args: string[]) {
  const options = { cwd: directory, encoding: 'utf8', timeout: 240_000 } as const
  return spawnSync(process.execPath, [BIN, ...args], options)
}

test.skipIf(!compiled)('from 200 lines of one’s own to a trained model: init, train', () => {
  const init = kogrpo('init', '--data', 'my.jsonl')
  expect(init.stderr).toBe('')
  expect(init.status).toBe(0)
  expect(init.stdout).toContain('npx kogrpo train recipe.yaml')
  const train = kogrpo('train', 'recipe.yaml')
  expect(train.stderr).not.toMatch(/warning/)
  expect(train.status).toBe(0)
  const [run] = readdirSync(join(directory, 'runs'))
  const path = join(directory, 'runs', run!)
  expect(readdirSync(path).sort()).toEqual([
    ...['config.json', 'metrics.jsonl', 'report.html', 'sft', 'summary.json'],
  ])
  const steps = readRows(join(path, 'metrics.jsonl')) as unknown as { loss: number }[]
  // Twice over all 200 lines: it has learnt them.
  expect(steps.length).toBeGreaterThan(20)
  expect(steps[0]!.loss).toBeGreaterThan(2)
  expect(steps.at(-1)!.loss).toBeLessThan(0.5)
  writeLines(join(directory, 'ask.jsonl'), [
    { prompt: '사과 3개에 2개를 더하면 모두 몇 개입니까?' },
  ])
  const model = join('runs', run!, 'sft')
  const options = ['--output', 'said.jsonl', '--max-new-tokens', '60', '--temperature', '0']
  const said = kogrpo('generate', '--model', model, '--input', 'ask.jsonl', ...options)
  expect(said.status).toBe(0)
  expect(readFileSync(join(directory, 'said.jsonl'), 'utf8')).toMatch(/<think>.n사과가 .*개/)
})

const PTY = spawnSync('script', ['-qec', 'true', '/dev/null']).status === 0
const unasked = !compiled ? 'not compiled' : PTY ? null : 'no program "script" for a terminal'

test.skipIf(unasked)(
  `init asks three questions on a terminal${unasked ? ` (${unasked})` : ''}`,
  () => {
    const asked = (answers: string, file: string) =>
      spawnSync('script', ['-qec', `"${process.execPath}" "${BIN}" init ${file}`, '/dev/null'], {
        ...{ cwd: directory, input: answers, encoding: 'utf8', timeout: 240_000 },
      })
    const { status, stdout } = asked('\nmy.jsonl\nmy.jsonl\n', 'asked.yaml')
    expect(stdout.match(/model to start|examples to learn|problems with answers/gi)).toHaveLength(3)
    expect(status).toBe(0)
    const { recipe } = loadRecipe(join(directory, 'asked.yaml'))
    expect(recipe.model.path).toBe('builtin:mini')
    expect(recipe.sft!.data[0]!.columns).toEqual({
      ...{ prompt: '질문', reasoning: '풀이', completion: '정답', answer: '정답' },
    })
    expect(recipe.grpo!.data[0]!.columns).toEqual({ prompt: '질문', answer: '정답' })
  },
)

test('answers that come early wait for their question; an end of the input is no answer', async () => {
  const questions = [
    { key: 'a', text: 'First', otherwise: 'x' },
    { key: 'b', text: 'Second', otherwise: '' },
    { key: 'c', text: 'Third', otherwise: '' },
  ] as const
  const ask = async (text: string) => {
    const input = new PassThrough()
    const shown: string[] = []
    const output = new Writable({
      write: (chunk, _encoding, done) => {
        shown.push(String(chunk))
        done()
      },
    })
    input.end(text)
    return { answers: await askInTurn(questions, input, output), shown: shown.join('') }
  }
  expect(await ask('\n 둘 \n\n')).toEqual({
    answers: { a: 'x', b: '둘' },
    shown: 'First [x]: Second: Third: ',
  })
  expect((await ask('1\n')).answers).toBeNull()
})
