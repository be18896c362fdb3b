/**
 * Throughput of `kogrpo corpus filter` on a made corpus of Korean texts: megabytes a second of wall and
 * of processor time, for every method of deduplication, interleaved with reading the file and with
 * `wc`. node bench/corpus-filter.mjs [MEGABYTES] [REPEATS] [OUTPUT.json]; needs the build in dist/.
 */
import { execFileSync } from 'node:child_process'
import { createReadStream, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { filterCorpus } from '../dist/corpus/filter/filter.js'
import { DEFAULT_RULES } from '../dist/corpus/filter/rules.js'

const [megabytes = 200, repeats = 3, output] = process.argv.slice(2)
const directory = mkdtempSync(join(tmpdir(), 'kogrpo-corpus-'))
const file = join(directory, 'corpus.jsonl')

// xorshift32: the corpus is the same on every machine.
let state = 20260823
const next = n => {
  state ^= state << 13
  state ^= state >>> 17
  state ^= state << 5
  return (state >>> 0) % n
}
const words = Array.from({ length: 20000 }, () =>
  String.fromCharCode(...Array.from({ length: 1 + next(4) }, () => 0xac00 + next(11172))),
)
const sentence = () =>
  `${Array.from({ length: 6 + next(12) }, () => words[next(20000)]).join(' ')}다.`
const text = () =>
  Array.from({ length: 4 + next(10) }, () =>
    Array.from({ length: 1 + next(4) }, sentence).join(' '),
  ).join('\n')

/** One in ten repeats one of the last thousand, with a sentence more. */
function writeCorpus() {
  const recent = []
  for (let bytes = 0; bytes < Number(megabytes) * 1e6; ) {
    const lines = []
    for (let i = 0; i < 1000; i++) {
      const made =
        recent.length === 1000 && next(10) === 0 ? `${recent[next(1000)]} ${sentence()}` : text()
      recent[next(1000)] = made
      if (recent.length < 1000) recent.push(made)
      lines.push(JSON.stringify({ text: made }))
    }
    const block = `${lines.join('\n')}\n`
    writeFileSync(file, block, { flag: 'a' })
    bytes += Buffer.byteLength(block)
  }
}

async function timed(run) {
  const cpu = process.cpuUsage()
  const start = performance.now()
  await run()
  const { user, system } = process.cpuUsage(cpu)
  return { seconds: (performance.now() - start) / 1000, cpuSeconds: (user + system) / 1e6 }
}

async function read() {
  let bytes = 0
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 }))
    bytes += chunk.length
  return bytes
}

const filter = (dedup, threads) => () =>
  filterCorpus({
    ...{ inputs: [file], output: join(directory, 'out.jsonl'), id: 'bench', rules: DEFAULT_RULES },
    ...{ dedup, similarity: dedup === 'ngram' ? 0.5 : 0.8, indexBytes: 256 * 2 ** 20 },
    ...{ threads, saveSeconds: 600 },
  })

writeCorpus()
const size = statSync(file).size / 1e6
const runs = {
  read,
  wc: () => execFileSync('wc', ['-lmw', file]),
  ...Object.fromEntries(['none', 'exact', 'minhash', 'ngram'].map(m => [m, filter(m, 2)])),
  'minhash, no threads': filter('minhash', 0),
}
const best = {}
try {
  for (let repeat = 0; repeat < Number(repeats); repeat++) {
    for (const [name, run] of Object.entries(runs)) {
      const { seconds, cpuSeconds } = await timed(run)
      const now = { mbPerSecond: size / seconds, mbPerCpuSecond: size / cpuSeconds }
      const before = best[name] ?? now
      best[name] = Object.fromEntries(
        Object.keys(now).map(key => [key, Math.max(now[key], before[key])]),
      )
    }
  }
} finally {
  rmSync(directory, { recursive: true })
}
for (const value of Object.values(best)) {
  value.timesReading = best.read.mbPerSecond / value.mbPerSecond
  for (const key of Object.keys(value)) value[key] = Number(value[key].toPrecision(3))
}
// A child's processor time is not this process's.
delete best.wc.mbPerCpuSecond
const result = {
  what: `kogrpo corpus filter, ${size.toFixed(0)} MB of made Korean text, best of ${repeats}`,
  node: process.version,
  cpu: cpus()[0].model,
  results: best,
}
console.log(JSON.stringify(result, null, 2))
if (output) writeFileSync(output, `${JSON.stringify(result, null, 2)}\n`)
