/**
 * Critique-GRPO's refinements (arXiv 2506.03106): where a group fails, some of its wrong completions are
 * shown to the policy again with a critique, and the best of what it then writes takes the place of the
 * one it refines. The group is then 7 + 1: the advantage is over all of it, the refinement is trained
 * under the plain question, shaped instead of clipped (lib/algorithms/critique.ts).
 */
import type { GrpoStage } from '../config/schema.ts'
import type { GrpoSample } from '../data/samples.ts'
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import type { Metrics } from '../report/events.ts'
import { asData } from '../rewards/judge/prompt.ts'
import { type Rollout, sampleRollouts } from '../rollout/rollout.ts'
import { ACCURACY, type Oracle } from './oracle.ts'
import { columnNames, rewardInput, Scorer, type Scores } from './scoring.ts'
import type { Session } from './session.ts'
import { samplingOf } from './shared-sampling.ts'

type Settings = NonNullable<GrpoStage['critique']>

/** Seeds of refinements differ from those of the groups. */
const REFINEMENT_SEED = 0x51ed_270b

/** A wrong completion to refine. */
interface Attempt {
  /** Place among the rollouts. */
  place: number
  prompt: GrpoSample
  asked: GrpoSample
}

/** What is said about a wrong attempt; `words` are the judge's, for type judge. Throws `E_DATA` naming
 *  file, line and column. */
export function critiqueText(
  { extra, file, line }: GrpoSample,
  settings: Settings,
  words = '',
): string {
  const said = ['앞의 답은 틀렸습니다.']
  const column = (name: string): string => {
    const value = extra[name]
    if (typeof value === 'string' || typeof value === 'number') return String(value)
    throw new KogrpoError(
      'E_DATA',
      phrase(
        '{file}:{line}: critique.type {type} needs the column "{name}"; name it, or use type: simple',
        { file, line, type: settings.type, name },
      ),
    )
  }
  if (settings.type === 'judge') {
    // The words are another model's: they may not spell a special token.
    said.push(`채점자의 지적은 다음과 같습니다.\n${asData(words)}\n`)
  } else if (settings.type !== 'simple') said.push(`정답은 ${column('answer')}입니다.`)
  if (settings.type === 'text') {
    said.push(`올바른 풀이를 단계별로 보이면 다음과 같습니다.\n${column(settings.solution_column)}`)
  }
  said.push('무엇이 틀렸는지 확인하고, 문제를 처음부터 다시 풀어 주세요.')
  return said.join(' ')
}

/** Groups (by first place) to refine, with the places of their wrong completions. */
function failures(
  accuracy: readonly (number | null)[],
  size: number,
  onlyFailed: boolean,
): number[][] {
  const groups: number[][] = []
  for (let start = 0; start < accuracy.length; start += size) {
    const places = Array.from({ length: size }, (_, i) => start + i)
    const wrong = places.filter(i => accuracy[i] !== null && accuracy[i]! < 0.5)
    const right = places.some(i => (accuracy[i] ?? 0) >= 0.5)
    if (wrong.length > 0 && !(onlyFailed && right)) groups.push(wrong)
  }
  return groups
}

export class Refiner {
  readonly #session: Session
  readonly #stage: GrpoStage
  readonly #settings: Settings
  readonly #scorer: Scorer
  readonly #oracle: Oracle | null

  constructor(session: Session, stage: GrpoStage, settings: Settings, oracle: Oracle | null) {
    this.#session = session
    this.#stage = stage
    this.#settings = settings
    this.#oracle = oracle
    // Scored candidate by candidate group; what has derived rewards has them from the group alone.
    const candidates = { ...stage, num_generations: settings.num_candidates }
    this.#scorer = new Scorer(candidates, oracle, session.ownRewards)
  }

  /**
   * Puts a refinement into each group that failed; `rollouts` and the values and verdicts of `scores`
   * are changed in place. Returns the metrics `critique/…`, and what judging took.
   */
  async refine(
    rollouts: Rollout[],
    scores: Scores,
    place: { seed: number; streams: number; step: number },
  ): Promise<{ metrics: Metrics; judged: Metrics }> {
    const { num_candidates: size, only_failed_groups } = this.#settings
    const accuracy = scores.values[scores.names.indexOf(ACCURACY)]!
    const failed = failures(accuracy, this.#stage.num_generations, only_failed_groups)
    const spoken = await this.#words(rollouts, failed, place.step)
    const attempts = spoken.groups.map(wrong =>
      Array.from({ length: size }, (_, c) => {
        const at = wrong[c % wrong.length]!
        return this.#attempt(rollouts, at, spoken.words.get(at))
      }),
    )
    const kept = attempts.filter(group => group.every(attempt => attempt !== null)) as Attempt[][]
    const metrics: Metrics = {
      'critique/refined_groups': kept.length,
      'critique/valid_refinement_rate': null,
      'critique/valid_group_rate': null,
      'critique/too_long': attempts.length - kept.length,
      'critique/tokens': 0,
      ...spoken.metrics,
    }
    if (kept.length === 0) return { metrics, judged: {} }
    const refined = await this.#sample(kept, place)
    const rated = await this.#session.ranks.map(
      kept.map((_, g) => refined.slice(g * size, (g + 1) * size)),
      `refinements rated, step ${place.step}`,
      group =>
        this.#scorer.rate(
          group,
          columnNames(group.map(({ prompt }) => prompt)),
          this.#session.signal,
          () => {},
        ),
    )
    const judged = this.#scorer.settle(refined, rated, { judge_s: 0, step: place.step })
    const verdicts = judged.values[judged.names.indexOf(ACCURACY)]!
    const right = (i: number): boolean => (verdicts[i] ?? 0) >= 0.5
    let valid = 0
    for (const [g, group] of kept.entries()) {
      const own = group.map((_, c) => g * size + c)
      const best = own.reduce((a, b) => (better(judged, right, b, a) ? b : a))
      if (right(best)) valid++
      const at = group[best - g * size]!.place
      rollouts[at] = { ...refined[best]!, prompt: rollouts[at]!.prompt, refined: true }
      scores.values.forEach((row, k) => {
        row[at] = judged.values[k]![best]!
      })
      if (scores.verdicts && judged.verdicts) scores.verdicts[at] = judged.verdicts[best]!
    }
    metrics['critique/valid_refinement_rate'] =
      refined.filter((_, i) => right(i)).length / refined.length
    metrics['critique/valid_group_rate'] = valid / kept.length
    metrics['critique/tokens'] = refined.reduce((sum, { tokens }) => sum + tokens.length, 0)
    return { metrics, judged: judged.metrics }
  }

  /**
   * The groups to refine, by the places of their wrong completions, and with type judge what the judge
   * says of these, of at most `num_candidates` a group; what it says nothing of is left out.
   */
  async #words(
    rollouts: readonly Rollout[],
    failed: readonly number[][],
    step: number,
  ): Promise<{ groups: number[][]; words: Map<number, string>; metrics: Metrics }> {
    const words = new Map<number, string>()
    if (this.#settings.type !== 'judge') return { groups: [...failed], words, metrics: {} }
    const { ranks, signal } = this.#session
    const asked = failed.map(wrong => wrong.slice(0, this.#settings.num_candidates))
    const columns = columnNames(rollouts.map(({ prompt }) => prompt))
    const said = await ranks.map(asked, `critiques, step ${step}`, places =>
      this.#oracle!.critiques(
        rewardInput(
          places.map(at => rollouts[at]!),
          columns,
        ),
        signal,
      ),
    )
    for (const [g, places] of asked.entries()) {
      for (const [i, at] of places.entries()) {
        const text = said[g]!.words[i]
        if (typeof text === 'string') words.set(at, text)
      }
    }
    const groups = asked.map(places => places.filter(at => words.has(at)))
    const calls = asked.flat().length
    return {
      groups: groups.filter(places => places.length > 0),
      words,
      metrics: {
        'critique/without_words': groups.filter(places => places.length === 0).length,
        'critique/judge_requests': said.reduce((sum, { requests }) => sum + requests, 0),
        'critique/judge_failure_rate': calls === 0 ? null : 1 - words.size / calls,
        'critique/judge_tokens': said.reduce(
          (sum, { tokens }) => sum + (tokens?.completion ?? 0),
          0,
        ),
      },
    }
  }

  /** A wrong completion with the prompt that asks for a better one; null where that is too long. */
  #attempt(rollouts: readonly Rollout[], place: number, words?: string): Attempt | null {
    const { template, directory } = this.#session
    const { prompt, text } = rollouts[place]!
    const messages = [
      ...prompt.messages,
      { role: 'assistant' as const, content: text },
      { role: 'user' as const, content: critiqueText(prompt, this.#settings, words) },
    ]
    const { ids } = template.renderChat(messages, {
      addGenerationPrompt: true,
      enableThinking: this.#stage.enable_thinking,
    })
    const most = directory.config.maxPositionEmbeddings - this.#stage.max_completion_length
    if (ids.length > most) return null
    return { place, prompt, asked: { ...prompt, messages, promptIds: Int32Array.from(ids) } }
  }

  /** One refinement of each attempt, as rollouts of the plain prompts. */
  async #sample(
    groups: readonly Attempt[][],
    { seed, streams, step }: { seed: number; streams: number; step: number },
  ): Promise<Rollout[]> {
    const { engine, tokenizer, ranks, reporter, signal } = this.#session
    const stage = this.#stage
    reporter.emit({ type: 'activity', activity: 'refinement' })
    const attempts = groups.flat()
    const sampled = await ranks.share(
      attempts,
      `refinements, step ${step}`,
      async (own, places) => {
        const total = own.length * stage.max_completion_length
        const refined = await sampleRollouts(
          engine,
          tokenizer,
          own.map(({ asked }) => asked),
          {
            numGenerations: 1,
            ...samplingOf(stage),
            places,
            seed: (seed + REFINEMENT_SEED) >>> 0,
            firstStream: streams,
            signal,
            onProgress: done =>
              reporter.emit({ type: 'activity', activity: 'refinement', done, total }),
          },
        )
        return refined.map(({ prompt: _asked, ...rest }) => rest)
      },
    )
    return sampled.map((rest, i) => ({ ...rest, prompt: attempts[i]!.prompt }))
  }
}

/** Right before wrong, then by reward; the earlier of equals stays. */
function better({ totals }: Scores, right: (i: number) => boolean, a: number, b: number): boolean {
  if (right(a) !== right(b)) return right(a)
  return (totals[a] ?? Number.NEGATIVE_INFINITY) > (totals[b] ?? Number.NEGATIVE_INFINITY)
}
