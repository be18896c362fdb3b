// Plots: one figure a group of metrics, drawn by uPlot. Colours follow the page's theme.

import { debounce, h, short } from './dom.js'
import { TIME } from './metrics.js'
import { say } from './words.js'

/** Distinguishable by people with colour-vision deficiencies; one list for each theme. */
const COLOURS = {
  light: ['#0060a8', '#c2410c', '#00785a', '#a3327e', '#8a6100', '#3f7fb5', '#5b3fa0', '#4b5563'],
  dark: ['#6cb6f5', '#f59e6c', '#4fd1a5', '#f08fc8', '#e8c15a', '#a5d3f7', '#b9a3f5', '#b6bec9'],
}
const drawn = new Set()
/** Weight of the past in the moving average that curves are drawn as; 0 draws them as they are. */
let smoothing = 0

function theme() {
  return matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'
}

/** Exponential moving average with its start corrected, over the numbers; null stays null. */
function smooth(values, weight) {
  if (weight === 0) return values
  let [mean, mass] = [0, 0]
  return values.map(value => {
    if (value === null) return null
    mean = weight * mean + (1 - weight) * value
    mass = weight * mass + (1 - weight)
    return mean / mass
  })
}

/**
 * A figure. `lines`: [{label, steps, values}]. Values that lie apart (evaluations every so many steps)
 * are connected; a line of a single value is a dot.
 */
export function figure(title, about, lines) {
  const plot = h('div', { className: 'plot' })
  const element = h(
    'figure',
    {},
    h('figcaption', {}, h('h3', {}, title), about ? h('p', {}, about) : null),
    plot,
    legend(lines),
  )
  const entry = { plot, lines, chart: null, seen: false }
  drawn.add(entry)
  observer.observe(plot)
  plots.set(plot, entry)
  plot.setAttribute('role', 'img')
  plot.setAttribute('aria-label', `${title}: ${lines.map(describeLine).join('; ')}`)
  return element
}

function describeLine({ label, values }) {
  const numbers = values.filter(value => value !== null)
  return say('{label} from {first} to {last}', {
    label,
    first: short(numbers[0]),
    last: short(numbers.at(-1)),
  })
}

function legend(lines) {
  return h(
    'ul',
    { className: 'legend' },
    lines.map(({ label, values }, i) =>
      h(
        'li',
        {},
        h('span', { className: `swatch c${i % 8}`, 'aria-hidden': 'true' }),
        `${label} `,
        h('b', {}, short(values.filter(value => value !== null).at(-1))),
      ),
    ),
  )
}

const plots = new WeakMap()
/** Only plots that are in view are drawn: a page may have a hundred. */
const observer = new IntersectionObserver(
  entries => {
    for (const { target, isIntersecting } of entries) {
      const entry = plots.get(target)
      if (!isIntersecting || !entry || entry.seen) continue
      entry.seen = true
      draw(entry)
    }
  },
  { rootMargin: '300px' },
)

/** A little air above and below; a constant gets a range of its own size around it. */
function yRange(_chart, low, high) {
  if (low === null) return [0, 1]
  const air = low === high ? Math.abs(low) || 1 : (high - low) * 0.05
  return [low >= 0 ? Math.max(0, low - air) : low - air, high + air]
}

/** Whether line `i` lies on an earlier one, which it would hide: it is dashed, so that both are seen. */
function coincides(rows, i) {
  let [low, high] = [Infinity, -Infinity]
  for (const value of rows.flat()) {
    if (value === null) continue
    low = Math.min(low, value)
    high = Math.max(high, value)
  }
  const near = (high - low) / 100
  return rows.slice(0, i).some(earlier => {
    const apart = earlier.filter((value, k) => !(Math.abs(value - rows[i][k]) <= near)).length
    return apart <= earlier.length / 4
  })
}

function draw(entry) {
  const { plot, lines } = entry
  entry.chart?.destroy()
  const colours = COLOURS[theme()]
  const style = getComputedStyle(document.documentElement)
  const [ink, grid] = ['--ink-soft', '--line'].map(name => style.getPropertyValue(name).trim())
  const steps = [...new Set(lines.flatMap(line => line.steps))].sort((a, b) => a - b)
  const rows = lines.map(line => {
    const values = smooth(line.values, smoothing)
    const at = new Map(line.steps.map((step, i) => [step, values[i]]))
    return steps.map(step => at.get(step) ?? null)
  })
  const axis = { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 } }
  const options = {
    width: Math.max(200, plot.clientWidth),
    height: 200,
    legend: { show: false },
    cursor: { y: false, points: { size: 6 } },
    scales: { x: { time: false }, y: { range: yRange } },
    axes: [
      { ...axis, size: 28 },
      { ...axis, size: 56, values: (_chart, ticks) => ticks.map(short) },
    ],
    series: [
      {},
      ...lines.map((line, i) => ({
        label: line.label,
        stroke: colours[i % 8],
        width: 2,
        spanGaps: true,
        dash: coincides(rows, i) || i >= 8 ? [6, 6] : undefined,
        points: { show: rows[i].filter(value => value !== null).length < 12, size: 5 },
      })),
    ],
    hooks: { setCursor: [chart => showValues(entry, chart, steps, rows)] },
  }
  plot.replaceChildren()
  entry.chart = new globalThis.uPlot(options, [steps, ...rows], plot)
}

/** The legend's numbers follow the cursor, and are the last ones without it. */
function showValues({ plot, lines }, chart, steps, rows) {
  const index = chart.cursor.idx
  const places = plot.parentElement.querySelectorAll('.legend b')
  lines.forEach((line, i) => {
    const last = line.values.filter(value => value !== null).at(-1)
    const at = index === null || index === undefined ? last : rows[i][index]
    places[i].textContent = short(at)
  })
  plot.parentElement.dataset.step = index === null ? '' : say('step {step}', { step: steps[index] })
}

/** Draws every curve as a moving average with `weight` of the past, 0 up to below 1. */
export function setSmoothing(weight) {
  smoothing = weight
  redraw()
}

/** The weight that curves are drawn with. */
export function smoothingNow() {
  return smoothing
}

function redraw() {
  for (const entry of drawn) if (entry.seen && entry.plot.isConnected) draw(entry)
}

export function forgetPlots() {
  for (const entry of drawn) entry.chart?.destroy()
  drawn.clear()
}

addEventListener('resize', debounce(redraw))
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw)

/** Mean seconds of each phase of a step, as bars. */
export function timeBars(series) {
  const mean = values => {
    const numbers = values.filter(value => value !== null)
    return numbers.reduce((sum, value) => sum + value, 0) / Math.max(1, numbers.length)
  }
  const phases = Object.entries(series)
    .filter(([key]) => TIME.test(key) && key !== 'timing_s/step' && !key.includes('latency'))
    .map(([key, values]) => [key.slice('timing_s/'.length), mean(values)])
    .sort((a, b) => b[1] - a[1])
  if (phases.length === 0) return null
  const whole = series['timing_s/step'] ? mean(series['timing_s/step']) : phases[0][1]
  return h(
    'figure',
    {},
    h(
      'figcaption',
      {},
      h('h3', {}, say('Where the time goes')),
      h('p', {}, say('A step takes {seconds} s in the mean.', { seconds: short(whole) })),
    ),
    h(
      'table',
      { className: 'bars' },
      h(
        'tbody',
        {},
        phases.map(([name, seconds]) =>
          h(
            'tr',
            {},
            h('th', { scope: 'row' }, name),
            h('td', {}, `${short(seconds)} s`),
            h(
              'td',
              { className: 'bar' },
              h('span', { style: `width:${Math.min(100, (100 * seconds) / whole)}%` }),
            ),
          ),
        ),
      ),
    ),
  )
}
