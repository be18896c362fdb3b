/** Builds fault-shim.c for tests that fail or kill a process at one of its system calls. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Compiles the shim to `file`; false where it cannot be used, which is said for `test`. */
export function buildShim(file: string, test: string): boolean {
  const source = fileURLToPath(new URL('fault-shim.c', import.meta.url))
  const options = ['-shared', '-fPIC', '-O1', '-o', file, source, '-ldl', '-lpthread']
  const built =
    process.platform === 'linux' &&
    existsSync('dist/train/save-state.js') &&
    spawnSync('cc', options).status === 0
  if (!built) console.warn(`${test} needs Linux, a C compiler and dist/ (npm run build:ts)`)
  return built
}
