// Which metrics stand together in a plot, and what the plot says. Every metric of a run is shown:
// what no group names goes to the last one.

import { say } from './words.js'

const GROUPS = [
  {
    title: say('Reward'),
    about: say(
      'Mean over the completions of a step: the weighted sum, and each part before its weight.',
    ),
    keys: [/^reward$/, /^rewards\/(?!checker)[^/]+\/mean$/],
  },
  {
    title: say('Held-out evaluation'),
    about: say('Greedy answers to problems that are never trained on.'),
    keys: [/^eval_(?!loss|entropy|mean_token|mean_length)/, /^eval\//],
  },
  {
    title: say('Accuracy, by whom'),
    about: say('What the rule checker alone would have rewarded, and what the oracle made of it.'),
    keys: [/^rewards\/checker\/mean$/, /^rewards\/accuracy\/mean$/],
  },
  {
    title: say('Checker against judge'),
    about: say(
      'Completions by verdict. fp: the checker said right, the judge wrong (the loophole); fn: the reverse.',
    ),
    keys: [/^judge\/(tp|fp|fn|tn)$/],
  },
  {
    title: say('Agreement and failures of the judge'),
    about: say('Share of agreement, Cohen’s kappa, share of judgements that failed.'),
    keys: [/^judge\/(agreement|kappa|failure_rate)$/],
  },
  {
    title: say('What judging costs'),
    about: say('Judgements asked for, those known already, requests to the endpoint, failures.'),
    keys: [/^judge\/(calls|cache_hits|requests|failures)$/],
  },
  {
    title: say('Tokens of the judge'),
    about: say('Read and written by the judge.'),
    keys: [/^judge\/(prompt|completion)_tokens$/],
  },
  {
    title: say('Guards'),
    about: say('Where each moving average stands: 0 at its baseline, above 1 beyond its limit.'),
    keys: [/^guards\//],
  },
  {
    title: say('Korean'),
    about: say('Share of completions that think in Korean, and of Korean in the text.'),
    keys: [/korean(?!\/std)/],
  },
  {
    title: say('Other languages'),
    about: say('Share of completions with words of another language, and changes of language.'),
    keys: [/^language\/(?!.*korean)/],
  },
  {
    title: say('Spread of the rewards'),
    about: say(
      'Standard deviation over the completions of a step, of each part before its weight.',
    ),
    keys: [/^rewards\/[^/]+\/std$/],
  },
  {
    title: say('Numbers in the answer'),
    about: say('In the mean. More than one or two: the answer may be a list of guesses.'),
    keys: [/^completions\/answer_numbers$/],
  },
  {
    title: say('Entropy'),
    about: say('Mean over the trained tokens, in nats.'),
    keys: [/^entropy$/],
  },
  {
    title: say('Length of the completions'),
    about: say('Tokens.'),
    keys: [/^completions\/.*length/, /^eval_mean_length$/],
  },
  {
    title: say('Cut off'),
    about: say('Share of completions without an end, cut at max_completion_length.'),
    keys: [/clipped_ratio$/],
  },
  {
    title: say('Groups'),
    about: say(
      'Share of groups whose rewards are all equal (nothing to learn), and the spread in the others.',
    ),
    keys: [/^frac_reward_zero_std$/, /^reward_std$/, /^dynamic_sampling\//],
  },
  {
    title: say('Loss'),
    about: say('Of the step; of held-out data where there is some.'),
    keys: [/^(eval_)?loss$/],
  },
  {
    title: say('Token accuracy'),
    about: say('Share of trained tokens that were the likeliest.'),
    keys: [/mean_token_accuracy$/],
  },
  { title: say('Gradient norm'), about: say('Global, before clipping.'), keys: [/^grad_norm$/] },
  { title: say('Learning rate'), about: say('Of the step.'), keys: [/^learning_rate$/] },
  {
    title: say('Policy ratio, clipping, KL'),
    about: say('Exactly 1, 0 and absent where every step is on-policy.'),
    keys: [/^ratio\//, /clip_ratio/, /^kl$/],
  },
  {
    title: say('Sampler against trainer'),
    about: say('Absolute difference of their log-probs for the same token. Zero is exact.'),
    keys: [/^sampling\//],
  },
  {
    title: say('Throughput'),
    about: say('Tokens a second through the model.'),
    keys: [/^perf\/throughput/],
  },
  {
    title: say('Memory'),
    about: say('Gigabytes of the process.'),
    keys: [/^perf\/.*(memory|rss)/],
  },
]

/** Shown as bars of their means instead. */
export const TIME = /^timing_s\//
/** Of no interest as a curve. */
const HIDDEN = [/^epoch$/, /^num_tokens$/, /^perf\/(time_per_step|total_num_tokens)$/, /^step_time/]

/** [{title, about, keys}] of the groups that have data; keys in the order of the metrics. */
export function groupMetrics(keys) {
  const left = new Set(keys.filter(key => !TIME.test(key) && !HIDDEN.some(p => p.test(key))))
  const groups = []
  for (const { title, about, keys: patterns } of GROUPS) {
    const found = [...left].filter(key => patterns.some(pattern => pattern.test(key)))
    // Two groups may show one metric: accuracy is a reward and what the oracle made of it.
    if (found.length > 0) groups.push({ title, about, keys: found })
  }
  for (const { keys: shown } of groups) for (const key of shown) left.delete(key)
  if (left.size > 0) groups.push({ title: say('Further metrics'), about: '', keys: [...left] })
  return groups
}
