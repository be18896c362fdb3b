/**
 * A judge in the same process: a second, frozen checkpoint on an engine of its own, with its own
 * tokenizer and chat template. It decodes greedily, so a verdict is a function of its prompt to the
 * bit, whatever else is in the batch. Items that are asked while the engine is free or busy gather and
 * go to it together.
 */

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { LocalJudgeSpec } from '../../config/schema/oracle.ts'
import { ChatTemplate } from '../../data/chat-template.ts'
import { Tokenizer } from '../../data/tokenizer.ts'
import type { DeviceName } from '../../engine/device.ts'
import { type Completion, Engine } from '../../engine/engine.ts'
import { messageOf } from '../../errors.ts'
import { openModelDirectory } from '../../model/directory.ts'
import { checkPrompt, critiqueMessages, judgeMessages, type PromptMessage } from './prompt.ts'
import {
  type Critique,
  type JudgeItem,
  type Judgement,
  judgement,
  type KeyedJudge,
} from './types.ts'
import { parseCritique, parseVerdict } from './verdict.ts'

type Failed = { failed: string }

interface LocalJudgeOptions {
  /** The checkpoint's directory. */
  directory: string
  threads?: number | undefined
  device?: DeviceName | undefined
}

/** Loads the judge; `close` frees it. Errors name the file at fault. */
export async function openLocalJudge(
  spec: LocalJudgeSpec,
  options: LocalJudgeOptions,
): Promise<KeyedJudge> {
  checkPrompt(spec)
  const directory = await openModelDirectory(options.directory)
  const tokenizer = await Tokenizer.load(directory.tokenizerDir)
  tokenizer.requireModel(directory.config)
  const template = new ChatTemplate(tokenizer)
  // An adapter's verdicts are those of its base model as well.
  const parts = new Set([options.directory, directory.dir].map(path => resolve(path)))
  const identity = spec.cache ? await contentHash([...parts]) : ''
  const engine = await Engine.load(directory, {
    threads: options.threads ?? 0,
    device: options.device ?? 'cpu',
    dtype: spec.dtype,
  })
  return new LocalJudge(spec, identity, engine, tokenizer, template)
}

interface Waiting {
  tokens: Int32Array
  signal: AbortSignal | undefined
  resolve(completion: Completion): void
  reject(error: unknown): void
}

class LocalJudge implements KeyedJudge {
  readonly description: string
  readonly #spec: LocalJudgeSpec
  readonly #identity: string
  readonly #engine: Engine
  readonly #tokenizer: Tokenizer
  readonly #template: ChatTemplate
  #waiting: Waiting[] = []
  #busy = false

  constructor(
    spec: LocalJudgeSpec,
    identity: string,
    engine: Engine,
    tokenizer: Tokenizer,
    template: ChatTemplate,
  ) {
    this.description = `${spec.name ?? 'local'} (${spec.path})`
    this.#spec = spec
    this.#identity = identity
    this.#engine = engine
    this.#tokenizer = tokenizer
    this.#template = template
  }

  keyOf(item: JudgeItem): string {
    const { enable_thinking, dtype } = this.#spec
    const messages = judgeMessages(item, this.#spec)
    const weights = dtype === 'float32' ? [] : [dtype]
    const asked = JSON.stringify(['local', this.#identity, ...weights, enable_thinking, messages])
    return createHash('sha256').update(asked).digest('hex')
  }

  judge(item: JudgeItem, signal?: AbortSignal): Promise<Judgement> {
    return this.#ask(judgeMessages(item, this.#spec), parseVerdict, signal)
  }

  critique(item: JudgeItem, signal?: AbortSignal): Promise<Judgement<Critique>> {
    return this.#ask(critiqueMessages(item, this.#spec.seed), parseCritique, signal)
  }

  async #ask<T extends object>(
    messages: PromptMessage[],
    read: (reply: string) => T | Failed,
    signal: AbortSignal | undefined,
  ): Promise<Judgement<T | Failed>> {
    signal?.throwIfAborted()
    const started = performance.now()
    const { max_tokens, enable_thinking } = this.#spec
    const { ids } = this.#template.renderChat(messages, {
      addGenerationPrompt: true,
      enableThinking: enable_thinking,
    })
    const room = this.#engine.config.maxPositionEmbeddings
    if (ids.length + max_tokens > room) {
      return judgement<Failed>({
        failed: `the question takes ${ids.length} tokens and the reply up to ${max_tokens}, more than the ${room} positions of ${this.#spec.path}`,
      })
    }
    let completion: Completion
    try {
      completion = await new Promise<Completion>((resolve, reject) => {
        this.#waiting.push({ tokens: Int32Array.from(ids), signal, resolve, reject })
        if (!this.#busy) void this.#work()
      })
    } catch (error) {
      signal?.throwIfAborted()
      return judgement<Failed>({ failed: `the judge's engine failed: ${messageOf(error)}` })
    }
    return judgement<T | Failed>(this.#read(completion, read), {
      requests: 1,
      tokens: { prompt: ids.length, completion: completion.tokens.length },
      latency_s: (performance.now() - started) / 1000,
    })
  }

  async close(): Promise<void> {
    await this.#engine.dispose()
  }

  #read<T extends object>(completion: Completion, read: (reply: string) => T | Failed): T | Failed {
    if (completion.finishReason === 'length') {
      return { failed: 'the reply was cut at max_tokens' }
    }
    return read(this.#tokenizer.decode(completion.tokens, { skipSpecial: true }))
  }

  /** Gives all that waits to the engine, again and again, until nothing waits. */
  async #work(): Promise<void> {
    this.#busy = true
    // What is asked in the same turn of the event loop goes together.
    await new Promise(resolve => setImmediate(resolve))
    while (this.#waiting.length > 0) {
      const { signal } = this.#waiting[0]!
      const batch = this.#waiting.filter(waiting => waiting.signal === signal)
      this.#waiting = this.#waiting.filter(waiting => waiting.signal !== signal)
      try {
        const completions = await this.#generate(batch, signal)
        for (const [i, { resolve }] of batch.entries()) resolve(completions[i]!)
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    this.#busy = false
  }

  async #generate(
    batch: readonly Waiting[],
    signal: AbortSignal | undefined,
  ): Promise<Completion[]> {
    const stopTokens = Int32Array.from(this.#tokenizer.eosIds)
    const requests = batch.map(({ tokens }) => ({
      tokens,
      maxNewTokens: this.#spec.max_tokens,
      stopTokens,
      temperature: 0,
    }))
    return await this.#engine.generate(requests, {
      vocabLimit: this.#tokenizer.size,
      ...(signal ? { signal } : {}),
    })
  }
}

/** SHA-256 of the files that make a model what it is: config, tokenizer, template, weights. */
async function contentHash(directories: readonly string[]): Promise<string> {
  const hash = createHash('sha256')
  for (const directory of directories) {
    const names = (await readdir(directory)).filter(name =>
      /\.(json|jinja|safetensors|txt)$/.test(name),
    )
    for (const name of names.sort()) {
      hash.update(`${name}\n`)
      const file = createReadStream(join(directory, name), { highWaterMark: 1 << 20 })
      for await (const chunk of file) hash.update(chunk as Buffer)
    }
  }
  return hash.digest('hex')
}
