// The browser of completions: filter, page through, and follow one prompt through time.

import { diffWords } from './diff.js'
import { debounce, h, labelled, select, short } from './dom.js'

const PAGE = 20
const VERDICTS = [
  ['', 'any verdict'],
  ['fp', 'checker right, judge wrong'],
  ['fn', 'checker wrong, judge right'],
  ['tp', 'both right'],
  ['tn', 'both wrong'],
  ['failed', 'no verdict of the judge'],
]

function verdictOf({ checker, judge }) {
  if (judge === null || judge === undefined) return 'failed'
  if (checker === null || checker === undefined) return judge ? 'tp' : 'tn'
  return checker ? (judge ? 'tp' : 'fp') : judge ? 'fn' : 'tn'
}

export function completionBrowser(run) {
  const rows = run.completions
  if (rows.length === 0) return null
  const stages = [...new Set(rows.map(row => row.stage))]
  const filter = {
    stage: '',
    verdict: '',
    from: '',
    to: '',
    least: '',
    most: '',
    text: '',
    prompt: null,
  }
  let page = 0
  const list = h('div', { className: 'cards' })
  const status = h('p', { className: 'status', 'aria-live': 'polite' })
  const pager = h('nav', { className: 'pager', 'aria-label': 'Pages of completions' })

  const matches = row =>
    (filter.stage === '' || row.stage === filter.stage) &&
    (filter.verdict === '' || verdictOf(row) === filter.verdict) &&
    (filter.from === '' || row.step >= Number(filter.from)) &&
    (filter.to === '' || row.step <= Number(filter.to)) &&
    (filter.least === '' || (row.reward ?? -Infinity) >= Number(filter.least)) &&
    (filter.most === '' || (row.reward ?? Infinity) <= Number(filter.most)) &&
    (filter.prompt === null || row.prompt === filter.prompt) &&
    (filter.text === '' || row.prompt.includes(filter.text) || row.completion.includes(filter.text))

  const show = () => {
    const found = rows.filter(matches)
    const pages = Math.max(1, Math.ceil(found.length / PAGE))
    page = Math.min(page, pages - 1)
    const part = found.slice(page * PAGE, (page + 1) * PAGE)
    const all =
      run.completionsTotal > rows.length
        ? ` (an even selection of the run's ${run.completionsTotal})`
        : ''
    status.textContent = `${found.length} of ${rows.length} completions${all}`
    list.replaceChildren(
      ...part.map((row, i) =>
        card(row, filter.prompt === null ? null : found[page * PAGE + i - 1], follow),
      ),
    )
    const turn = (by, text) =>
      h(
        'button',
        {
          type: 'button',
          disabled: page + by < 0 || page + by >= pages,
          onclick: () => {
            page += by
            show()
          },
        },
        text,
      )
    pager.replaceChildren(
      turn(-1, '← earlier'),
      h('span', {}, `page ${page + 1} of ${pages}`),
      turn(1, 'later →'),
    )
  }
  const set = key => value => {
    filter[key] = value
    page = 0
    show()
  }
  const follow = prompt => {
    filter.prompt = prompt
    page = 0
    back.hidden = false
    show()
  }
  const back = h(
    'button',
    {
      type: 'button',
      hidden: true,
      onclick: () => {
        back.hidden = true
        set('prompt')(null)
      },
    },
    'All prompts again',
  )
  const number = (key, placeholder) =>
    h('input', {
      type: 'number',
      step: 'any',
      placeholder,
      oninput: debounce(event => set(key)(event.target.value)),
    })
  show()
  return h(
    'section',
    { id: 'completions' },
    h('h2', {}, 'Completions'),
    h(
      'form',
      { className: 'controls', onsubmit: event => event.preventDefault() },
      labelled(
        'Stage',
        select([['', 'all'], ...stages.map(stage => [stage, stage])], '', set('stage')),
      ),
      labelled('Verdict', select(VERDICTS, '', set('verdict'))),
      labelled('From step', number('from', 'first')),
      labelled('To step', number('to', 'last')),
      labelled('Reward from', number('least', 'least')),
      labelled('Reward to', number('most', 'most')),
      labelled(
        'Text',
        h('input', { type: 'search', oninput: debounce(event => set('text')(event.target.value)) }),
      ),
      back,
    ),
    status,
    list,
    pager,
  )
}

function card(row, before, follow) {
  const badge = (text, kind = '') => h('span', { className: `badge ${kind}` }, text)
  const verdict = verdictOf(row)
  const words = { fp: 'checker right, judge wrong', fn: 'checker wrong, judge right' }[verdict]
  return h(
    'article',
    { className: 'card' },
    h(
      'header',
      {},
      badge(`${row.stage}${row.step > 0 ? ` ${row.step}` : ''}`),
      row.judge === null || row.judge === undefined
        ? null
        : badge(row.judge ? 'right' : 'wrong', row.judge ? 'good' : 'bad'),
      words ? badge(words, 'warn') : null,
      row.reward === null ? null : badge(`reward ${short(row.reward)}`),
      row.advantage === null ? null : badge(`advantage ${short(row.advantage)}`),
      badge(`${row.completion_tokens} tokens`),
      row.finish_reason === 'length' ? badge('cut off', 'warn') : null,
    ),
    h('p', { className: 'prompt', lang: 'ko' }, row.prompt),
    body(row, before),
    h(
      'footer',
      {},
      ...Object.entries(row.rewards ?? {}).map(([name, value]) =>
        h('span', {}, `${name} ${short(value)}`),
      ),
      row.answer === undefined ? null : h('span', {}, `reference ${row.answer}`),
      h(
        'button',
        { type: 'button', onclick: () => follow(row.prompt) },
        'This prompt through time',
      ),
    ),
  )
}

/** The completion; tokens coloured where log-probs were recorded; changes marked against `before`. */
function body(row, before) {
  const parts = before
    ? diffWords(before.completion, row.completion).map(({ text, kind }) =>
        kind === 'same' ? text : h(kind === 'added' ? 'ins' : 'del', {}, text),
      )
    : Array.isArray(row.token_ends)
      ? colouredTokens(row)
      : [row.completion]
  return h('pre', { lang: 'ko', tabIndex: 0, 'aria-label': 'completion' }, parts)
}

/** Tokens on a scale from likely (plain) to unlikely (marked); `token_ends` are offsets in the text. */
function colouredTokens({ completion, token_ends: ends, token_logprobs: logprobs }) {
  let from = 0
  return ends.flatMap((to, i) => {
    const text = completion.slice(from, to)
    from = to
    if (text === '') return []
    const surprise = Math.min(1, -(logprobs?.[i] ?? 0) / 4)
    return [
      h(
        'span',
        {
          className: 'token',
          style: `--surprise:${surprise.toFixed(2)}`,
          title: `log-prob ${short(logprobs?.[i])}`,
        },
        text,
      ),
    ]
  })
}
