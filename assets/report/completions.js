// The browser of completions: filter, page through, and follow one prompt through time.

import { diffWords } from './diff.js'
import { debounce, h, labelled, select, short } from './dom.js'
import { COLOURINGS, colouredTokens } from './tokens.js'
import { say } from './words.js'

const PAGE = 20
const VERDICTS = [
  ['', say('any verdict')],
  ['fp', say('checker right, judge wrong')],
  ['fn', say('checker wrong, judge right')],
  ['tp', say('both right')],
  ['tn', say('both wrong')],
  ['failed', say('no verdict of the judge')],
]
const EVERYTHING = {
  stage: '',
  verdict: '',
  from: '',
  to: '',
  least: '',
  most: '',
  text: '',
  prompt: null,
}
/** What the reader chose, by run: it outlives a page that is made anew while the run goes on. */
const chosen = new Map()

function verdictOf({ checker, judge }) {
  if (judge === null || judge === undefined) return 'failed'
  if (checker === null || checker === undefined) return judge ? 'tp' : 'tn'
  return checker ? (judge ? 'tp' : 'fp') : judge ? 'fn' : 'tn'
}

function matches(row, filter) {
  return (
    (filter.stage === '' || row.stage === filter.stage) &&
    (filter.verdict === '' || verdictOf(row) === filter.verdict) &&
    (filter.from === '' || row.step >= Number(filter.from)) &&
    (filter.to === '' || row.step <= Number(filter.to)) &&
    (filter.least === '' || (row.reward ?? -Infinity) >= Number(filter.least)) &&
    (filter.most === '' || (row.reward ?? Infinity) <= Number(filter.most)) &&
    (filter.prompt === null || row.prompt === filter.prompt) &&
    (filter.text === '' || row.prompt.includes(filter.text) || row.completion.includes(filter.text))
  )
}

/** The section of a run's completions; null where it has none. `named`: its title names the run. */
export function completionBrowser(run, named) {
  const rows = run.completions
  if (rows.length === 0) return null
  const state = chosen.get(run.name) ?? { filter: { ...EVERYTHING }, page: 0, colour: 'logprob' }
  chosen.set(run.name, state)
  const { filter } = state
  const list = h('div', { className: 'cards' })
  const status = h('p', { className: 'status', 'aria-live': 'polite' })
  const meaning = h('p', { className: 'status' })
  const title = named ? say('Completions of {name}', { name: run.name }) : say('Completions')
  const pager = h('nav', { className: 'pager', 'aria-label': say('Pages of: {title}', { title }) })

  const show = () => {
    const found = rows.filter(row => matches(row, filter))
    const pages = Math.max(1, Math.ceil(found.length / PAGE))
    state.page = Math.min(state.page, pages - 1)
    const first = state.page * PAGE
    const following = filter.prompt !== null
    const count = { found: found.length, kept: rows.length, total: run.completionsTotal }
    status.textContent =
      run.completionsTotal > rows.length
        ? say("{found} of {kept} completions (an even selection of the run's {total})", count)
        : say('{found} of {kept} completions', count)
    const colouring = COLOURINGS.find(([value]) => value === state.colour)
    meaning.textContent = following
      ? say('Marked: words that came and went since the completion before.')
      : found.some(row => row.token_ends)
        ? colouring[2]
        : ''
    back.hidden = !following
    list.replaceChildren(
      ...found
        .slice(first, first + PAGE)
        .map((row, i) => card(row, following ? found[first + i - 1] : null, state.colour, follow)),
    )
    const turn = (by, text) => {
      const disabled = state.page + by < 0 || state.page + by >= pages
      return h('button', { type: 'button', disabled, onclick: () => turnTo(by) }, text)
    }
    pager.replaceChildren(
      turn(-1, say('← earlier')),
      h('span', {}, say('page {page} of {pages}', { page: state.page + 1, pages })),
      turn(1, say('later →')),
    )
  }
  const turnTo = by => {
    state.page += by
    show()
    // The buttons are new: whoever turned by keyboard turns on.
    const buttons = [...pager.querySelectorAll('button')]
    const same = buttons[by < 0 ? 0 : 1]
    ;(same.disabled ? buttons.find(button => !button.disabled) : same)?.focus({
      preventScroll: true,
    })
    status.scrollIntoView({ block: 'start' })
  }
  const set = key => value => {
    filter[key] = value
    state.page = 0
    show()
  }
  const follow = prompt => {
    set('prompt')(prompt)
    status.scrollIntoView({ block: 'start' })
  }
  const back = h(
    'button',
    { type: 'button', onclick: () => set('prompt')(null) },
    say('All prompts again'),
  )
  const colours = select(
    COLOURINGS.map(([value, text]) => [value, text]),
    state.colour,
    value => {
      state.colour = value
      show()
    },
  )
  const controls = [
    ...filterControls(rows, filter, set),
    rows.some(row => row.token_ends) ? labelled(say('Colour tokens by'), colours) : null,
    back,
  ]
  show()
  return h(
    'section',
    { id: named ? `completions-${run.name}` : 'completions', className: 'completions' },
    h('h2', {}, title),
    h('form', { className: 'controls', onsubmit: event => event.preventDefault() }, controls),
    status,
    meaning,
    list,
    pager,
  )
}

/** One control a filter; `set(key)(value)` applies it. */
function filterControls(rows, filter, set) {
  const stages = [...new Set(rows.map(row => row.stage))]
  const field = (type, key, more) =>
    h('input', {
      type,
      value: filter[key],
      ...more,
      oninput: debounce(event => set(key)(event.target.value)),
    })
  const number = (key, placeholder) => field('number', key, { step: 'any', placeholder })
  const all = [['', say('all')], ...stages.map(stage => [stage, stage])]
  return [
    labelled(say('Stage'), select(all, filter.stage, set('stage'))),
    labelled(say('Verdict'), select(VERDICTS, filter.verdict, set('verdict'))),
    labelled(say('From step'), number('from', say('first'))),
    labelled(say('To step'), number('to', say('last'))),
    labelled(say('Reward from'), number('least', say('least'))),
    labelled(say('Reward to'), number('most', say('most'))),
    labelled(say('Text'), field('search', 'text')),
  ]
}

function card(row, before, colour, follow) {
  const badge = (text, kind = '') => h('span', { className: `badge ${kind}` }, text)
  const verdict = verdictOf(row)
  const disagreed = VERDICTS.find(([value]) => value === verdict)
  return h(
    'article',
    { className: 'card' },
    h(
      'header',
      {},
      badge(`${row.stage}${row.step > 0 ? ` ${row.step}` : ''}`),
      row.judge === null || row.judge === undefined
        ? null
        : badge(row.judge ? say('right') : say('wrong'), row.judge ? 'good' : 'bad'),
      verdict === 'fp' || verdict === 'fn' ? badge(disagreed[1], 'warn') : null,
      row.reward === null ? null : badge(say('reward {value}', { value: short(row.reward) })),
      row.advantage === null
        ? null
        : badge(say('advantage {value}', { value: short(row.advantage) })),
      badge(say('{count} tokens', { count: row.completion_tokens })),
      row.finish_reason === 'length' ? badge(say('cut off'), 'warn') : null,
    ),
    h('p', { className: 'prompt', lang: 'ko' }, row.prompt),
    h(
      'pre',
      { lang: 'ko', tabIndex: 0, 'aria-label': say('completion') },
      body(row, before, colour),
    ),
    h(
      'footer',
      {},
      ...Object.entries(row.rewards ?? {}).map(([name, value]) =>
        h('span', {}, `${name} ${short(value)}`),
      ),
      row.answer === undefined
        ? null
        : h('span', {}, say('reference {answer}', { answer: row.answer })),
      h(
        'button',
        { type: 'button', onclick: () => follow(row.prompt) },
        say('This prompt through time'),
      ),
    ),
  )
}

/** The completion; changes marked against `before`, else tokens coloured where log-probs were recorded. */
function body(row, before, colour) {
  if (before) {
    return diffWords(before.completion, row.completion).map(({ text, kind }) =>
      kind === 'same' ? text : h(kind === 'added' ? 'ins' : 'del', {}, text),
    )
  }
  return Array.isArray(row.token_ends) ? colouredTokens(row, colour) : [row.completion]
}
