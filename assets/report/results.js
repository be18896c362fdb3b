// What a run came to: its heading, the held-out results, what the oracle said, what the guards decided.

import { h, percent, short } from './dom.js'
import { say } from './words.js'

const STAGE_TITLES = { base: 'base', sft: 'SFT', rl: 'RL' }
const COMPARISONS = {
  sft_minus_base: 'SFT − base',
  rl_minus_sft: 'RL − SFT',
  rl_minus_base: 'RL − base',
}

export function heading(runs) {
  const parts = runs.map(run => {
    const steps = run.stages.map(({ stage, steps: at }) => `${stage} ${at.at(-1)}`).join(', ')
    const state = run.summary
      ? say('finished in {seconds} s', { seconds: Math.round(run.summary.wall_s) })
      : say('under way or stopped')
    const about = say('seed {seed}, steps: {steps}; {state}', {
      seed: run.recipe.seed,
      steps: steps || say('none yet'),
      state,
    })
    return h('p', {}, h('b', {}, run.name), ` – ${about}`)
  })
  return h(
    'header',
    { className: 'top' },
    h('h1', {}, runs.length === 1 ? runs[0].name : say('Runs compared')),
    parts,
  )
}

/** A table that scrolls by itself where the screen is narrow. */
function table(label, head, rows) {
  return h(
    'div',
    { className: 'scroll', tabIndex: 0, role: 'region', 'aria-label': label },
    h(
      'table',
      { className: 'results' },
      h('thead', {}, h('tr', {}, head)),
      h(
        'tbody',
        {},
        rows.map(row => h('tr', {}, ...row)),
      ),
    ),
  )
}

const column = text => h('th', { scope: 'col' }, text)
const rowHead = text => h('th', { scope: 'row' }, text)
const cell = text => h('td', {}, text)

export function results(runs) {
  const several = runs.length > 1
  const rows = runs.flatMap(run =>
    ['base', 'sft', 'rl'].flatMap(stage => {
      const entry = run.summary?.[stage]
      return entry ? [{ run: run.name, stage, entry }] : []
    }),
  )
  if (rows.length === 0) return null
  const head = [
    ...(several ? [say('run')] : []),
    say('model'),
    say('accuracy'),
    say('95 % interval'),
    say('thinks in Korean'),
    say('format'),
    say('mean length'),
    'n',
  ]
  const body = rows.map(({ run, stage, entry }) => [
    several ? rowHead(run) : null,
    rowHead(STAGE_TITLES[stage]),
    [
      percent(entry.accuracy),
      `${percent(entry.accuracy_ci95[0]).replace(' %', '')} … ${percent(entry.accuracy_ci95[1])}`,
      percent(entry.korean_thinking_rate),
      percent(entry.format_rate),
      short(entry.mean_length),
      String(entry.n),
    ].map(cell),
  ])
  const of = run => (several ? `${run.name}: ` : '')
  return h(
    'section',
    { id: 'results' },
    h('h2', {}, say('Held-out results')),
    table(say('Table of results'), head.map(column), body.map(withoutNull)),
    h(
      'ul',
      {},
      runs.flatMap(run => differences(run).map(text => h('li', {}, of(run) + text))),
      runs.flatMap(run => best(run).map(text => h('li', {}, of(run) + text))),
    ),
  )
}

const withoutNull = parts => parts.filter(part => part !== null)

function points(share) {
  return `${share >= 0 ? '+' : '−'}${Math.abs(share * 100).toFixed(1)}`
}

/** Paired differences in words; one whose interval holds 0 is called so. */
function differences(run) {
  return Object.entries(run.summary?.paired_differences ?? {}).map(([name, { accuracy }]) => {
    const [low, high] = accuracy.ci95
    const text = say('{name}: {points} points of accuracy (95 %: {low} … {high}, n = {n})', {
      name: COMPARISONS[name],
      points: points(accuracy.difference),
      low: points(low),
      high: points(high),
      n: accuracy.n,
    })
    return low <= 0 && high >= 0 ? `${text} – ${say('inside the noise')}` : text
  })
}

function best(run) {
  return Object.entries(run.summary?.best ?? {}).map(([stage, { step, metric, value }]) =>
    say('best of {stage}: step {step}, {metric} {value}', {
      stage,
      step,
      metric,
      value: short(value),
    }),
  )
}

/** Checker against judge over the whole run, as a table of counts; its curves stand below. */
export function oracleTables(runs) {
  const several = runs.length > 1
  const shown = runs.filter(run => run.summary?.oracle)
  if (shown.length === 0) return null
  const head = [...(several ? [say('run')] : []), '', say('judge: right'), say('judge: wrong')]
  const rows = shown.flatMap(run => {
    const { tp, fp, fn, tn } = run.summary.oracle
    const name = several ? rowHead(run.name) : null
    return [
      [name, rowHead(say('checker: right')), cell(String(tp)), cell(String(fp))],
      [
        name?.cloneNode(true) ?? null,
        rowHead(say('checker: wrong')),
        cell(String(fn)),
        cell(String(tn)),
      ],
    ].map(withoutNull)
  })
  const lines = shown.map(run => {
    const { rule, agreement, kappa, calls, failures } = run.summary.oracle
    const text = say(
      'rule {rule}: agreement {agreement}, kappa {kappa}; {calls} verdicts asked for, {failures} failed',
      {
        rule,
        agreement: agreement === null ? '–' : percent(agreement),
        kappa: kappa === null ? '–' : kappa.toFixed(2),
        calls,
        failures,
      },
    )
    return h('li', {}, several ? `${run.name}: ${text}` : text)
  })
  return h(
    'section',
    { id: 'oracle' },
    h('h2', {}, say('Checker and judge')),
    table(
      say('Counts by checker and judge'),
      head.map(text => (text === '' ? h('td', {}) : column(text))),
      rows,
    ),
    h('ul', {}, lines),
  )
}

export function guardDecisions(runs) {
  const items = runs.flatMap(run =>
    (run.summary?.guards ?? []).map(({ step, action, message }) =>
      h(
        'li',
        {},
        `${runs.length > 1 ? `${run.name}: ` : ''}${say('step {step}: {action}', { step, action })} – ${message ?? ''}`,
      ),
    ),
  )
  if (items.length === 0) return null
  return h(
    'section',
    { id: 'guards' },
    h('h2', {}, say('Decisions of the guards')),
    h('ul', {}, items),
  )
}
