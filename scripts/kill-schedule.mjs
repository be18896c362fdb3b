/**
 * kill -9 at random instants: `node scripts/kill-schedule.mjs [--runs 200] [--seed 1] [--jobs 1]
 * [--output bench/reliability/kill-schedule.json]`.
 *
 * The tiny recipe of kill-run.mjs runs once undisturbed, on_policy and one_step_off (`rollout_mode`). Then,
 * `runs` times, four of one mode and four of the other in turn: the same command is started, its process killed
 * with SIGKILL at an instant drawn from the seeded schedule, anywhere in the run's time, and started again with
 * `--resume auto`, until it ends; one run in four is killed a second time. What lies in the run directory must
 * then be what the undisturbed run left, byte by byte: models, the saved state, metrics and completions, summary;
 * measurements of time are left out, and nothing half-written or half-removed may be left over. Exits with 1 if
 * any run differs.
 */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { differences, fingerprint, kogrpo, recipeOf, writeModel } from './kill-run.mjs'

/** Numbers in [0, 1) that follow from the seed (mulberry32). @param {number} seed */
function generator(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/** Where a killed run stood: its states, and what it was writing. @param {string} directory */
function standing(directory) {
  try {
    return readdirSync(join(directory, 'checkpoints')).join(' ')
  } catch {
    return ''
  }
}

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    jobs: { type: 'string', default: '1' },
    output: { type: 'string' },
  },
})
const [runs, seed, jobs] = [values.runs, values.seed, values.jobs].map(Number)
const parent = mkdtempSync(join(tmpdir(), 'kogrpo-kill-'))
writeModel(join(parent, 'model'))
/** @param {string} mode @param {string} directory */
const command = (mode, directory) => [
  'train',
  join(parent, `${mode}.json`),
  ...['--output-dir', directory, '--resume', 'auto'],
]

/** What an undisturbed run of each mode leaves, and the seconds it takes. */
const undisturbed = new Map()
for (const mode of /** @type {const} */ (['on_policy', 'one_step_off'])) {
  writeFileSync(join(parent, `${mode}.json`), JSON.stringify(recipeOf(join(parent, 'model'), mode)))
  // As many at a time as there will be: their time is what the instants are drawn from.
  const directories = Array.from({ length: jobs }, (_, i) => join(parent, `${mode}-${i}`))
  const made = await Promise.all(directories.map(directory => kogrpo(command(mode, directory))))
  for (const { code, log } of made) {
    if (code !== 0) throw new Error(`an undisturbed run failed:\n${log}`)
  }
  const seconds = made.reduce((sum, each) => sum + each.seconds, 0) / jobs
  const files = fingerprint(directories[0])
  undisturbed.set(mode, { seconds, files })
  process.stderr.write(
    `undisturbed, ${mode}: ${seconds.toFixed(2)} s, ${Object.keys(files).length} files\n`,
  )
}

const random = generator(seed)
const schedule = Array.from({ length: runs }, (_, run) => ({
  run,
  mode: run % 8 < 4 ? 'on_policy' : 'one_step_off',
  // In shares of the undisturbed run's time.
  kills: run % 4 === 3 ? [random(), random()] : [random()],
}))

const results = []
async function worker() {
  for (let next = schedule.shift(); next; next = schedule.shift()) {
    const directory = join(parent, `run-${next.run}`)
    const { seconds, files } = undisturbed.get(next.mode)
    const kills = []
    for (const share of next.kills) {
      const { signal } = await kogrpo(command(next.mode, directory), {
        killAfter: share * seconds,
      })
      kills.push({
        share: Number(share.toFixed(6)),
        killed: signal === 'SIGKILL',
        left: standing(directory),
      })
      // Ended before its instant: a run that is whole is not begun again.
      if (signal !== 'SIGKILL') break
    }
    const last = kills.at(-1)
    const end = last.killed ? await kogrpo(command(next.mode, directory)) : { code: 0, log: '' }
    const differs = end.code === 0 ? differences(files, fingerprint(directory)) : ['it failed']
    results.push({
      run: next.run,
      mode: next.mode,
      kills,
      equal: differs.length === 0,
      ...(differs.length > 0 ? { differs, log: end.log.slice(-2000) } : {}),
    })
    if (differs.length > 0)
      process.stderr.write(`run ${next.run}: ${differs.join(', ')}\n${end.log}\n`)
    else rmSync(directory, { recursive: true })
    process.stderr.write(
      `\r${results.length}/${runs}, ${results.filter(r => r.equal).length} equal `,
    )
  }
}
await Promise.all(Array.from({ length: jobs }, worker))
results.sort((a, b) => a.run - b.run)

const all = results.flatMap(({ kills }) => kills)
const report = {
  command: `node scripts/kill-schedule.mjs --runs ${runs} --seed ${seed} --jobs ${jobs}`,
  undisturbed_seconds: Object.fromEntries(
    [...undisturbed].map(([mode, { seconds }]) => [mode, Number(seconds.toFixed(2))]),
  ),
  runs,
  equal: results.filter(({ equal }) => equal).length,
  kills: all.filter(({ killed }) => killed).length,
  ended_before_their_kill: all.filter(({ killed }) => !killed).length,
  killed_before_the_first_state: all.filter(
    ({ killed, left }) => killed && !/(^| )state-/.test(left),
  ).length,
  killed_while_a_state_was_written: all.filter(
    ({ killed, left }) => killed && /\.(partial|old|gone)( |$)/.test(left),
  ).length,
  results,
}
process.stderr.write('\n')
if (values.output) writeFileSync(values.output, `${JSON.stringify(report, null, 1)}\n`)
else process.stdout.write(`${JSON.stringify({ ...report, results: undefined }, null, 2)}\n`)
if (report.equal === runs) rmSync(parent, { recursive: true })
process.exitCode = report.equal === runs ? 0 : 1
