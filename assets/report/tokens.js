// A completion with its tokens coloured, where log-probs were recorded with it.

import { h, short } from './dom.js'
import { say } from './words.js'

/** What tokens can be coloured by: [value, text, what the colours say]. */
export const COLOURINGS = [
  [
    'logprob',
    say('log-prob'),
    say('The stronger the colour, the less likely the token was to the model.'),
  ],
  [
    'advantage',
    say('advantage'),
    say(
      'Green was made likelier, red less likely: the stronger, the more the update moves the token (|advantage| × (1 − probability)).',
    ),
  ],
  ['none', say('nothing'), ''],
]

/** The completion's text as nodes, coloured by `by`; `token_ends` are offsets in the text. */
export function colouredTokens(row, by) {
  const { completion, token_ends: ends, token_logprobs: logprobs, advantage } = row
  if (by === 'none') return [completion]
  let from = 0
  return ends.flatMap((to, i) => {
    const text = completion.slice(from, to)
    from = to
    if (text === '') return []
    const logprob = logprobs?.[i] ?? 0
    const strength =
      by === 'logprob'
        ? Math.min(1, -logprob / 4)
        : Math.min(1, Math.sqrt(Math.abs(advantage ?? 0) * (1 - Math.exp(logprob))))
    const colour = by === 'logprob' ? 'unlikely' : (advantage ?? 0) < 0 ? 'down' : 'up'
    const title = say('log-prob {logprob}', { logprob: short(logprob) })
    return [
      h(
        'span',
        { className: `token ${colour}`, style: `--strength:${strength.toFixed(2)}`, title },
        text,
      ),
    ]
  })
}
