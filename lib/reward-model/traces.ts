/** Expert traces as training data of the reward model: the trace, and copies with one planted mistake. */
import { toConversation } from '../data/columns.ts'
import type { SourceRecord } from '../data/readers.ts'
import { type SampleOptions, toSftSample } from '../data/samples.ts'
import { type Below, type Perturbation, perturb } from './perturb.ts'
import type { Expert, Response } from './train.ts'

interface TraceOptions extends SampleOptions {
  perturbations: readonly Perturbation[]
  below: Below
}

/** A conversation's response without mistakes; null where it is too long. */
export function toResponse(source: SourceRecord, options: SampleOptions): Response | null {
  const { sample } = toSftSample(source, options)
  return sample && { ids: sample.ids, mask: sample.mask }
}

/**
 * An expert's trace with a copy for every kind of mistake that it has a place for; null where it is too
 * long. A mistake goes into the thinking where that stands apart, the answer's into the answer.
 */
export function toExpert(source: SourceRecord, options: TraceOptions): Expert | null {
  const expert = toResponse(source, options)
  if (expert === null) return null
  const { messages } = toConversation(source, options)
  const last = messages.at(-1)
  const negatives: Expert['negatives'] = []
  for (const kind of last === undefined ? [] : options.perturbations) {
    const apart = typeof last!.reasoning_content === 'string' && kind !== 'answer'
    const key = apart ? 'reasoning_content' : 'content'
    const changed = perturb(String(last![key] ?? ''), kind, options.below)
    if (changed === null) continue
    const wrong = [...messages.slice(0, -1), { ...last!, [key]: changed.text }]
    const record = { messages: wrong }
    const negative = toResponse({ ...source, record }, { ...options, columns: undefined })
    const at = negative?.ids.findIndex((id, t) => id !== expert.ids[t]) ?? -1
    // Behind the limit of length the two may be the same.
    if (negative !== null && at >= 0) negatives.push({ ...negative, at })
  }
  return { ...expert, negatives }
}
