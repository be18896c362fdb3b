// Builds the native addon with node-gyp (npm runs this on install). What an earlier build left is
// reused where it is up to date. Set KOGRPO_SKIP_BUILD=1 to leave the build out, e.g. where the
// addon comes from cmake-js.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/**
 * The directory whose include/node holds Node's headers: npm's setting `nodedir`, else the place
 * this Node was installed to, if headers of its own version lie there. Without either, node-gyp
 * downloads them.
 */
function headerDirectory() {
  if (process.env.npm_config_nodedir) return process.env.npm_config_nodedir
  const prefix = dirname(dirname(process.execPath))
  const header = join(prefix, 'include', 'node', 'node_version.h')
  if (!existsSync(header)) return undefined
  const text = readFileSync(header, 'utf8')
  const part = name => new RegExp(`#define NODE_${name}_VERSION (\\d+)`).exec(text)?.[1]
  const version = ['MAJOR', 'MINOR', 'PATCH'].map(part).join('.')
  return version === process.versions.node ? prefix : undefined
}

function build() {
  const nodeGyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js')
  const headers = headerDirectory()
  const options = [`--jobs=${availableParallelism()}`, ...(headers ? [`--nodedir=${headers}`] : [])]
  const args = [nodeGyp, 'configure', 'build', '--silent', ...options]
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' })
  return status ?? 1
}

const HELP = `
kogrpo: the native addon could not be built. It needs a C++20 compiler (GCC 11 or later, or
Clang 14 or later), make and python3:
  Debian, Ubuntu:  sudo apt-get install -y g++ make python3
  Fedora:          sudo dnf install -y gcc-c++ make python3
  macOS:           xcode-select --install
Then run this again: node ${fileURLToPath(import.meta.url)}`

if (!process.env.KOGRPO_SKIP_BUILD) {
  process.exitCode = build()
  if (process.exitCode !== 0) console.error(HELP)
}
