// Soak of `kogrpo serve`: starts a server and, from this second process, sends it short, long,
// cancelled, malformed and over-limit requests at the same time. Nothing may fail that was not asked to,
// the server's memory may not grow after the first minute, and short requests must stay quick while long
// ones run.
//
//   node bench/serve-soak.mjs [--seconds 600] [--model builtin:mini] [--output FILE.json] [--threads N]
//
// Prints one JSON object; exits with 1 if a bar is missed. Needs Linux (/proc) for the memory.
import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    model: { type: 'string', default: 'builtin:mini' },
    threads: { type: 'string', default: '0' },
    output: { type: 'string' },
  },
})
const seconds = Number(values.seconds)
if (!(seconds > 0)) throw new Error(`--seconds ${values.seconds}: give a number above 0`)
const BODY_BYTES = 65536
const CONTEXT = 512

const cli = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))
const server = spawn(
  process.execPath,
  [
    ...[cli, 'serve', values.model, '--port', '0', '--threads', values.threads],
    ...['--max-body-bytes', String(BODY_BYTES), '--cache-bytes', String(24 * 2 ** 20)],
    ...['--max-sequences', '16', '--max-queue', '16', '--prefill-rows', '64'],
  ],
  { stdio: ['ignore', 'pipe', 'inherit'] },
)
const exited = new Promise(resolve =>
  server.once('exit', (code, signal) => resolve({ code, signal })),
)
const url = await new Promise((resolve, reject) => {
  let text = ''
  server.stdout.on('data', chunk => {
    text += chunk
    const found = /http:\S+?(?=\/v1)/.exec(text)
    if (found) resolve(found[0])
  })
  exited.then(() => reject(new Error(`the server did not start: ${text}`)))
})

const post = (path, body, signal) =>
  fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    signal,
  })
/** As post(); while a burst has filled the queue (429), the request waits as it is told and comes again. */
async function patient(path, body) {
  for (;;) {
    const began = performance.now()
    const reply = await post(path, body)
    if (reply.status !== 429) return { reply, began }
    queueFull++
    if (!reply.headers.has('retry-after')) complain('429', 'no Retry-After')
    await reply.text()
    await sleep(1000 * Number(reply.headers.get('retry-after') ?? 1))
  }
}
const words = '사과 3개와 배 5개를 더하고 다시 2개를 빼면 모두 몇 개인가? '
const unexpected = []
const counts = {}
const latencies = { alone: [], beside: [] }
let mixed = false
let stop = false

const complain = (kind, what) => unexpected.push({ kind, what: String(what).slice(0, 300) })
const expectStatus = (kind, reply, statuses) => {
  if (!statuses.includes(reply.status)) complain(kind, `status ${reply.status}`)
}

let serial = 0
let queueFull = 0
const kinds = {
  async short() {
    const beside = mixed
    const body = { prompt: `${serial++ % 97} ${words}`, max_tokens: 8, seed: serial }
    const { reply, began } = await patient('/v1/completions', body)
    const { choices } = await reply.json()
    expectStatus('short', reply, [200])
    if (choices?.length !== 1) complain('short', 'no choice')
    ;(beside ? latencies.beside : latencies.alone).push(performance.now() - began)
    await sleep(20)
  },
  async long() {
    const prompt = Array.from({ length: 380 }, (_, i) => (i * 7 + serial * 13) % 900)
    serial++
    const body = { prompt, max_tokens: 120, n: 2, logprobs: 2 }
    const { reply } = await patient('/v1/completions', body)
    const { usage } = await reply.json()
    expectStatus('long', reply, [200])
    if (usage?.prompt_tokens !== 380) complain('long', JSON.stringify(usage))
  },
  async chat() {
    const messages = [{ role: 'user', content: words.repeat(1 + (serial++ % 4)) }]
    const body = {
      messages,
      max_tokens: 150,
      stream: true,
      stream_options: { include_usage: true },
    }
    const { reply } = await patient('/v1/chat/completions', body)
    const text = await reply.text()
    expectStatus('chat', reply, [200])
    if (!text.endsWith('data: [DONE]\n\n')) complain('chat', text.slice(-200))
  },
  async cancelled() {
    const controller = new AbortController()
    const body = { prompt: words.repeat(8), max_tokens: 200, stream: serial++ % 2 === 0 }
    const reply = post('/v1/completions', body, controller.signal).then(r => r.text())
    setTimeout(() => controller.abort(), Math.random() * 80)
    await reply.catch(error => {
      if (error.name !== 'AbortError') complain('cancelled', error)
    })
    await sleep(10)
  },
  async malformed() {
    const bodies = [
      '{"prompt":',
      '[]',
      { prompt: 'x', temperature: 'hot' },
      { prompt: [-1] },
      { prompt: 'x', magic: 1 },
    ]
    const reply = await post('/v1/completions', bodies[serial++ % bodies.length])
    const { error } = await reply.json()
    expectStatus('malformed', reply, [400])
    if (!error?.message) complain('malformed', 'no message')
    await sleep(30)
  },
  async overLimit() {
    const i = serial++ % 4
    const [body, statuses] = [
      [{ prompt: 'x', max_tokens: CONTEXT + 1 }, [400]],
      [{ prompt: 'x'.repeat(BODY_BYTES) }, [413]],
      [{ prompt: 'x', n: 64 }, [400]],
      [{ prompt: 'x', n: 32, max_tokens: 2 }, [200, 429]],
    ][i]
    const reply = await post('/v1/completions', body)
    await reply.text()
    expectStatus('overLimit', reply, statuses)
    await sleep(50)
  },
}

/** Repeats one kind of request until the end. */
async function run(kind) {
  while (!stop) {
    try {
      await kinds[kind]()
    } catch (error) {
      complain(kind, error?.cause ?? error)
    }
    counts[kind] = (counts[kind] ?? 0) + 1
  }
}

const rss = []
const began = performance.now()
const elapsed = () => (performance.now() - began) / 1000
const sampler = setInterval(() => {
  if (server.exitCode !== null || server.signalCode !== null) {
    clearInterval(sampler)
    return complain('server', `ended with ${server.exitCode ?? server.signalCode}`)
  }
  const status = readFileSync(`/proc/${server.pid}/status`, 'utf8')
  rss.push({ at: elapsed(), mib: Number(/VmRSS:\s+(\d+)/.exec(status)[1]) / 1024 })
}, 500)

const warmUp = Math.min(10, seconds / 5)
const workers = [run('short'), run('short')]
await sleep(warmUp * 1000)
mixed = true
for (const kind of ['long', 'chat', 'chat', 'cancelled', 'malformed', 'overLimit'])
  workers.push(run(kind))
await sleep((seconds - warmUp) * 1000)
stop = true
await Promise.all(workers)
clearInterval(sampler)
let metrics = ''
const metric = name => Number(new RegExp(`^kogrpo_${name} (.*)$`, 'm').exec(metrics)[1])
// The last cancelled requests end when the server has seen that their connections did.
for (let tries = 0; tries < 100; tries++) {
  metrics = await (await fetch(`${url}/metrics`)).text()
  if (metric('cache_pages_used') === 0) break
  await sleep(100)
}
server.kill('SIGTERM')
const ended = await exited

const quantile = (list, q) => {
  const sorted = [...list].sort((a, b) => a - b)
  return Number(
    (sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN).toFixed(1),
  )
}
const during = (from, to) => rss.filter(s => s.at >= from && s.at < to).map(s => s.mib)
const settled = Math.min(60, seconds / 2)
const early = quantile(during(settled, settled + Math.max(10, (seconds - settled) / 9)), 0.5)
const late = quantile(during(seconds - Math.max(2, (seconds - settled) / 9), seconds + 60), 0.5)
const short = {
  n: latencies.beside.length,
  p50_ms: quantile(latencies.beside, 0.5),
  p99_ms: quantile(latencies.beside, 0.99),
}
const result = {
  seconds,
  model: values.model,
  processor: cpus()[0]?.model,
  requests: counts,
  queue_full: queueFull,
  unexpected: unexpected.length,
  examples: unexpected.slice(0, 5),
  short_alone: {
    n: latencies.alone.length,
    p50_ms: quantile(latencies.alone, 0.5),
    p99_ms: quantile(latencies.alone, 0.99),
  },
  short_beside_long: short,
  memory_mib: {
    after_first_minute: early,
    at_the_end: late,
    ratio: Number((late / early).toFixed(3)),
  },
  pages_used_at_the_end: metric('cache_pages_used'),
  preemptions: metric('preemptions_total'),
  generated_tokens: metric('generated_tokens_total'),
  prefix_rows: metric('prefix_rows_total'),
  exit_code: ended.code,
}
const text = `${JSON.stringify(result, null, 2)}\n`
process.stdout.write(text)
if (values.output) writeFileSync(values.output, text)
// In these words, so that what was never measured (NaN) is a bar missed.
const met =
  result.unexpected === 0 &&
  ended.code === 0 &&
  result.pages_used_at_the_end === 0 &&
  short.p99_ms <= 2000 &&
  (seconds < 120 || result.memory_mib.ratio <= 1.05)
process.exitCode = met ? 0 : 1
