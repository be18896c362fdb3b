// npm run fuzz -- NAME [--seconds N] [--cases N] [--seed N] [--built] [--record]
//
// NAME is a native reader (test/fuzz/native, by libFuzzer under ASan and UBSan: clang 14 or later
// with its libFuzzer, Debian: clang libclang-rt-14-dev) or a TypeScript one (test/fuzz/typescript, by
// seeded cases). Native ones run N seconds of CPU time (600), so that a busy machine does not make a
// run shorter; TypeScript ones N cases (100,000). What breaks is written to build-fuzz/ and named;
// --built takes the fuzzer that is built already; --record keeps the figures in test/fuzz/record.json.
// Without NAME: the names.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = fileURLToPath(new URL('..', import.meta.url))
process.chdir(root)
const build = process.env.KOGRPO_FUZZ_BUILD ?? 'build-fuzz'
const CLOCK_TICKS = 100 // of /proc/PID/stat on every Linux that Node runs on
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '600' },
    cases: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    built: { type: 'boolean', default: false },
    record: { type: 'boolean', default: false },
  },
})
for (const option of ['seconds', 'cases', 'seed']) {
  if (/^[1-9]\d*$/.test(options[option])) continue
  console.error(`--${option} ${options[option]}: give a whole number of at least 1`)
  process.exit(2)
}

const names = (directory, extension, others) =>
  readdirSync(directory)
    .filter(file => file.endsWith(extension))
    .map(file => file.slice(0, -extension.length))
    .filter(name => !others.includes(name))
const native = names('test/fuzz/native', '.cpp', ['fuzzer'])
const typescript = names('test/fuzz/typescript', '.ts', [])

function run(command, args, env = {}) {
  const { status } = spawnSync(command, args, { stdio: 'inherit', env: { ...process.env, ...env } })
  if (status !== 0) process.exit(status ?? 1)
}

/** Seconds of processor that a process has had; null when it has gone. */
function cpuSeconds(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1).split(' ')
    return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS
  } catch {
    return null
  }
}

function record(name, figures) {
  console.log(`${name}: ${JSON.stringify(figures)}`)
  if (!options.record) return
  const file = 'test/fuzz/record.json'
  const all = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}
  all[name] = { date: new Date().toISOString().slice(0, 10), ...figures }
  const sorted = Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)))
  writeFileSync(file, `${JSON.stringify(sorted, null, 2)}\n`)
}

function buildNative() {
  const clang = ['clang++', 'clang++-14', 'clang++-15', 'clang++-16', 'clang++-19'].find(
    command => spawnSync(command, ['--version']).status === 0,
  )
  if (!clang) {
    console.error(
      'native readers are fuzzed with clang; Debian: apt-get install clang libclang-rt-14-dev',
    )
    process.exit(2)
  }
  run('cmake', [
    '-S',
    '.',
    '-B',
    build,
    '-G',
    'Ninja',
    `-DCMAKE_CXX_COMPILER=${clang}`,
    '-DCMAKE_BUILD_TYPE=Debug',
    '-DCMAKE_CXX_FLAGS_DEBUG=',
    '-DKOGRPO_GLOO=OFF',
    '-DKOGRPO_FUZZ=ON',
    '-DKOGRPO_SANITIZE=address,undefined',
    '--log-level=WARNING',
  ])
  run('ninja', ['-C', build, 'kogrpo_fuzz'])
}

async function fuzzNative(name) {
  if (!options.built) buildNative()
  const found = join(build, 'corpus', name)
  mkdirSync(found, { recursive: true })
  const seconds = Number(options.seconds)
  const child = spawn(
    join(build, 'kogrpo_fuzz'),
    [
      '-print_final_stats=1',
      '-timeout=20',
      '-rss_limit_mb=1024',
      `-seed=${options.seed}`,
      `-artifact_prefix=${build}/${name}-`,
      found,
      join('test/fuzz/corpus', name),
    ],
    { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, KOGRPO_FUZZ_TARGET: name } },
  )
  let said = ''
  child.stderr.setEncoding('utf8').on('data', text => {
    said += text
  })
  let spent = 0
  const timer = setInterval(() => {
    spent = cpuSeconds(child.pid) ?? spent
    if (spent >= seconds) child.kill('SIGINT') // libFuzzer then tells its figures and ends
  }, 500)
  const code = await new Promise(resolve => child.once('close', resolve))
  clearInterval(timer)
  const INTERRUPTED = 72
  if (code !== INTERRUPTED && code !== 0) {
    console.error(said.slice(-6000))
    console.error(`${name} broke after ${spent} s of CPU time; its input is ${build}/${name}-…`)
    process.exit(1)
  }
  const last = said.split('\n').findLast(line => /cov: \d+/.test(line)) ?? ''
  const number = (pattern, text) => {
    const found = pattern.exec(text)
    if (found === null) throw new Error(`${name}: the fuzzer's output has no ${pattern}:\n${said}`)
    return Number(found[1])
  }
  record(name, {
    cpu_seconds: Math.round(spent),
    executions: number(/stat::number_of_executed_units:\s+(\d+)/, said),
    edges: number(/cov: (\d+)/, last),
    features: number(/ft: (\d+)/, last),
    corpus: number(/corp: (\d+)/, last),
    peak_rss_mb: number(/stat::peak_rss_mb:\s+(\d+)/, said),
    broken: 0,
  })
}

function fuzzTypescript(name) {
  const figures = join(build, `${name}.json`)
  mkdirSync(build, { recursive: true })
  run('node_modules/.bin/vitest', ['run', 'fuzz/long', '--config', 'test/fuzz/vitest.config.ts'], {
    KOGRPO_FUZZ_TARGET: name,
    KOGRPO_FUZZ_CASES: options.cases,
    KOGRPO_FUZZ_SEED: options.seed,
    KOGRPO_FUZZ_FIGURES: figures,
  })
  record(name, JSON.parse(readFileSync(figures, 'utf8')))
}

const [name] = positionals
if (native.includes(name)) await fuzzNative(name)
else if (typescript.includes(name)) fuzzTypescript(name)
else {
  console.log(`native: ${native.join(' ')}\nTypeScript: ${typescript.join(' ')}`)
  process.exit(name === undefined ? 0 : 2)
}
