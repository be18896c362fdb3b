/** What a batch of rollouts looks like: TRL's `completions/*` metrics and the rows of completions.jsonl. */
import type { Tokenizer } from '../data/tokenizer.ts'
import { questionOf } from '../eval/evaluate.ts'
import type { CompletionRow, Metrics } from '../report/events.ts'
import { countNumbers } from '../rewards/answer-numbers.ts'
import { koreanThinking } from '../rewards/korean.ts'
import type { Rollout } from '../rollout/rollout.ts'
import type { Scores } from './scoring.ts'

/** Lengths in tokens, the share that was cut off, and the share that thinks in Korean. */
export function completionMetrics(rollouts: readonly Rollout[]): Metrics {
  const lengths = rollouts.map(({ tokens }) => tokens.length)
  const terminated = rollouts.filter(r => !r.truncated).map(({ tokens }) => tokens.length)
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, x) => sum + x, 0) / values.length
  return {
    'completions/mean_length': mean(lengths),
    'completions/min_length': Math.min(...lengths),
    'completions/max_length': Math.max(...lengths),
    'completions/mean_terminated_length': terminated.length > 0 ? mean(terminated) : null,
    'completions/min_terminated_length': terminated.length > 0 ? Math.min(...terminated) : null,
    'completions/max_terminated_length': terminated.length > 0 ? Math.max(...terminated) : null,
    'completions/clipped_ratio': 1 - terminated.length / lengths.length,
    'completions/answer_numbers': mean(rollouts.map(({ text }) => countNumbers(text))),
    korean_thinking_rate: mean(rollouts.map(({ text }) => Number(koreanThinking(text)))),
  }
}

/**
 * Of each domain that the data names: its share of the completions, their mean reward, and the share of
 * its groups with equal rewards.
 */
export function domainMetrics(rollouts: readonly Rollout[], scores: Scores): Metrics {
  const metrics: Metrics = {}
  const size = rollouts.length / scores.zero_std.length
  const domains = new Set(rollouts.flatMap(({ prompt }) => prompt.domain ?? []))
  for (const domain of [...domains].sort()) {
    const own = [...rollouts.keys()].filter(i => rollouts[i]!.prompt.domain === domain)
    const rewards = own.map(i => scores.totals[i]!).filter(total => total !== null)
    const dead = own.filter(i => scores.zero_std[Math.floor(i / size)]!).length
    metrics[`domain/${domain}/share`] = own.length / rollouts.length
    metrics[`domain/${domain}/reward`] =
      rewards.length === 0 ? null : rewards.reduce((sum, x) => sum + x, 0) / rewards.length
    metrics[`domain/${domain}/frac_reward_zero_std`] = dead / own.length
  }
  return metrics
}

/**
 * One row a completion, with what was thought of it; with a tokenizer also where each token's text ends
 * in the completion (a token that ends within a character ends where the character before it does) and
 * its log-prob.
 */
export function completionRows(
  step: number,
  rollouts: readonly Rollout[],
  scores: Scores,
  tokenizer: Tokenizer | null,
): CompletionRow[] {
  const verdict = (value: 0 | 1 | null | undefined): boolean | null =>
    value === null || value === undefined ? null : value === 1
  const accuracy = scores.names.indexOf('accuracy')
  return rollouts.map(({ prompt, text, tokens, logprobs, finishReason, refined }, i) => ({
    stage: 'grpo',
    step,
    prompt: questionOf(prompt),
    completion: text,
    prompt_tokens: prompt.promptIds.length,
    completion_tokens: tokens.length,
    finish_reason: finishReason,
    rewards: Object.fromEntries(scores.names.map((name, k) => [name, scores.values[k]![i]!])),
    reward: scores.totals[i]!,
    checker: scores.verdicts
      ? verdict(scores.verdicts[i]!.checker)
      : verdict(scores.values[accuracy]?.[i] as 0 | 1 | null | undefined),
    judge: verdict(scores.verdicts?.[i]?.judge),
    advantage: scores.advantages[i]!,
    ...(refined ? { refined } : {}),
    ...(prompt.extra.answer === undefined ? {} : { answer: prompt.extra.answer }),
    ...(tokenizer
      ? {
          token_ends: tokenEnds(tokens, tokenizer),
          token_logprobs: Array.from(logprobs, value => Number(value.toFixed(4))),
        }
      : {}),
  }))
}

/** Offsets, in UTF-16 units, at which the text of the tokens ends. */
function tokenEnds(tokens: Int32Array, tokenizer: Tokenizer): number[] {
  const stream = tokenizer.decodeStream({ skipSpecial: true })
  let end = 0
  return Array.from(tokens, token => {
    end += stream.push(token).length
    return end
  })
}
