/**
 * Twelve mistakes that people make, committed one after the other: what kogrpo answers is the transcript in
 * docs/mistakes.md, word for word. KOGRPO_UPDATE_TRANSCRIPT=1 writes it anew, for reading.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { main } from '../../lib/cli/main.ts'
import { temporaryDirectory, writeLines } from './running.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const DOCUMENT = join(ROOT, 'docs/mistakes.md')
const directory = temporaryDirectory()
const before = process.cwd()

const sums = Array.from({ length: 200 }, (_, i) => ({
  question: `사과 ${i}개에 ${i % 7}개를 더하면 모두 몇 개입니까?`,
  thinking: `사과가 ${i}개 있다. 여기에 ${i % 7}개를 더하면 ${i + (i % 7)}개이다.`,
  answer: `${i + (i % 7)}개`,
}))

const RECIPE = `sft:
  data:
    - path: my.jsonl
      columns: { prompt: question, completion: answer, reasoning: thinking }
  max_length: 64
  learning_rate: 1.0e-3
`

beforeAll(() => {
  process.chdir(directory)
  writeLines('my.jsonl', sums)
  writeLines('long.jsonl', [...sums.slice(0, 3), { ...sums[3], thinking: '사과 '.repeat(3000) }])
  writeLines('twice.jsonl', [...sums.slice(0, 5), ...sums.slice(1, 4)])
  writeLines('prompts.jsonl', [{ messages: [{ role: 'user', content: '안녕하세요?' }] }])
  writeFileSync('recipe.yaml', RECIPE)
  writeFileSync('column.yaml', RECIPE.replace('question', 'questoin'))
  writeFileSync('yaml.yaml', RECIPE.replace('  learning_rate', ' learning_rate'))
  writeFileSync('key.yaml', RECIPE.replace('learning_rate', 'learning_rte'))
  const plain = RECIPE.replace(/ +columns.*\n/, '')
  writeFileSync('prompts.yaml', plain.replace('my.jsonl', 'prompts.jsonl'))
  writeFileSync(
    'judge.yaml',
    `${RECIPE}grpo:
  data: [{ path: my.jsonl, columns: { prompt: question } }]
  oracle: { rule: appeal, judge: { kind: openai, base_url: "http://127.0.0.1:8000/v1", model: j } }
`,
  )
  // A small model beside the tokenizer of a large one, which has 151,669 ids.
  cpSync(join(ROOT, 'assets/mini'), 'my-model', { recursive: true })
  const tokenizer = JSON.parse(readFileSync('my-model/tokenizer.json', 'utf8')) as {
    added_tokens: { id: number; content: string }[]
  }
  const last = { ...tokenizer.added_tokens.at(-1)!, id: 151_668, content: '<|last|>' }
  tokenizer.added_tokens.push(last)
  writeFileSync('my-model/tokenizer.json', JSON.stringify(tokenizer))
})
afterAll(() => process.chdir(before))

/** Runs a command line; what it prints in the order in which it does, and its exit code if not 0. */
async function answer(line: string, env: Record<string, string> = {}): Promise<string> {
  let text = ''
  const output = { write: (part: string) => (text += part) }
  const signals = { on: () => undefined, off: () => undefined }
  const context = { stdout: output, stderr: output, env, signals, exit: () => undefined }
  const code = await main(line.split(' '), context)
  rmSync('run', { recursive: true, force: true })
  return told(line, text, code)
}

/** Without what differs from machine to machine, and without the lines of steps. */
function told(line: string, text: string, code: number): string {
  const shown = text
    .replaceAll(directory, '/home/you')
    .split('\n')
    .filter(row => !/ · loss |\] waiting for /.test(row))
    .map(row => row.replace(/^\[ *\d+s\]/, '[    0s]').replace(/ in \d+s/, ' in 0s'))
    .join('\n')
  return `$ kogrpo ${line}\n${shown}${code === 0 ? '' : `(exit code ${code})\n`}`
}

/** A port on which nobody listens. */
async function closedPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise(resolve => server.close(resolve))
  return port
}

async function withoutJudge(): Promise<string> {
  const port = String(await closedPort())
  writeFileSync('judge.yaml', readFileSync('judge.yaml', 'utf8').replace('8000', port))
  return (await answer('train judge.yaml --output-dir run')).replaceAll(port, '8000')
}

const MAIN = join(ROOT, 'dist/cli/main.js')

/** A file system of 1 MiB in a namespace of its own, which not every machine allows. */
const MOUNT = ['-rm', 'sh', '-c', 'mount -t tmpfs -o size=1m none disk && exec "$@"', '-']

function onFullDisk(): string {
  const line = 'train recipe.yaml --output-dir disk/run --sft.max_steps 1'
  const command = [...MOUNT, process.execPath, MAIN, ...line.split(' ')]
  const { stdout, stderr, status } = spawnSync('unshare', command, { encoding: 'utf8' })
  return told(line, stdout + stderr, status ?? -1)
}

function onOtherNode(): string {
  writeFileSync('old.cjs', 'Object.defineProperty(process, "version", { value: "v18.19.0" })')
  const command = ['-r', './old.cjs', join(ROOT, 'bin/kogrpo.mjs'), 'train']
  const { stdout, stderr, status } = spawnSync(process.execPath, command, { encoding: 'utf8' })
  return told('train', stdout + stderr, status ?? -1)
}

/** Why a mistake cannot be made here, or null. */
function hindrance(name: string): string | null {
  if (!['A full disk', 'Another Node'].includes(name)) return null
  if (!existsSync(MAIN)) return 'not compiled'
  if (name === 'Another Node') return null
  mkdirSync('disk', { recursive: true })
  const { status } = spawnSync('unshare', [...MOUNT, 'true'])
  return status === 0 ? null : 'a small file system cannot be mounted here'
}

const MISTAKES: [name: string, make: () => string | Promise<string>][] = [
  ['A wrong column', () => answer('train column.yaml --output-dir run')],
  ['A wrong path', () => answer('train recipe.yaml --output-dir run --sft.data.0.path me.jsonl')],
  ['Bad YAML', () => answer('train yaml.yaml')],
  ['An unknown key', () => answer('train key.yaml')],
  [
    'Samples that are too long',
    () => answer('train recipe.yaml --output-dir run --sft.data.0.path long.jsonl'),
  ],
  ['No GPU', () => answer('train recipe.yaml --output-dir run --device cuda')],
  [
    'The tokenizer of another model',
    () => answer('train recipe.yaml --output-dir run --model.path my-model'),
  ],
  ['Nothing to learn from', () => answer('train prompts.yaml --output-dir run')],
  [
    'Samples that stand there twice',
    () =>
      answer('train recipe.yaml --output-dir run --sft.data.0.path twice.jsonl --sft.max_steps 1'),
  ],
  ['A judge that cannot be reached', withoutJudge],
  ['A full disk', onFullDisk],
  ['Another Node', onOtherNode],
]

/** The transcript under a heading of the document. */
const BLOCK = (name: string): RegExp => new RegExp(`(## ${name}\n[^#]*?\`\`\`\n)([^]*?)(\`\`\`\n)`)

test.each(MISTAKES)('%s', async (name, make) => {
  const reason = hindrance(name)
  if (reason !== null) return console.warn(`skipped: ${name} (${reason})`)
  const got = await make()
  const messages = got.split('\n').filter(line => /^kogrpo: |\] warning: /.test(line))
  expect(messages).toHaveLength(1)
  expect(got).not.toMatch(/unexpected error|\n {4}at /)
  const document = readFileSync(DOCUMENT, 'utf8')
  if (process.env.KOGRPO_UPDATE_TRANSCRIPT) {
    writeFileSync(
      DOCUMENT,
      document.replace(BLOCK(name), (_, a, __, z) => `${a}${got}${z}`),
    )
    return
  }
  expect(got).toBe(BLOCK(name).exec(document)?.[2])
})
