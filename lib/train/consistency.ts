/**
 * How sure the reference is of a completion's answer, given the question and the completion's own
 * reasoning (GRPO-CARE; lib/algorithms/consistency.ts), and, independently of any model, whether the
 * thinking itself ends with that answer.
 */
import { answerConfidence } from '../algorithms/consistency.ts'
import type { GrpoStage } from '../config/schema.ts'
import { concatenate } from '../data/packing.ts'
import type { Tokenizer } from '../data/tokenizer.ts'
import type { Metrics } from '../report/events.ts'
import { isEquivalent } from '../rewards/equivalence.ts'
import { extractAnswer, lastMarked } from '../rewards/extract.ts'
import { splitThinking } from '../rewards/think.ts'
import { type Rollout, trainingSequence } from '../rollout/rollout.ts'
import { scoreInTurn } from './ranks.ts'
import { REFERENCE_SLOT } from './reference.ts'
import { forwardOptions } from './round.ts'
import type { Session } from './session.ts'

type Settings = NonNullable<GrpoStage['consistency_bonus']>

/** Where the answer stands in `text`, without the white space around it; null where there is none. */
export function answerSpan(
  text: string,
  where: Settings['answer_span'],
): { begin: number; end: number } | null {
  const close = text.lastIndexOf('</think>')
  if (close < 0) return null
  const from = close + '</think>'.length
  if (where === 'boxed') {
    const box = text.lastIndexOf('\\boxed{')
    const begin = box + '\\boxed{'.length
    const end = box < from ? -1 : closingBrace(text, begin)
    return end <= begin ? null : { begin, end }
  }
  const answer = text.slice(from)
  const begin = from + answer.length - answer.trimStart().length
  const end = from + answer.trimEnd().length
  return end <= begin ? null : { begin, end }
}

function closingBrace(text: string, from: number): number {
  let depth = 1
  for (let i = from; i < text.length; i++) {
    if (text[i] === '{') depth++
    else if (text[i] === '}' && --depth === 0) return i
  }
  return -1
}

/** Tokens [first, last) of a completion whose text overlaps with the answer; null without one. */
export function answerTokens(
  tokens: Int32Array,
  tokenizer: Tokenizer,
  where: Settings['answer_span'],
): { first: number; last: number } | null {
  const stream = tokenizer.decodeStream({ skipSpecial: true })
  let text = ''
  const ends = Array.from(tokens, token => {
    text += stream.push(token)
    return text.length
  })
  const span = answerSpan(text, where)
  if (span === null) return null
  const first = ends.findIndex(end => end > span.begin)
  const reaches = ends.findIndex(end => end >= span.end)
  return first < 0 ? null : { first, last: (reaches < 0 ? tokens.length - 1 : reaches) + 1 }
}

/** The reference's confidence in the answer of every rollout, `size` of which are read at a time. */
export async function answerConfidences(
  session: Session,
  stage: GrpoStage,
  settings: Settings,
  rollouts: readonly Rollout[],
  label: string,
  size = stage.num_generations,
): Promise<number[]> {
  const { engine, ranks, tokenizer } = session
  const groups = Array.from({ length: rollouts.length / size }, (_, g) =>
    rollouts.slice(g * size, (g + 1) * size),
  )
  const options = { ...forwardOptions(session, stage), slot: REFERENCE_SLOT }
  const all = await ranks.score(groups, `confidences, ${label}`, true, async (group, turn) => {
    const sequences = (group ?? []).map(rollout =>
      trainingSequence(rollout, { ...stage, mask_truncated_completions: false }),
    )
    const batch = concatenate(sequences, [...sequences.keys()])
    const scored = await scoreInTurn(engine, turn, group && batch, options)
    if (!group || !scored) return []
    const { logprobs } = scored
    return group.map(({ tokens }, i) => {
      const span = answerTokens(tokens, tokenizer, settings.answer_span)
      const begin = batch.cuSeqlens[i + 1]! - tokens.length
      const own = span === null ? [] : logprobs.slice(begin + span.first, begin + span.last)
      return answerConfidence(Float32Array.from(own), settings.max_confidence)
    })
  })
  return all.flat()
}

const NUMBER = /[-−]?\d[\d,]*(?:\.\d+)?(?:\/\d+)?/g

/** Whether what the thinking concludes (its last marked answer, else its last number) is the answer that
 *  is given; null where either says none. */
export function agreesWithThinking(completion: string): boolean | null {
  const { thinking, answer } = splitThinking(completion)
  const given = extractAnswer(answer)?.text
  const reasoned =
    lastMarked(thinking ?? '')?.text ?? [...(thinking ?? '').matchAll(NUMBER)].at(-1)?.[0]
  if (given === undefined || reasoned === undefined) return null
  return isEquivalent(reasoned, given)
}

/** Metrics of the bonus, and of consistency as no model sees it, over right completions. */
export function consistencyMetrics(
  rollouts: readonly Rollout[],
  accuracy: readonly (number | null)[],
  confidence: readonly number[],
  bonus: readonly (number | null)[],
): Metrics {
  const mean = (values: readonly number[]): number | null =>
    values.length === 0 ? null : values.reduce((sum, x) => sum + x, 0) / values.length
  const right = [...rollouts.keys()].filter(i => (accuracy[i] ?? 0) >= 0.5)
  const agree = right.map(i => agreesWithThinking(rollouts[i]!.text)).filter(x => x !== null)
  return {
    'consistency/confidence': mean(confidence),
    'consistency/bonus_rate': mean(bonus.map(value => Number((value ?? 0) > 0))),
    'consistency/agreement': mean(agree.map(Number)),
  }
}
