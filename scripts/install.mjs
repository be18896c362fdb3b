// Builds the native addon with nothing but a C++ compiler (npm runs this on install).
// Set KOGRPO_SKIP_BUILD=1 to leave it out, e.g. where the CUDA build is made by hand.
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'

if (process.env.KOGRPO_SKIP_BUILD) process.exit(0)

const root = fileURLToPath(new URL('..', import.meta.url))
const nodeGyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js')
// npm hands its own settings down as npm_config_*; node-gyp needs the one for its headers spelled out.
const nodedir = process.env.npm_config_nodedir ?? process.env.npm_package_config_node_gyp_nodedir
const args = [nodeGyp, 'rebuild', `--jobs=${availableParallelism()}`]
if (nodedir) args.push(`--nodedir=${nodedir}`)

const result = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' })
if (result.status !== 0) {
  console.error(
    [
      '',
      'kogrpo: the native addon could not be built. It needs a C++20 compiler (GCC 11 or later,',
      'or Clang 14 or later), make and python3:',
      '  Debian, Ubuntu:  sudo apt-get install -y g++ make python3',
      '  Fedora:          sudo dnf install -y gcc-c++ make python3',
      '  macOS:           xcode-select --install',
      'then run npm ci (in a clone) or npm rebuild kogrpo again.',
    ].join('\n'),
  )
  process.exit(result.status ?? 1)
}
