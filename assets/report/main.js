// Puts the page together from the data of one run, or of several to compare.

import { figure, forgetPlots, setSmoothing, timeBars } from './charts.js'
import { completionBrowser } from './completions.js'
import { h, labelled, percent, select, short, unpack } from './dom.js'
import { groupMetrics } from './metrics.js'

const STAGE_TITLES = { base: 'base', sft: 'SFT', rl: 'RL' }
const COMPARISONS = {
  sft_minus_base: 'SFT − base',
  rl_minus_sft: 'RL − SFT',
  rl_minus_base: 'RL − base',
}
let chosenStage = null

function heading(runs) {
  const parts = runs.map(run => {
    const steps = run.stages.map(({ stage, steps }) => `${stage} ${steps.at(-1)}`).join(', ')
    const state = run.summary
      ? `finished in ${Math.round(run.summary.wall_s)} s`
      : 'under way or stopped'
    return h(
      'p',
      {},
      h('b', {}, run.name),
      ` – seed ${run.recipe.seed}, steps: ${steps || 'none yet'}; ${state}`,
    )
  })
  return h(
    'header',
    { className: 'top' },
    h('h1', {}, runs.length === 1 ? runs[0].name : 'Runs compared'),
    parts,
  )
}

function results(runs) {
  const rows = runs.flatMap(run =>
    ['base', 'sft', 'rl'].flatMap(stage => {
      const entry = run.summary?.[stage]
      return entry ? [{ run: run.name, stage, entry }] : []
    }),
  )
  if (rows.length === 0) return null
  const columns = [
    ...(runs.length > 1 ? ['run'] : []),
    'model',
    'accuracy',
    '95 % interval',
    'thinks in Korean',
    'format',
    'mean length',
    'n',
  ]
  const differences = runs.flatMap(run =>
    Object.entries(run.summary?.paired_differences ?? {}).map(([name, { accuracy }]) => {
      const points = value => `${value >= 0 ? '+' : '−'}${Math.abs(value * 100).toFixed(1)}`
      const [low, high] = accuracy.ci95
      const verdict = low <= 0 && high >= 0 ? ' – inside the noise' : ''
      return h(
        'li',
        {},
        `${runs.length > 1 ? `${run.name}: ` : ''}${COMPARISONS[name]}: ${points(accuracy.difference)} points of accuracy (95 %: ${points(low)} … ${points(high)}, n = ${accuracy.n})${verdict}`,
      )
    }),
  )
  return h(
    'section',
    { id: 'results' },
    h('h2', {}, 'Held-out results'),
    h(
      'div',
      { className: 'scroll', tabIndex: 0, role: 'region', 'aria-label': 'Table of results' },
      h(
        'table',
        { className: 'results' },
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            columns.map(name => h('th', { scope: 'col' }, name)),
          ),
        ),
        h(
          'tbody',
          {},
          rows.map(({ run, stage, entry }) =>
            h(
              'tr',
              {},
              runs.length > 1 ? h('th', { scope: 'row' }, run) : null,
              h('th', { scope: 'row' }, STAGE_TITLES[stage]),
              [
                percent(entry.accuracy),
                `${percent(entry.accuracy_ci95[0])} … ${percent(entry.accuracy_ci95[1])}`,
                percent(entry.korean_thinking_rate),
                percent(entry.format_rate),
                short(entry.mean_length),
                String(entry.n),
              ].map(text => h('td', {}, text)),
            ),
          ),
        ),
      ),
    ),
    h('ul', {}, differences),
  )
}

function guardDecisions(runs) {
  const items = runs.flatMap(run =>
    (run.summary?.guards ?? []).map(decision =>
      h(
        'li',
        {},
        `${runs.length > 1 ? `${run.name}: ` : ''}step ${decision.step}: ${decision.action} – ${decision.message ?? decision.reason ?? ''}`,
      ),
    ),
  )
  if (items.length === 0) return null
  return h('section', { id: 'guards' }, h('h2', {}, 'Decisions of the guards'), h('ul', {}, items))
}

function curves(runs, show) {
  const stages = [...new Set(runs.flatMap(run => run.stages.map(({ stage }) => stage)))]
  if (stages.length === 0) return null
  chosenStage = stages.includes(chosenStage) ? chosenStage : stages.at(-1)
  const data = runs.flatMap(run => {
    const entry = run.stages.find(({ stage }) => stage === chosenStage)
    return entry ? [{ run, ...entry }] : []
  })
  const keys = [...new Set(data.flatMap(({ series }) => Object.keys(series)))]
  const line = ({ steps, series }, key, label) => ({ label, steps, values: series[key] })
  const figures = groupMetrics(
    keys.filter(key => data.some(({ series }) => series[key]?.some(value => value !== null))),
  ).flatMap(({ title, about, keys: members }) =>
    runs.length === 1
      ? [
          figure(
            title,
            about,
            members.map(key => line(data[0], key, key)),
          ),
        ]
      : members.map(key =>
          figure(
            key,
            about,
            data.filter(({ series }) => series[key]).map(entry => line(entry, key, entry.run.name)),
          ),
        ),
  )
  const slider = h('input', {
    type: 'range',
    min: 0,
    max: 0.98,
    step: 0.02,
    value: 0,
    oninput: () => setSmoothing(Number(slider.value)),
  })
  return h(
    'section',
    { id: 'curves' },
    h('h2', {}, 'Curves'),
    h(
      'div',
      { className: 'controls' },
      labelled(
        'Stage',
        select(
          stages.map(stage => [stage, stage]),
          chosenStage,
          stage => {
            chosenStage = stage
            show()
          },
        ),
      ),
      labelled('Smoothing', slider),
    ),
    h('div', { className: 'grid' }, figures, data.length === 1 ? timeBars(data[0].series) : null),
  )
}

function render(runs) {
  const show = () => render(runs)
  forgetPlots()
  const recipe = runs.map(run =>
    h(
      'details',
      {},
      h('summary', {}, `Recipe of ${run.name}`),
      h('pre', { tabIndex: 0 }, JSON.stringify(run.recipe, null, 2)),
    ),
  )
  const parts = [
    heading(runs),
    results(runs),
    guardDecisions(runs),
    curves(runs, show),
    ...runs.map(completionBrowser),
    h('section', {}, h('h2', {}, 'Recipe'), recipe),
  ]
  document.getElementById('page').replaceChildren(...parts.filter(part => part !== null))
}

async function start() {
  render(await unpack(document.getElementById('data').textContent))
  const { live } = document.body.dataset
  if (!live) return
  let tag = null
  setInterval(async () => {
    const answer = await fetch(live, tag ? { headers: { 'If-None-Match': tag } } : {}).catch(
      () => null,
    )
    if (!answer?.ok) return
    tag = answer.headers.get('ETag')
    const typing = document.activeElement?.closest('form.controls')
    if (!typing) render(await unpack(await answer.text()))
  }, 3000)
}

start()
