/** scripts/launch-multi-gpu.sh: the command that it becomes, with stand-ins for node and nvidia-smi. */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'

const script = fileURLToPath(new URL('../../scripts/launch-multi-gpu.sh', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'kogrpo-launch-multi-gpu-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** The words after node; `smi`: what nvidia-smi does, null: there is none. */
function launched(smi: string | null, env: Record<string, string> = {}, args: string[] = []) {
  const bin = mkdtempSync(join(folder, 'bin-'))
  const program = (name: string, line: string): void => {
    writeFileSync(join(bin, name), `#!/bin/bash\n${line}\n`)
    chmodSync(join(bin, name), 0o755)
  }
  program('node', 'printf "%s\\n" "$@"')
  // Where a machine has an nvidia-smi of its own, "none" is one that the shell does not find either.
  program('nvidia-smi', smi ?? 'echo "nvidia-smi: not found" >&2; exit 127')
  mkdirSync(join(folder, 'here'), { recursive: true })
  const run = spawnSync('bash', [script, ...args], {
    encoding: 'utf8',
    cwd: join(folder, 'here'),
    env: { PATH: `${bin}:${process.env.PATH}`, ...env },
  })
  expect(run.status, run.stderr).toBe(0)
  return run.stdout.trimEnd().split('\n')
}

const ranks = (words: string[]): string | undefined => words[words.indexOf('--nproc-per-node') + 1]

test('a rank for each GPU; one where there is none, or no driver', () => {
  expect(ranks(launched('printf "GPU 0: A (UUID: x)\\nGPU 1: A (UUID: y)\\n"'))).toBe('2')
  expect(ranks(launched(null))).toBe('1')
  const failed = 'echo "NVIDIA-SMI has failed."; echo "Is the driver loaded?"; exit 9'
  expect(ranks(launched(failed))).toBe('1')
  expect(ranks(launched('echo "No devices were found"; exit 6'))).toBe('1')
})

test('what is given goes to kogrpo launch as it is, which refuses what cannot be', () => {
  const env = { NPROC_PER_NODE: '0', NNODES: '2', NODE_RANK: '1', RDZV_ENDPOINT: 'a:1' }
  expect(launched('exit 9', env, ['my recipe.yaml', '--seed', '7'])).toEqual([
    ...[
      fileURLToPath(new URL('../../bin/kogrpo.mjs', import.meta.url)),
      'launch',
      '--nproc-per-node',
      '0',
      '--nnodes',
      '2',
      '--node-rank',
      '1',
    ],
    ...['--max-restarts', '0', '--rdzv-endpoint', 'a:1', 'train', 'my recipe.yaml', '--seed', '7'],
  ])
})
