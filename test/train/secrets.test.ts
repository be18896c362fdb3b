/**
 * Keys: a whole run with a judge that misbehaves, then every byte it has left behind and all that it
 * said, searched for the keys, plain and packed.
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterEach, expect, test } from 'vitest'
import { start, temporaryDirectory } from '../cli/running.ts'
import { fakeEndpoint, reply } from '../rewards/judge/fake-endpoint.ts'
import { tinyModelDirectory } from './tiny.ts'

const ENV_KEY = 'sk-canary-of-the-environment-71f3'
const FILE_KEY = 'sk-canary-of-the-file-c04d'

afterEach(() => {
  delete process.env.KOGRPO_TEST_KEY
})

/** Every form in which a key could lie in bytes. */
function forms(key: string): Buffer[] {
  const bytes = Buffer.from(key)
  // Base64 at each alignment: what stands in the middle is the same whatever surrounds it.
  const packed = [0, 1, 2].map(shift => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64')
    return Buffer.from(text.slice(4, -4))
  })
  return [bytes, Buffer.from(bytes.toString('hex')), Buffer.from(key, 'utf16le'), ...packed]
}

function leaks(content: Buffer, key: string): boolean {
  const data = /id="data">([A-Za-z0-9+/=]+)</.exec(content.toString('latin1'))?.[1]
  const inside = data ? gunzipSync(Buffer.from(data, 'base64')) : Buffer.alloc(0)
  return forms(key).some(form => content.includes(form) || inside.includes(form))
}

const filesOf = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map(name => join(directory, name))
    .filter(path => statSync(path).isFile())

test.each(['environment', 'file'] as const)(
  'a key from the %s is in nothing that a run writes or says',
  async from => {
    const directory = temporaryDirectory()
    const key = from === 'environment' ? ENV_KEY : FILE_KEY
    process.env.KOGRPO_TEST_KEY = ENV_KEY
    const keyFile = join(directory, 'key')
    writeFileSync(keyFile, `${FILE_KEY}\n`)
    // Every trouble repeats the key that it was sent.
    const endpoint = await fakeEndpoint(({ message, count }, response) => {
      const sent = String(message.headers.authorization)
      if (count % 4 === 0) return void response.writeHead(401, sent).end(`no: ${sent}`)
      if (count % 4 === 1) return void response.writeHead(400).end(JSON.stringify({ error: sent }))
      if (count % 4 === 2) return reply(response, `${sent} {"verdict": "${sent}"}`)
      reply(response, `{"reason": "${sent}", "verdict": 1}`)
    })
    const judge = {
      ...{ kind: 'openai', base_url: endpoint.base_url, model: 'm', max_retries: 0, timeout_s: 20 },
      ...(from === 'environment' ? { api_key_env: 'KOGRPO_TEST_KEY' } : { api_key_file: keyFile }),
    }
    const recipe = join(directory, 'recipe.json')
    const run = join(directory, 'run')
    const grpo = {
      data: [{ path: 'mini:grpo', size: 16 }],
      ...{ max_steps: 2, num_generations: 4, per_device_train_batch_size: 8 },
      ...{
        max_completion_length: 24,
        save_steps: 1,
        oracle: { rule: 'override', max_failure_rate: 1, judge },
      },
    }
    const model = { path: await tinyModelDirectory(), init: 'random' }
    const logging = { tensorboard: true }
    writeFileSync(recipe, JSON.stringify({ seed: 1, model, grpo, logging }))
    const { code, stdout, stderr } = await start([...['train', recipe, '--output-dir', run]]).done
    endpoint.close()
    expect(stderr + stdout, 'it trains').toContain('2/2')
    expect(code).toBe(0)
    // Else the test could not fail.
    expect(endpoint.requests.length).toBeGreaterThan(4)
    expect(endpoint.requests[0]!.message.headers.authorization).toBe(`Bearer ${key}`)
    const files = filesOf(run)
    for (const name of [
      'config.json',
      'metrics.jsonl',
      'completions.jsonl',
      'report.html',
      'tfevents',
    ])
      expect(
        files.some(file => file.includes(name)),
        name,
      ).toBe(true)
    expect(files.filter(file => leaks(readFileSync(file), key))).toEqual([])
    expect(leaks(Buffer.from(stdout + stderr), key)).toBe(false)
    expect(leaks(Buffer.from(`x${key}y`), key)).toBe(true)
    // A run that cannot begin, and a plan of one, say no more.
    for (const args of [['--dry-run'], ['--grpo.oracle.judge.base_url', 'http://127.0.0.1:9/v1']]) {
      const other = await start([
        'train',
        recipe,
        '--output-dir',
        `${run}-${args.length}`,
        ...args,
        '--debug',
      ]).done
      expect(leaks(Buffer.from(other.stdout + other.stderr), key)).toBe(false)
    }
  },
)
