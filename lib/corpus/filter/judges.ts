/**
 * Judges blocks on threads, results in the order of the blocks: any number of threads gives the same
 * bytes. At most two blocks a thread are under way, which bounds the memory. Blocks move between
 * threads without a copy.
 */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { KogrpoError } from '../../errors.ts'
import { phrase } from '../../messages/phrase.ts'
import { BlockJudge, type BlockOptions, type JudgedBlock } from './block.ts'

interface Judged {
  bytes: Buffer
  block: JudgedBlock
}

/** The compiled worker; beside this file, or in dist/ when this one runs from source. */
function workerFile(): string {
  const beside = fileURLToPath(new URL('./worker.js', import.meta.url))
  const built = fileURLToPath(new URL('../../../dist/corpus/filter/worker.js', import.meta.url))
  const found = [beside, built].find(existsSync)
  if (found !== undefined) return found
  throw new KogrpoError(
    'E_INSTALL',
    phrase(
      '{beside} is missing; build the package (npm run build:ts), or give --threads 0 to do without threads',
      { beside },
    ),
  )
}

class JudgeThread {
  readonly #worker: Worker
  /** One a block under way, in order. */
  readonly #waiting: { resolve(judged: Judged): void; reject(error: unknown): void }[] = []

  constructor({ columns, rules, dedup }: BlockOptions) {
    // The caller's object may hold more, functions too, which no thread can be sent.
    const options: BlockOptions = { columns, rules, dedup }
    this.#worker = new Worker(workerFile(), { workerData: options })
    this.#worker.on('message', ({ bytes, block }: { bytes: Uint8Array; block: JudgedBlock }) => {
      const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      this.#waiting.shift()!.resolve({ bytes: whole, block })
    })
    this.#worker.on('error', error => {
      for (const { reject } of this.#waiting.splice(0)) reject(error)
    })
  }

  judge(bytes: Buffer<ArrayBuffer>): Promise<Judged> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#worker.postMessage(bytes, [bytes.buffer])
    })
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
  }
}

/** Judges `blocks` (each owns its memory); `threads` 0 does it in this thread. */
export async function* judgeBlocks(
  blocks: AsyncIterable<Buffer<ArrayBuffer>>,
  options: BlockOptions,
  threads: number,
): AsyncGenerator<Judged> {
  if (threads === 0) {
    const judge = new BlockJudge(options)
    for await (const bytes of blocks) yield { bytes, block: judge.judge(bytes) }
    return
  }
  const pool = Array.from({ length: threads }, () => new JudgeThread(options))
  const pending: Promise<Judged>[] = []
  let next = 0
  try {
    for await (const bytes of blocks) {
      const judged = pool[next++ % threads]!.judge(bytes)
      // Whoever awaits it first hears of a failure; until then it is not unheard.
      judged.catch(() => {})
      pending.push(judged)
      if (pending.length >= 2 * threads) yield await pending.shift()!
    }
    while (pending.length > 0) yield await pending.shift()!
  } finally {
    await Promise.all(pool.map(thread => thread.close()))
  }
}
