/**
 * A checkpoint in this process. The tokens of a continuation are those that the whole text has more
 * than its context; options of one question share their context's computation. Log-probs are of the
 * whole vocabulary of the model, as everybody's.
 */
import type { ChatTemplate } from '../../data/chat-template.ts'
import { concatenate } from '../../data/packing.ts'
import type { Tokenizer } from '../../data/tokenizer.ts'
import type { Engine, GenerateRequest } from '../../engine/engine.ts'
import { KogrpoError } from '../../errors.ts'
import { phrase } from '../../messages/phrase.ts'
import type { Ask, Backend, Control, Likelihood, Pair, Sample, Sampling } from './types.ts'
import { splitPair } from './types.ts'

interface EngineBackendOptions {
  description: string
  engine: Engine
  tokenizer: Tokenizer
  template(): ChatTemplate
  enableThinking?: boolean | undefined
  system?: string | undefined
  maxSequences?: number | undefined
  maxCacheBytes?: number | undefined
}

interface Scored {
  ids: Int32Array
  mask: Uint8Array
  prompt: Int32Array
}

export class EngineBackend implements Backend {
  readonly description: string
  readonly #options: EngineBackendOptions

  constructor(options: EngineBackendOptions) {
    this.description = options.description
    this.#options = options
  }

  async likelihoods(
    pairs: readonly Pair[],
    where: readonly string[],
    { signal }: Control,
  ): Promise<Likelihood[]> {
    const { engine } = this.#options
    const sequences = pairs.map((pair, i) => this.#encode(pair, where[i]!))
    const batch = concatenate(
      sequences,
      sequences.map((_, i) => i),
    )
    const { logprobs, correct } = await engine.score(batch, { signal })
    return sequences.map(({ ids, prompt }, i) => {
      const begin = batch.cuSeqlens[i]!
      let [logprob, greedy] = [0, true]
      for (let t = prompt.length; t < ids.length; t++) {
        logprob += logprobs[begin + t]!
        if (correct[begin + t] === 0) greedy = false
      }
      if (!Number.isFinite(logprob)) {
        throw new KogrpoError(
          'E_EVAL',
          phrase(
            "{where}: the log-likelihood is {logprob}; the model's weights hold NaN or overflow",
            { where: where[i]!, logprob },
          ),
        )
      }
      return { logprob, greedy, tokens: ids.length - prompt.length }
    })
  }

  #encode(pair: Pair, where: string): Scored {
    const { tokenizer, engine } = this.#options
    const { context, continuation } = splitPair(pair)
    const prompt = Int32Array.from(tokenizer.encode(context))
    const ids = Int32Array.from(tokenizer.encode(context + continuation))
    if (prompt.length === 0 || ids.length <= prompt.length) {
      throw new KogrpoError(
        'E_EVAL',
        phrase(
          '{where}: nothing to score: the context has {length} tokens and "{continuation}" adds {added}',
          { where, length: prompt.length, continuation, added: ids.length - prompt.length },
        ),
      )
    }
    requireRoom(ids.length, engine.config.maxPositionEmbeddings, where)
    const mask = new Uint8Array(ids.length).fill(1, prompt.length)
    // Where a token spans the boundary, the context alone is no prefix of the whole.
    const shared = prompt.every((id, t) => id === ids[t])
    return { ids, mask, prompt: shared ? prompt : ids.slice(0, prompt.length) }
  }

  async sample(
    asks: readonly Ask[],
    sampling: Sampling,
    { signal, onProgress }: Control,
  ): Promise<Sample[][]> {
    const { engine, tokenizer, maxSequences, maxCacheBytes } = this.#options
    const stopTokens = Int32Array.from(tokenizer.eosIds)
    const requests = asks.flatMap(ask => this.#requests(ask, sampling, stopTokens))
    const completions = await engine.generate(requests, {
      // Ids that the tokenizer does not have are never sampled.
      vocabLimit: tokenizer.size,
      ...(maxSequences === undefined ? {} : { maxSequences }),
      ...(maxCacheBytes === undefined ? {} : { maxCacheBytes }),
      ...(signal === undefined ? {} : { signal }),
      ...(onProgress === undefined ? {} : { onProgress }),
    })
    let next = 0
    return asks.map(({ streams }) =>
      streams.map(() => {
        const { tokens, logprobs, finishReason } = completions[next++]!
        return {
          text: tokenizer.decode(tokens, { skipSpecial: true }),
          tokens: tokens.length,
          logprob: logprobs.reduce((sum, logprob) => sum + logprob, 0),
          finish: finishReason,
        }
      }),
    )
  }

  #requests(ask: Ask, sampling: Sampling, stopTokens: Int32Array): GenerateRequest[] {
    const { system, enableThinking, engine, template } = this.#options
    const messages = [
      ...(system === undefined ? [] : [{ role: 'system', content: system }]),
      { role: 'user', content: ask.prompt },
    ]
    const { ids } = template().renderChat(messages, {
      addGenerationPrompt: true,
      ...(enableThinking === undefined ? {} : { enableThinking }),
    })
    const room = engine.config.maxPositionEmbeddings - ids.length
    requireRoom(ids.length + 1, engine.config.maxPositionEmbeddings, ask.where)
    const { maxNewTokens, temperature, topK, topP, minP, seed } = sampling
    return ask.streams.map(stream => ({
      tokens: Int32Array.from(ids),
      maxNewTokens: Math.min(maxNewTokens, room),
      stopTokens,
      temperature,
      topK,
      topP,
      minP,
      seed,
      stream,
    }))
  }

  async close(): Promise<void> {
    await this.#options.engine.dispose()
  }
}

function requireRoom(tokens: number, context: number, where: string): void {
  if (tokens <= context) return
  throw new KogrpoError(
    'E_EVAL',
    phrase(
      "{where}: the question needs {tokens} tokens, the model's context has {context}; give fewer few-shot examples (--num-fewshot)",
      { where, tokens, context },
    ),
  )
}
