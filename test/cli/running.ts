/** Runs command lines in this process, and makes the small models that they need. */
import { EventEmitter } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, vi } from 'vitest'
import { main } from '../../lib/cli/main.ts'
import { TINY } from '../model/configs.ts'

/** A directory that goes when the test file is done. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'kogrpo-cli-'))
  afterAll(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** Starts one command line. */
export function start(args: string[], stdin = '', env: Record<string, string> = {}) {
  const out: string[] = []
  const err: string[] = []
  const signals = new EventEmitter()
  async function* bytes(): AsyncGenerator<Buffer> {
    yield Buffer.from(stdin)
  }
  const done = main(args, {
    stdout: { write: (text: string) => out.push(text) },
    stderr: { write: (text: string) => err.push(text) },
    stdin: bytes(),
    env,
    signals,
    exit: vi.fn(),
  }).then(code => ({ code, stdout: out.join(''), stderr: err.join('') }))
  return { signals, done, said: () => out.join('') }
}

export const kogrpo = (args: string[], stdin?: string) => start(args, stdin).done

export type Row = Record<string, unknown> & {
  index: number
  tokens: number[]
  logprobs: (number | null)[]
}

export function rowsOf(text: string): Row[] {
  return text
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Row)
}

export const readRows = (file: string): Row[] => rowsOf(readFileSync(file, 'utf8'))

export function writeLines(file: string, lines: readonly (object | string)[]): string {
  const texts = lines.map(line => (typeof line === 'string' ? line : JSON.stringify(line)))
  writeFileSync(file, `${texts.join('\n')}\n`)
  return file
}

/**
 * A model directory without weights: the miniature's tokenizer (1,024 ids) and two layers, whose
 * weights are wide enough that the likeliest tokens differ.
 */
export function writeModel(parent: string, name: string, config: object = {}): string {
  const directory = join(parent, name)
  mkdirSync(directory)
  const files = ['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja']
  for (const file of [...files, 'generation_config.json']) {
    cpSync(join('assets/mini', file), join(directory, file))
  }
  const whole = {
    ...TINY,
    vocab_size: 1024,
    initializer_range: 0.2,
    max_position_embeddings: 256,
    ...config,
  }
  writeFileSync(join(directory, 'config.json'), JSON.stringify(whole))
  return directory
}
