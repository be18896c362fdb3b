/** The soak of bench/serve-soak.mjs for five seconds, against a server in a process of its own. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const built = existsSync('dist/cli/commands/serve.js') && existsSync('/proc/self/status')

test.skipIf(!built)(
  'mixed requests for five seconds: nothing fails that was not asked to',
  async () => {
    const script = ['bench/serve-soak.mjs', '--seconds', '5', '--threads', '1']
    // A busy machine may miss the bar on latency (exit code 1); the counts must be right all the same.
    const { stdout } = await promisify(execFile)(process.execPath, script).catch(e => e)
    const result = JSON.parse(stdout)
    expect(result).toMatchObject({ unexpected: 0, exit_code: 0, pages_used_at_the_end: 0 })
    expect(Object.keys(result.requests).sort()).toEqual([
      'cancelled',
      'chat',
      'long',
      'malformed',
      'overLimit',
      'short',
    ])
  },
)
