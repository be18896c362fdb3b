// node bench/sandbox.mjs HumanEval.jsonl[.gz] [OUTPUT.json]: the sandbox of the code reward. Which canonical
// solutions pass, which empty bodies fail, and how many programs a second it runs, all of them and trivial ones.
// Needs the compiled program (npm run build:ts) and bubblewrap.
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { gunzipSync } from 'node:zlib'
import { BubblewrapRunner } from '../dist/sandbox/bubblewrap.js'

const [file, output] = process.argv.slice(2)
if (!file) {
  console.error('usage: node bench/sandbox.mjs HumanEval.jsonl[.gz] [OUTPUT.json]')
  process.exit(2)
}
const bytes = readFileSync(file)
const problems = (file.endsWith('.gz') ? gunzipSync(bytes) : bytes)
  .toString()
  .trim()
  .split('\n')
  .map(line => JSON.parse(line))

const runner = new BubblewrapRunner()

/** Runs programs as fast as the runner takes them: how many passed, and how long it took. */
async function run(jobs) {
  const started = performance.now()
  const results = await Promise.all(
    jobs.map(job => runner.run({ language: 'python', timeoutMs: 10_000, ...job })),
  )
  const seconds = (performance.now() - started) / 1000
  return {
    programs: jobs.length,
    passed: results.filter(({ passed, total }) => passed === total && total > 0).length,
    programs_per_s: Number((jobs.length / seconds).toFixed(1)),
  }
}
const withBodies = body =>
  problems.map(problem => ({
    code: `${problem.prompt}${body(problem)}`,
    tests: problem.test,
    entryPoint: problem.entry_point,
  }))

const report = {
  date: new Date().toISOString().slice(0, 10),
  processors: availableParallelism(),
  canonical: await run(withBodies(({ canonical_solution }) => canonical_solution)),
  empty: await run(withBodies(() => '    pass\n')),
  trivial: await run(
    Array.from({ length: 200 }, (_, i) => ({
      code: `def f(x):\n  return x + ${i}\n`,
      tests: `assert f(1) == ${i + 1}`,
      entryPoint: null,
    })),
  ),
}
console.log(JSON.stringify(report, null, 2))
if (output) writeFileSync(output, `${JSON.stringify(report, null, 2)}\n`)
const { canonical, empty, trivial } = report
const right =
  canonical.passed === canonical.programs && empty.passed === 0 && trivial.passed === 200
process.exitCode = right ? 0 : 1
