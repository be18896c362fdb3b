/** A plan as text. */
import { joined, type Phrase, phrase, type Say, written } from '../messages/phrase.ts'
import type { StagePlan } from '../plan/plan.ts'
import { table } from '../report/width.ts'

/** Bytes as people read them. */
export function size(bytes: number): string {
  const gib = bytes / 2 ** 30
  return gib < 0.1 ? `${(1024 * gib).toFixed(1)} MiB` : `${gib.toFixed(1)} GiB`
}

function seconds(value: number): Phrase {
  return Number.isFinite(value)
    ? phrase('{seconds} s', { seconds: value.toPrecision(3) })
    : phrase('never')
}

/** The mean lengths that the time is planned with. */
function lengths({ rollout, sample, scored }: StagePlan['load']): Phrase {
  if (rollout === null) {
    const [tokens, trained] = [Math.round(sample), Math.round(sample * scored)]
    return phrase('{tokens} tokens, {trained} trained', { tokens, trained })
  }
  const [prompt, completion] = [rollout.meanPrompt, rollout.meanCompletion].map(Math.round)
  return phrase('prompt {prompt} tokens, completion {completion} tokens', {
    prompt: prompt!,
    completion: completion!,
  })
}

/** A stage's plan, a line an item. */
export function planLines(plan: StagePlan, capacity: number, say: Say): string[] {
  const { stage, settings, memory, phases, communication } = plan
  const step = phases.reduce((sum, phase) => sum + phase.seconds, 0)
  const tokens = Math.round(plan.tokens)
  const rows: [Phrase, Phrase | string][] = [
    ...memory.items
      .filter(({ bytes }) => bytes > 0)
      .map(({ name, bytes }): [Phrase, string] => [name, size(bytes)]),
    [
      phrase('in all, in training'),
      phrase('{size} of {capacity}', { size: size(memory.total), capacity: size(capacity) }),
    ],
  ]
  if (plan.cacheTokens !== null) {
    const cache = { size: size(memory.cache), tokens: plan.cacheTokens }
    rows.push([
      phrase('left for keys and values in sampling'),
      phrase('{size}, {tokens} tokens', cache),
    ])
  }
  for (const { name, bytes } of communication.parts) {
    rows.push([name, phrase('{size} a step', { size: size(bytes) })])
  }
  rows.push([phrase('a sample, on the average'), lengths(plan.load)])
  for (const { name, seconds: value } of phases) rows.push([written(name), seconds(value)])
  rows.push([
    phrase('a step'),
    plan.tokensPerSecond === null
      ? phrase('{tokens} tokens; the time was not measured', { tokens })
      : phrase('{seconds}, {tokens} tokens, {speed} tokens/s', {
          ...{ seconds: seconds(step), tokens, speed: Math.round(plan.tokensPerSecond) },
        }),
  ])
  const { shard, recompute, batch } = settings
  const head = [
    phrase('{stage}: shard {shard}, recompute {recompute}, micro-batch of {batch}', {
      ...{ stage, shard, recompute, batch },
    }),
    ...(plan.mfu === null
      ? []
      : [phrase('training at {percent} % of the peak', { percent: (100 * plan.mfu).toFixed(0) })]),
  ]
  const said = rows.map(([name, value]) => [
    `  ${say(name)}`,
    typeof value === 'string' ? value : say(value),
  ])
  return [say(joined(head, '; ')), ...table(said, ['left', 'left'])]
}

/** What is missing, and the nearest settings with which nothing is. */
export function advice(asked: StagePlan, nearest: StagePlan, capacity: number): Phrase {
  const largest = [...asked.memory.items].sort((a, b) => b.bytes - a.bytes).slice(0, 3)
  const items = joined(
    largest.map(({ name, bytes }) => joined([name, size(bytes)], ' ')),
    ', ',
  )
  const missing =
    asked.memory.total > capacity
      ? phrase('needs {size} of {capacity} (largest: {items})', {
          ...{ size: size(asked.memory.total), capacity: size(capacity), items },
        })
      : phrase('leaves no room for the keys and values of one completion')
  const { shard, recompute, batch } = nearest.settings
  const remedy = nearest.fits
    ? phrase(
        'the nearest that fits: shard {shard}, recompute {recompute}, per_device_train_batch_size {batch}',
        { shard, recompute, batch },
      )
    : phrase(
        'no setting makes it fit: take more or larger devices, shorter sequences or a smaller model',
      )
  return joined([joined([asked.stage, missing], ' '), remedy], '; ')
}
