/**
 * The curves as one SVG, five columns (seeds) by two rows: true accuracy on held-out problems above,
 * and below the checker's reward in training (mean of 15 steps) with the share of its passes that
 * the judge rejects. Colours follow the reader's light or dark scheme; nothing is loaded.
 */
import { movingMeans } from './analysis.mjs'

const WIDTH = 1100
const [LEFT, RIGHT, TOP, GAP] = [52, 12, 84, 16]
const PANEL_HEIGHT = 150
const ROW_GAP = 40
const HEIGHT = TOP + 2 * PANEL_HEIGHT + ROW_GAP + 44
const SMOOTHING = 15

const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600; font-size: 13px }
  .frame { fill: none; stroke: #8c959f; stroke-width: 1 }
  .grid { stroke: #8c959f; stroke-opacity: .25 }
  .checker { stroke: #c2410c } .oracle { stroke: #0969da } .rejected { stroke: #c2410c; stroke-dasharray: 3 3 }
  .line { fill: none; stroke-width: 2; stroke-linejoin: round }
  .trip { stroke: #9a6700; stroke-width: 1.5; stroke-dasharray: 2 3 } .mark { fill: #9a6700 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .mark { fill: #e3b341 } .trip { stroke: #e3b341 }
    .checker, .rejected { stroke: #ff9a5c } .oracle { stroke: #58a6ff }
  }`

const round = x => Number(x.toFixed(1))

function path(points, place, kind) {
  const d = points.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${place(x, y).join(' ')}`).join('')
  return `<path class="line ${kind}" d="${d}"/>`
}

/** A column of the training rows, smoothed, as points; empty values are left out first. */
function trained({ training }, name) {
  const at = training.columns.indexOf(name)
  const known = training.rows.filter(row => row[at] !== null)
  const steps = movingMeans(
    known.map(row => row[0]),
    SMOOTHING,
  )
  const values = movingMeans(
    known.map(row => row[at]),
    SMOOTHING,
  )
  return steps.map((step, i) => [step, values[i]])
}

function panel(x, y, width, steps, lines, trip) {
  const place = (step, value) => [
    round(x + (width * step) / steps),
    round(y + PANEL_HEIGHT * (1 - value)),
  ]
  const grid = [0.25, 0.5, 0.75].map(
    v => `<path class="grid" d="M${x} ${place(0, v)[1]}h${width}"/>`,
  )
  const mark =
    trip === undefined ? '' : `<path class="trip" d="M${place(trip, 0)[0]} ${y}v${PANEL_HEIGHT}"/>`
  return [
    `<rect class="frame" x="${x}" y="${y}" width="${width}" height="${PANEL_HEIGHT}"/>`,
    ...grid,
    mark,
    ...lines.map(([points, kind]) => path(points, place, kind)),
  ].join('\n')
}

function axis(y) {
  return [0, 0.5, 1]
    .map(v => {
      const at = round(y + PANEL_HEIGHT * (1 - v) + 4)
      return `<text x="${LEFT - 6}" y="${at}" text-anchor="end">${100 * v} %</text>`
    })
    .join('\n')
}

const LEGEND = [
  ['checker', 'checker alone'],
  ['oracle', 'with the oracle'],
  ['rejected', "of the checker's passes, those the judge rejects (checker alone)"],
  ['trip', 'a guard trips (checker alone)'],
]

function legend() {
  let x = LEFT
  return LEGEND.map(([kind, words]) => {
    const at = x
    x += 44 + 6.4 * words.length
    const swatch = `<path class="${kind === 'trip' ? 'trip' : `line ${kind}`}" d="M${at} 20h22"/>`
    return `${swatch}<text x="${at + 28}" y="24">${words}</text>`
  }).join('\n')
}

/** `curves` as in curves.json; the SVG as text. */
export function drawCurves(curves) {
  const width = round((WIDTH - LEFT - RIGHT - GAP * (curves.length - 1)) / curves.length)
  const lower = TOP + PANEL_HEIGHT + ROW_GAP
  const columns = curves.map(({ seed, checker, oracle }, i) => {
    const x = round(LEFT + i * (width + GAP))
    const steps = checker.evaluation.at(-1)[0]
    const trip = checker.guards[0]?.step
    return [
      `<text class="title" x="${x}" y="${TOP - 8}">seed ${seed}</text>`,
      panel(
        x,
        TOP,
        width,
        steps,
        [
          [oracle.evaluation, 'oracle'],
          [checker.evaluation, 'checker'],
        ],
        trip,
      ),
      panel(
        x,
        lower,
        width,
        steps,
        [
          [trained(oracle, 'checker_reward'), 'oracle'],
          [trained(checker, 'checker_reward'), 'checker'],
          [trained(checker, 'false_positives'), 'rejected'],
        ],
        trip,
      ),
      `<text x="${x}" y="${lower + PANEL_HEIGHT + 16}">0</text>`,
      `<text x="${round(x + width)}" y="${lower + PANEL_HEIGHT + 16}" text-anchor="end">${steps} steps</text>`,
    ].join('\n')
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="True accuracy and the checker's reward over training, for each seed">
<style>${STYLE}
</style>
${legend()}
<text x="${LEFT}" y="${TOP - 28}">true accuracy, held out</text>
<text x="${LEFT}" y="${lower - 8}">the checker's reward in training</text>
${axis(TOP)}
${axis(lower)}
${columns.join('\n')}
</svg>
`
}
