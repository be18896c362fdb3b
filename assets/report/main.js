// Puts the page together from the data of one run, or of several to compare.

import { figure, forgetPlots, setSmoothing, smoothingNow, timeBars } from './charts.js'
import { completionBrowser } from './completions.js'
import { h, labelled, select, unpack } from './dom.js'
import { groupMetrics } from './metrics.js'
import { guardDecisions, heading, oracleTables, results } from './results.js'
import { say } from './words.js'

let chosenStage = null

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
    value: smoothingNow(),
    oninput: () => setSmoothing(Number(slider.value)),
  })
  const choice = select(
    stages.map(stage => [stage, stage]),
    chosenStage,
    stage => {
      chosenStage = stage
      show()
    },
  )
  return h(
    'section',
    { id: 'curves' },
    h('h2', {}, say('Curves')),
    h(
      'div',
      { className: 'controls' },
      labelled(say('Stage'), choice),
      labelled(say('Smoothing'), slider),
    ),
    h('div', { className: 'grid' }, figures, data.length === 1 ? timeBars(data[0].series) : null),
  )
}

function render(runs) {
  forgetPlots()
  const place = h('div', { className: 'place' })
  // Another stage is other curves; the rest of the page stays as it is.
  const showCurves = () => {
    forgetPlots()
    const focused = place.contains(document.activeElement)
    place.replaceChildren(...[curves(runs, showCurves)].filter(part => part !== null))
    if (focused) place.querySelector('select')?.focus()
  }
  showCurves()
  const recipe = runs.map(run =>
    h(
      'details',
      {},
      h('summary', {}, say('Recipe of {name}', { name: run.name })),
      h('pre', { tabIndex: 0 }, JSON.stringify(run.recipe, null, 2)),
    ),
  )
  const parts = [
    heading(runs),
    results(runs),
    oracleTables(runs),
    guardDecisions(runs),
    place,
    ...runs.map(run => completionBrowser(run, runs.length > 1)),
    h('section', {}, h('h2', {}, say('Recipe')), recipe),
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
    const typing = document.activeElement?.closest('form.controls')
    if (!answer?.ok || typing) return
    tag = answer.headers.get('ETag')
    render(await unpack(await answer.text()))
  }, 3000)
}

start()
