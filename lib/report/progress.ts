/**
 * What the user sees while a run goes on.
 *
 * On a terminal: one live line (stage, step, reward or loss, accuracy, Korean share, tokens/s, time
 * left, what is being waited for), redrawn at most ten times a second and at least once a second,
 * cut to the terminal's columns; notes, evaluations and finished stages stand above it.
 * Elsewhere (a pipe, a file, nohup): a plain line every `plainEverySteps` steps, and at least one
 * every `heartbeatSeconds` even if no step finished, which says what is waited for.
 *
 * Speeds and time left come from the clock and the metrics; nothing here feeds back into the run.
 */
import { inEnglish, type Say, written } from '../messages/phrase.ts'
import type { Consumer, Metrics, RunEvent, StageName } from './events.ts'
import { evalLine, showcaseLines, summaryLines } from './summary.ts'
import { printable, truncate } from './width.ts'

/** The part of a writable stream that is used; process.stderr and process.stdout are such. */
export interface Output {
  write(text: string): unknown
  isTTY?: boolean
  columns?: number
}

/** Whether a line can be redrawn in place: on a terminal that knows how (Emacs' shell, TERM=dumb, does not). */
export function isLive(output: Output, term: string | undefined): boolean {
  return output.isTTY === true && term !== 'dumb'
}

interface ProgressOptions {
  /** Where progress goes. */
  output: Output
  /** Where the final table goes (default: `output`). */
  results?: Output
  /** The kind of terminal, as the environment's TERM has it. */
  term?: string | undefined
  heartbeatSeconds?: number
  plainEverySteps?: number
  /** Milliseconds of a steady clock. */
  now?: () => number
  /** The user's language; English without. */
  say?: Say
}

const REDRAW_MS = 100
/** A heartbeat is armed a little early, so that a busy event loop still keeps its promise. */
const HEARTBEAT_MARGIN = 0.9
/** Steps over which the speed for the time left is averaged. */
const SPEED_WINDOW = 20

/** Seconds as `45s`, `3m05s`, `2h07m`. */
export function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds))
  if (s < 60) return `${s}s`
  const two = (n: number): string => String(n).padStart(2, '0')
  if (s < 3600) return `${Math.floor(s / 60)}m${two(s % 60)}s`
  return `${Math.floor(s / 3600)}h${two(Math.floor((s % 3600) / 60))}m`
}

/** Tokens per second, short: `87`, `1.3k`, `45k`. */
function speed(perSecond: number): string {
  if (perSecond < 1000) return perSecond.toFixed(0)
  return perSecond < 10_000
    ? `${(perSecond / 1000).toFixed(1)}k`
    : `${(perSecond / 1000).toFixed(0)}k`
}

function metricWords(metrics: Metrics, say: Say): string[] {
  const words: string[] = []
  const number = (label: string, key: string, digits: number): boolean => {
    const value = metrics[key]
    if (typeof value !== 'number' || !Number.isFinite(value)) return false
    words.push(`${label} ${value.toFixed(digits)}`)
    return true
  }
  const share = (label: string, key: string): boolean => {
    const value = metrics[key]
    if (typeof value !== 'number' || !Number.isFinite(value)) return false
    words.push(`${label} ${(value * 100).toFixed(0)}%`)
    return true
  }
  number(say('reward'), 'reward', 3) || number(say('loss'), 'loss', 3)
  share(say('accuracy'), 'rewards/accuracy/mean') ||
    share(say('token accuracy'), 'mean_token_accuracy')
  share(say('Korean'), 'korean_thinking_rate') || share(say('Korean'), 'rewards/korean/mean')
  share(say('held out'), 'eval_accuracy') || number(say('held out'), 'eval_loss', 3)
  share(say('judge agrees'), 'judge/agreement')
  if (metrics['judge/failures']) share(say('judge failed'), 'judge/failure_rate')
  const throughput = metrics['perf/throughput']
  if (typeof throughput === 'number' && Number.isFinite(throughput)) {
    words.push(`${speed(throughput)} tok/s`)
  }
  return words
}

interface StageState {
  name: StageName
  maxSteps: number
  step: number
  startedAt: number
  /** Times at which the last steps ended, the start of the stage first. */
  stepTimes: number[]
  metrics: Metrics
}

export class Progress implements Consumer {
  readonly #output: Output
  readonly #results: Output
  readonly #now: () => number
  readonly #say: Say
  readonly #heartbeatMs: number
  readonly #plainEverySteps: number
  readonly #startedAt: number
  readonly #live: boolean
  #stage: StageState | undefined
  #activity: { name: string; words: string; since: number } | undefined
  #heartbeat: NodeJS.Timeout | undefined
  #redraw: NodeJS.Timeout | undefined
  #clock: NodeJS.Timeout | undefined
  #lastDraw = Number.NEGATIVE_INFINITY
  #drawn = false

  constructor(options: ProgressOptions) {
    this.#output = options.output
    this.#results = options.results ?? options.output
    this.#now = options.now ?? (() => performance.now())
    this.#say = options.say ?? inEnglish
    this.#heartbeatMs = (options.heartbeatSeconds ?? 10) * 1000 * HEARTBEAT_MARGIN
    this.#plainEverySteps = options.plainEverySteps ?? 1
    this.#startedAt = this.#now()
    this.#live = isLive(options.output, options.term)
    if (this.#live) this.#clock = setInterval(() => this.#draw(), 1000)
    else this.#armHeartbeat()
    this.#clock?.unref()
  }

  handle(event: RunEvent): void {
    switch (event.type) {
      case 'run_start':
        this.#line(this.#say('run directory: {path}', { path: event.config.output_dir }))
        break
      case 'stage_start':
        this.#startStage(event.stage, event.max_steps)
        break
      case 'activity':
        this.#setActivity(event.activity, event.done, event.total)
        break
      case 'step':
        this.#step(event.stage, event.step, event.metrics)
        break
      case 'eval':
        this.#line(evalLine(event.stage, event.results, this.#say))
        break
      case 'note': {
        const message = event.text ? this.#say(event.text) : event.message
        this.#line(
          event.level === 'warning' ? this.#say('warning: {message}', { message }) : message,
        )
        break
      }
      case 'stage_end':
        this.#endStage(event.checkpoint)
        break
      case 'run_end':
        this.#finish(event)
        break
      case 'completions':
        break
    }
    this.#scheduleDraw()
  }

  close(): void {
    clearInterval(this.#clock)
    clearTimeout(this.#heartbeat)
    clearTimeout(this.#redraw)
    this.#clock = undefined
    this.#heartbeat = undefined
    this.#redraw = undefined
    this.#erase()
    this.#stage = undefined
    this.#activity = undefined
  }

  #startStage(name: StageName, maxSteps: number): void {
    const now = this.#now()
    this.#activity = undefined
    this.#stage = { name, maxSteps, step: 0, startedAt: now, stepTimes: [now], metrics: {} }
    this.#line(
      name === 'grpo'
        ? this.#say(
            'grpo: {steps} steps. Watch the reward, not the loss: on-policy the loss is about 0 by construction',
            { steps: maxSteps },
          )
        : this.#say('{name}: {steps} steps', { name, steps: maxSteps }),
    )
  }

  #step(name: StageName, step: number, metrics: Metrics): void {
    const now = this.#now()
    // A loop that reports steps without a stage_start still gets its line.
    if (this.#stage?.name !== name) this.#startStage(name, step)
    const stage = this.#stage!
    stage.step = step
    stage.maxSteps = Math.max(stage.maxSteps, step)
    stage.metrics = metrics
    if (step > 0) stage.stepTimes.push(now)
    if (stage.stepTimes.length > SPEED_WINDOW + 1) stage.stepTimes.shift()
    this.#activity = undefined
    const due = step % this.#plainEverySteps === 0 || step === 1 || step === stage.maxSteps
    if (!this.#live && due) this.#line(this.#stageWords())
  }

  #endStage(checkpoint: string | undefined): void {
    const stage = this.#stage
    if (stage !== undefined) {
      const say = this.#say
      const where = checkpoint === undefined ? '' : say(', written to {path}', { path: checkpoint })
      const took = duration((this.#now() - stage.startedAt) / 1000)
      this.#line(
        say('{name}: {steps} steps in {took}{where}', {
          name: stage.name,
          steps: stage.step,
          took,
          where,
        }),
      )
    }
    this.#stage = undefined
    this.#activity = undefined
  }

  #setActivity(activity: string, done: number | undefined, total: number | undefined): void {
    const count = done === undefined ? '' : total === undefined ? ` ${done}` : ` ${done}/${total}`
    // The time waited runs from when this kind of work began, not from its last count.
    const since = this.#activity?.name === activity ? this.#activity.since : this.#now()
    const stage = /^evaluation of (\w+)$/.exec(activity)?.[1]
    const what = stage
      ? this.#say('evaluation of {stage}', { stage })
      : this.#say(written(activity))
    this.#activity = { name: activity, words: what + count, since }
  }

  #finish(event: Extract<RunEvent, { type: 'run_end' }>): void {
    this.#erase()
    this.#stage = undefined
    this.#activity = undefined
    const columns = this.#results.columns || 100
    const blocks = (event.showcase ?? []).map(showcase =>
      showcaseLines(showcase, columns, this.#say),
    )
    if (event.summary) blocks.push(summaryLines(event.summary, this.#say))
    for (const block of blocks) {
      if (block.length > 0) this.#results.write(`\n${block.join('\n')}\n`)
    }
    if (event.summary) {
      this.#line(this.#say('finished in {time}', { time: duration(event.summary.wall_s) }))
    }
  }

  /** Stage, step, metrics and time left. */
  #stageWords(): string {
    const stage = this.#stage
    if (stage === undefined) return ''
    const words = [
      `${stage.name} ${stage.step}/${stage.maxSteps}`,
      ...metricWords(stage.metrics, this.#say),
    ]
    const steps = stage.stepTimes.length - 1
    const remaining = stage.maxSteps - stage.step
    if (steps > 0 && remaining > 0) {
      const perStep = (stage.stepTimes.at(-1)! - stage.stepTimes[0]!) / steps / 1000
      words.push(this.#say('{time} left', { time: duration(perStep * remaining) }))
    }
    return words.join(' · ')
  }

  /** The line that stands for "nothing finished, still at work". */
  #waitingWords(): string {
    const stage = this.#stageWords()
    const { words, since } = this.#activity ?? {
      words: stage === '' ? this.#say('the engine') : this.#say('the next step'),
      since: this.#stage?.stepTimes.at(-1) ?? this.#startedAt,
    }
    const waiting = this.#say('waiting for {what} ({time})', {
      what: words,
      time: duration((this.#now() - since) / 1000),
    })
    return stage === '' ? waiting : `${stage} · ${waiting}`
  }

  /** A line that stays. */
  #line(text: string): void {
    this.#erase()
    const clean = printable(text)
    if (this.#live) {
      this.#output.write(`${clean}\n`)
      return
    }
    const elapsed = duration((this.#now() - this.#startedAt) / 1000)
    this.#output.write(`[${elapsed.padStart(6)}] ${clean}\n`)
    this.#armHeartbeat()
  }

  #armHeartbeat(): void {
    clearTimeout(this.#heartbeat)
    this.#heartbeat = setTimeout(() => this.#line(this.#waitingWords()), this.#heartbeatMs)
    this.#heartbeat.unref()
  }

  #erase(): void {
    if (!this.#drawn) return
    this.#output.write('\r\u001b[2K')
    this.#drawn = false
  }

  #scheduleDraw(): void {
    if (this.#clock === undefined || this.#redraw !== undefined) return
    const wait = this.#lastDraw + REDRAW_MS - this.#now()
    if (wait <= 0) {
      this.#draw()
      return
    }
    this.#redraw = setTimeout(() => this.#draw(), wait)
    this.#redraw.unref()
  }

  #draw(): void {
    clearTimeout(this.#redraw)
    this.#redraw = undefined
    const stage = this.#stageWords()
    const activity = this.#activity?.words ?? ''
    if (stage === '' && activity === '') return
    const text = [stage, activity].filter(part => part !== '').join(' · ')
    // One column is left free: a full last column makes some terminals wrap.
    // Terminals of unknown size report no columns, or 0.
    const columns = Math.max(10, (this.#output.columns || 80) - 1)
    this.#output.write(`\r\u001b[2K${truncate(printable(text), columns)}`)
    this.#drawn = true
    this.#lastDraw = this.#now()
  }
}
