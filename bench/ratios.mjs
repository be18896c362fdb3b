// The bookkeeping of compare.sh.
//   mark SIDE ROUND WORK  result lines from standard input with these added
//   fastest WORK          name of the peer's fastest variant so far
//   record FILE           ratios by work and dtype, by round and over all, with the machine, as JSON;
//                         exits with 3 below a bar
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'

// What is asked for: times the peer's tokens per second.
const BARS = { train: 4, generate: 20, grpo: 12, train_large: 1.5 }

const [command, ...args] = process.argv.slice(2)
const lines = readFileSync(0, 'utf8')
  .split('\n')
  .filter(line => line.startsWith('{"mode"'))
  .map(line => JSON.parse(line))

const median = values => {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
}
const rate = line => line.tokens_per_s.median
const round = x => Number(x.toPrecision(4))
const peersOf = work => lines.filter(line => line.work === work && line.side === 'peer')

/** The peer's variant with the best median in the first round. */
function fastest(work) {
  const first = peersOf(work).filter(line => line.round === 1)
  if (first.length === 0) throw new Error(`no peer's result for ${work}: see the errors above`)
  return first.reduce((best, line) => (rate(line) > rate(best) ? line : best)).variant
}

function compare(work, dtype) {
  const variant = fastest(work)
  const own = lines.filter(
    line => line.work === work && line.side === 'kogrpo' && line.dtype === dtype,
  )
  const pairs = own.map(line => {
    const peer = peersOf(work).find(p => p.round === line.round && p.variant === variant)
    return {
      round: line.round,
      kogrpo: rate(line),
      peer: rate(peer),
      ratio: round(rate(line) / rate(peer)),
    }
  })
  const ratios = pairs.map(pair => pair.ratio)
  const ratio = {
    median: round(median(ratios)),
    min: Math.min(...ratios),
    max: Math.max(...ratios),
  }
  return { variant, bar: BARS[work], met: ratio.median >= BARS[work], ratio, tokens_per_s: pairs }
}

if (command === 'mark') {
  const [side, number, work] = args
  for (const line of lines) {
    const { mode, ...rest } = line
    console.log(JSON.stringify({ mode, work, side, round: Number(number), ...rest }))
  }
} else if (command === 'fastest') {
  console.log(fastest(args[0]))
} else if (command === 'record') {
  const dtypes = [...new Set(lines.filter(l => l.side === 'kogrpo').map(l => l.dtype))]
  const pairs = Object.keys(BARS).flatMap(work =>
    dtypes
      .filter(dtype => lines.some(line => line.work === work && line.dtype === dtype))
      .map(dtype => [`${work} ${dtype}`, compare(work, dtype)]),
  )
  const record = {
    time: new Date().toISOString(),
    machine: {
      cpu: cpus()[0]?.model ?? 'unknown',
      cores: cpus().length,
      memory_gib: Math.round(totalmem() / 2 ** 30),
      load_average: round(loadavg()[0]),
    },
    comparison: Object.fromEntries(pairs),
    results: lines,
  }
  writeFileSync(args[0], `${JSON.stringify(record, null, 2)}\n`)
  for (const [name, { ratio, bar, met }] of Object.entries(record.comparison)) {
    console.log(
      `${name}: ${ratio.median} x (${ratio.min} to ${ratio.max}), bar ${bar} x: ${met ? 'met' : 'not met'}`,
    )
  }
  if (Object.values(record.comparison).some(({ met }) => !met)) process.exitCode = 3
} else {
  console.error(`ratios.mjs: unknown command ${command} (mark, fastest, record)`)
  process.exitCode = 2
}
