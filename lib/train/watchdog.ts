/**
 * Notices a run that has come to stand still. Every event of a run is a sign of life, except a progress
 * that names the same count again. When a phase is silent for longer than its limit, the run's signal
 * is aborted with an error that names what is waited for, and how far it was; the run saves its last
 * boundary and ends. Where even that does not come (an engine or an endpoint that does not listen),
 * `giveUp` is called after as long again.
 */
import type { Recipe } from '../config/schema.ts'
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import type { Consumer, RunEvent } from '../report/events.ts'

type WatchdogLimits = Recipe['watchdog']
type Phase = keyof WatchdogLimits

/** Longer than 24 days a timer of JavaScript cannot be. */
const MOST_SECONDS = 2e6

/** The phase that an activity belongs to. */
function phaseOf(activity: string): Phase {
  if (activity === 'generation' || activity === 'refinement') return 'rollout'
  if (activity.startsWith('evaluation')) return 'eval'
  if (activity === 'judge' || activity === 'reward' || activity === 'save') return activity
  return 'update'
}

export class Watchdog implements Consumer {
  readonly #limits: WatchdogLimits
  readonly #giveUp: (error: KogrpoError) => void
  readonly #controller = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #phase: Phase = 'update'
  #waitsFor = 'the start of the run'
  #error: KogrpoError | null = null

  constructor(limits: WatchdogLimits, giveUp: (error: KogrpoError) => void = () => {}) {
    this.#limits = limits
    this.#giveUp = giveUp
    this.#rearm()
  }

  /** Aborted when the run stands still; the reason is the error. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Why the run was stopped; null while it lives. */
  get error(): KogrpoError | null {
    return this.#error
  }

  handle(event: RunEvent): void {
    if (event.type === 'activity') {
      const { activity, done, total } = event
      const progress = done === undefined ? '' : ` (${done} of ${total ?? '?'})`
      const waitsFor = `${activity}${progress}`
      if (waitsFor === this.#waitsFor && done !== undefined) return
      this.#waitsFor = waitsFor
      this.#phase = phaseOf(activity)
    } else if (event.type === 'step') {
      this.#phase = 'update'
      this.#waitsFor = `what follows ${event.stage} step ${event.step}`
    }
    if (!this.#error) this.#rearm()
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #rearm(): void {
    clearTimeout(this.#timer)
    const seconds = Math.min(this.#limits[this.#phase], MOST_SECONDS)
    if (seconds === 0) return
    this.#timer = setTimeout(() => this.#trip(seconds), seconds * 1000)
    this.#timer.unref()
  }

  #trip(seconds: number): void {
    this.#error = new KogrpoError(
      'E_WATCHDOG',
      phrase(
        'nothing was heard for {seconds} s (watchdog.{phase}); the run waits for: {waits}. It is stopped; raise the limit if this may take so long',
        { seconds, phase: this.#phase, waits: this.#waitsFor },
      ),
    )
    this.#controller.abort(this.#error)
    this.#timer = setTimeout(() => this.#giveUp(this.#error!), seconds * 1000)
    this.#timer.unref()
  }
}
