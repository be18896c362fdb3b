/** A whole run: evaluate the base model, run the recipe's stages, evaluate after each, summarise. */

import { isBuiltin } from '../config/schema/source.ts'
import type { Recipe } from '../config/schema.ts'
import { thinkInstruction } from '../config/think-template.ts'
import { type GrpoSample, toGrpoSample } from '../data/samples.ts'
import { KogrpoError } from '../errors.ts'
import {
  compare,
  evaluationRows,
  type Outcome,
  outcomesOf,
  questionOf,
  summarize,
} from '../eval/evaluate.ts'
import { failure, phrase } from '../messages/phrase.ts'
import type {
  ComparisonName,
  EvalStageName,
  Metrics,
  Showcase,
  StageName,
  Summary,
} from '../report/events.ts'
import { Reporter } from '../report/reporter.ts'
import { sampleGroups } from '../rollout/rollout.ts'
import { shellWord } from '../shell-word.ts'
import { settled } from './checkpoint.ts'
import { STAGES } from './find-state.ts'
import { type HeldOut, trainGrpo } from './grpo.ts'
import { loadSamples } from './load-samples.ts'
import { openSession } from './open-session.ts'
import { JudgeUnwell } from './oracle.ts'
import { saveState } from './save-state.ts'
import type { RunIo, Session } from './session.ts'
import { trainSupervised } from './supervised.ts'
import { Watchdog } from './watchdog.ts'

/** Runs the recipe into its output directory, which exists. */
export async function runTraining(config: Recipe, io: RunIo): Promise<void> {
  const started = performance.now()
  io.reporter.emit({ type: 'run_start', config })
  const watchdog = new Watchdog(config.watchdog, io.giveUp)
  const heard: RunIo = {
    ...io,
    reporter: new Reporter([watchdog, { handle: event => io.reporter.emit(event) }]),
    signal: AbortSignal.any([io.signal, watchdog.signal]),
  }
  const session = await openSession(config, heard).catch(error => {
    watchdog.close()
    throw watchdog.error ?? error
  })
  try {
    const exam = await Exam.prepare(session)
    const behind = STAGES.indexOf(session.resumed?.stage ?? 'pretrain')
    const due = (stage: StageName): boolean => STAGES.indexOf(stage) >= behind
    if (config.pretrain && due('pretrain')) {
      await trainSupervised(session, 'pretrain', config.pretrain)
    }
    await exam.take('base')
    if (config.sft && due('sft')) {
      await trainSupervised(session, 'sft', config.sft)
      await exam.take('sft')
    }
    if (config.grpo) {
      await trainGrpo(session, config.grpo, exam)
      await exam.take('rl')
    }
    await settled(session)
    const summary = exam.summary((performance.now() - started) / 1000)
    io.reporter.emit({ type: 'run_end', summary, showcase: exam.showcase() })
  } catch (error) {
    if (session.signal.aborted) await saveState(session)
    if (watchdog.error) throw watchdog.error
    if (error instanceof JudgeUnwell) throw await stopped(session, error)
    throw error
  } finally {
    // What is being written is finished; its failure must not hide the one that ends the run.
    await session.saver.settle().catch(() => {})
    watchdog.close()
    await session.oracle?.close()
    await session.dense?.close()
    await session.engine.dispose()
  }
}

/** Saves the run's state, so that it can go on when the judge is well again; the error that says so. */
async function stopped(session: Session, error: JudgeUnwell): Promise<KogrpoError> {
  const state = await saveState(session)
  const directory = session.config.output_dir
  return new KogrpoError(
    'E_JUDGE',
    phrase(
      "{reason}\nThe run's state is saved in {state}. To go on from there when the judge is well again:\n  npx kogrpo train --resume {directory}",
      { reason: failure(error), state: String(state), directory: shellWord(directory) },
    ),
    { cause: error },
  )
}

/** The evaluations of a run: the same held-out problems for every model. */
class Exam implements HeldOut {
  readonly #session: Session
  readonly #problems: GrpoSample[]
  readonly #outcomes: Map<EvalStageName, Outcome[]>

  private constructor(session: Session, problems: GrpoSample[]) {
    this.#session = session
    this.#problems = problems
    this.#outcomes = session.outcomes
  }

  static async prepare(session: Session): Promise<Exam> {
    const { eval: spec, grpo, sft } = session.config
    const problems: GrpoSample[] = []
    for (const [i, source] of (spec?.data ?? []).entries()) {
      const size = source.size ?? spec?.max_samples
      const settings = {
        use: `eval.data[${i}]`,
        maxLength: Number.MAX_SAFE_INTEGER,
        overlong: 'error' as const,
        systemPrompt: grpo?.system_prompt,
        instruction: thinkInstruction((grpo ?? sft)?.think_template ?? 'free'),
        enableThinking: grpo?.enable_thinking,
      }
      problems.push(...(await loadSamples(session, { ...source, size }, toGrpoSample, settings)))
    }
    for (const { extra, file, line } of problems) {
      if (String(extra.answer ?? '').trim() === '') {
        throw new KogrpoError(
          'E_DATA',
          phrase(
            '{file}:{line}: an evaluation problem needs a column "answer" (or name it in eval.data columns)',
            { file, line },
          ),
        )
      }
    }
    return new Exam(session, problems.slice(0, spec?.max_samples))
  }

  /** Evaluates the present weights as `stage`; without a section `eval` nothing happens. */
  async take(stage: EvalStageName): Promise<void> {
    if (this.#problems.length === 0 || this.#outcomes.has(stage)) return
    const outcomes = await this.#evaluate(`evaluation of ${stage}`, this.#session.signal)
    this.#outcomes.set(stage, outcomes)
    const { reporter } = this.#session
    reporter.emit({ type: 'completions', rows: evaluationRows(stage, this.#problems, outcomes) })
    reporter.emit({ type: 'eval', stage, results: summarize(outcomes) })
  }

  /** The last evaluation that was made before a stage, as metrics. */
  before(): Metrics {
    const last = [...this.#outcomes.values()].at(-1)
    return last ? metricsOf(last) : {}
  }

  /** Evaluation between two steps, as metrics. */
  async now(signal: AbortSignal): Promise<Metrics> {
    if (this.#problems.length === 0) return {}
    return metricsOf(await this.#evaluate('evaluation', signal))
  }

  summary(wall_s: number): Summary {
    const results = [...this.#outcomes].map(([stage, outcomes]) => [stage, summarize(outcomes)])
    const pairs: [ComparisonName, EvalStageName, EvalStageName][] = [
      ['sft_minus_base', 'base', 'sft'],
      ['rl_minus_sft', 'sft', 'rl'],
      ['rl_minus_base', 'base', 'rl'],
    ]
    const differences: Summary['paired_differences'] = {}
    for (const [name, before, after] of pairs) {
      const [earlier, later] = [this.#outcomes.get(before), this.#outcomes.get(after)]
      if (earlier && later) differences[name] = compare(earlier, later)
    }
    const best = Object.entries(this.#session.best).flatMap(([stage, { kept }]) =>
      kept ? [[stage, kept]] : [],
    )
    return {
      ...Object.fromEntries(results),
      paired_differences: differences,
      ...(best.length > 0 ? { best: Object.fromEntries(best) } : {}),
      ...(this.#session.guards ? { guards: this.#session.guards.records } : {}),
      ...(this.#session.oracle ? { oracle: this.#session.oracle.summary() } : {}),
      ...(this.#session.same.changes.length > 0
        ? { accepted_changes: this.#session.same.changes }
        : {}),
      wall_s,
      seed: this.#session.config.seed,
    }
  }

  /** The problem that shows the way best: right at the end, wrong (or not in Korean) before. */
  showcase(): Showcase[] {
    const count = this.#session.config.eval?.samples_to_show ?? 0
    const all = [...this.#outcomes]
    const last = all.at(-1)?.[1]
    const first = all[0]?.[1]
    if (!last || !first || count === 0) return []
    const value = (i: number): number =>
      4 * Number(last[i]!.correct) +
      2 * Number(all.slice(1).some(([, outcomes]) => !outcomes[i]!.correct)) +
      Number(!first[i]!.korean && last[i]!.korean)
    const chosen = [...last.keys()].sort((a, b) => value(b) - value(a) || a - b).slice(0, 1)
    return chosen.map(i => ({
      prompt: questionOf(this.#problems[i]!),
      answer: String(this.#problems[i]!.extra.answer),
      completions: all.slice(-count).map(([stage, outcomes]) => ({
        stage,
        text: outcomes[i]!.text,
        correct: outcomes[i]!.correct,
      })),
    }))
  }

  async #evaluate(activity: string, signal: AbortSignal): Promise<Outcome[]> {
    const { engine, tokenizer, config, reporter, ranks } = this.#session
    const spec = config.eval!
    reporter.emit({ type: 'activity', activity })
    const truth = spec.data.every(isBuiltin) ? 'mini' : 'checker'
    const dealt = { expected: () => 0, sequences: 1 }
    return await ranks.deal(this.#problems, activity, dealt, async (all, places, together) => {
      const total = Math.ceil(all.length / ranks.size) * spec.max_completion_length
      const groups = await sampleGroups(engine, tokenizer, all, {
        numGenerations: 1,
        firstStream: 0,
        maxCompletionLength: spec.max_completion_length,
        temperature: spec.temperature,
        topK: spec.top_k,
        topP: spec.top_p,
        places,
        together,
        seed: config.seed,
        maxSequences: spec.batch_size,
        signal,
        onProgress: done => reporter.emit({ type: 'activity', activity, done, total }),
      })
      const outcomes = await outcomesOf(
        groups.flatMap(([, group]) => group),
        truth,
      )
      return outcomes.map((outcome, i): [number, Outcome] => [groups[i]![0], outcome])
    })
  }
}

function metricsOf(outcomes: readonly Outcome[]): Metrics {
  const { accuracy, korean_thinking_rate, format_rate, mean_length } = summarize(outcomes)
  return {
    eval_accuracy: accuracy,
    eval_korean_thinking_rate: korean_thinking_rate,
    eval_format_rate: format_rate,
    eval_mean_length: mean_length,
  }
}
