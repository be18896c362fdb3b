/** A long call of the native engine while it runs: it is stopped by a signal, tells how far it is, and
 *  hands out what is done. */
import { type Control, loadNative } from './native.ts'
import type { Completion } from './options.ts'

/** How often progress is told. */
const PROGRESS_MS = 200
/** How often completions that are done are looked for. */
const HAND_OVER_MS = 10

/** Runs a call that `signal` aborts. */
export async function controlled<T>(
  signal: AbortSignal | undefined,
  run: (control: Control) => Promise<T>,
  onProgress?: (progress: number) => void,
): Promise<T> {
  signal?.throwIfAborted()
  const control = new (loadNative().Control)()
  const abort = (): void => control.abort()
  signal?.addEventListener('abort', abort, { once: true })
  const timer = onProgress && setInterval(() => onProgress(control.progress), PROGRESS_MS)
  try {
    return await run(control)
  } finally {
    signal?.removeEventListener('abort', abort)
    clearInterval(timer)
  }
}

/** Runs a generation that streams: gives each completion to `take` soon after it is done, and all of
 *  them before it ends. What `take` throws aborts the generation, and is thrown. */
export async function handingOver<T>(
  control: Control,
  take: (completion: Completion, place: number) => void,
  generate: () => Promise<T>,
): Promise<T> {
  let failure: { error: unknown } | undefined
  const hand = (): void => {
    try {
      for (const part of control.take() as (Completion & { place: number })[]) {
        const { place, ...completion } = part
        take(completion, place)
      }
    } catch (error) {
      failure ??= { error }
      control.abort()
    }
  }
  const timer = setInterval(hand, HAND_OVER_MS)
  try {
    const result = await generate()
    hand()
    if (failure) throw failure.error
    return result
  } catch (error) {
    throw failure ? failure.error : error
  } finally {
    clearInterval(timer)
  }
}
