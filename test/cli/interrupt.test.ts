import { EventEmitter } from 'node:events'
import { expect, test, vi } from 'vitest'
import { Interrupted } from '../../lib/cli/errors.ts'
import { runInterruptibly } from '../../lib/cli/interrupt.ts'
import { KogrpoError } from '../../lib/errors.ts'
import { verbatim } from '../../lib/messages/phrase.ts'

function setUp() {
  const signals = new EventEmitter()
  const context = { signals, exit: vi.fn() }
  const options = { onInterrupt: vi.fn(), message: () => verbatim('how to go on') }
  return { signals, context, options }
}

/** Rejects with the signal's reason as soon as it is aborted. */
const untilAborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason))
  })

test('a task that is left alone returns its result, and the listeners go', async () => {
  const { signals, context, options } = setUp()
  await expect(runInterruptibly(context, options, async () => 7)).resolves.toBe(7)
  expect(signals.listenerCount('SIGINT') + signals.listenerCount('SIGTERM')).toBe(0)
})

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s aborts the task, which ends with code %i', async (name, code) => {
  const { signals, context, options } = setUp()
  const run = runInterruptibly(context, options, untilAborted)
  signals.emit(name, name)
  const error = await run.catch((e: unknown) => e)
  expect(error).toBeInstanceOf(Interrupted)
  expect(error).toMatchObject({ code: 'E_INTERRUPTED', exitCode: code, message: 'how to go on' })
  expect(options.onInterrupt).toHaveBeenCalledTimes(1)
  expect(context.exit).not.toHaveBeenCalled()
  expect(signals.listenerCount('SIGINT') + signals.listenerCount('SIGTERM')).toBe(0)
})

test('a task that returns early on the signal was interrupted as well', async () => {
  const { signals, context, options } = setUp()
  const run = runInterruptibly(context, options, signal => untilAborted(signal).catch(() => 1))
  signals.emit('SIGINT', 'SIGINT')
  await expect(run).rejects.toBeInstanceOf(Interrupted)
})

test('the second signal ends the process at once', async () => {
  const { signals, context, options } = setUp()
  let finish: () => void = () => {}
  const run = runInterruptibly(context, options, () => new Promise<void>(r => (finish = r)))
  signals.emit('SIGINT', 'SIGINT')
  expect(context.exit).not.toHaveBeenCalled()
  signals.emit('SIGTERM', 'SIGTERM')
  expect(context.exit).toHaveBeenCalledExactlyOnceWith(130)
  expect(options.onInterrupt).toHaveBeenCalledTimes(1)
  finish()
  await expect(run).rejects.toBeInstanceOf(Interrupted)
})

test('a failure of the task goes through, also after a signal', async () => {
  const { signals, context, options } = setUp()
  const failure = new KogrpoError('E_DATA', 'bad line')
  const run = runInterruptibly(context, options, signal =>
    untilAborted(signal).catch(() => Promise.reject(failure)),
  )
  signals.emit('SIGINT', 'SIGINT')
  await expect(run).rejects.toBe(failure)
})
