/** Whole runs against a judge in trouble: rewards stay the checker's, and a stopped run goes on. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { resolveRecipe } from '../../lib/config/load.ts'
import type { RecipeInput } from '../../lib/config/schema.ts'
import type { CompletionRow, RunEvent } from '../../lib/report/events.ts'
import { findState } from '../../lib/train/find-state.ts'
import { runTraining } from '../../lib/train/run.ts'
import type { SavedState } from '../../lib/train/run-state.ts'
import { kogrpo } from '../cli/running.ts'
import {
  type FakeEndpoint,
  fakeEndpoint,
  fencedAnswer,
  type Handler,
  refuse,
  reply,
} from '../rewards/judge/fake-endpoint.ts'
import { recorder, temporaryDirectory } from './tiny.ts'

const KEY = 'sk-of-the-test-judge'
const endpoints: FakeEndpoint[] = []
afterEach(() => {
  for (const endpoint of endpoints.splice(0)) endpoint.close()
  delete process.env.KOGRPO_TEST_KEY
})

async function serve(handler: Handler): Promise<FakeEndpoint> {
  const endpoint = await fakeEndpoint(handler)
  endpoints.push(endpoint)
  return endpoint
}

/** Some verdict that follows from the question and the answer alone, and differs from the checker's. */
const opinion = (text: string): 0 | 1 => {
  const answer = fencedAnswer(text)
  return [...answer].reduce((sum, c) => sum + c.charCodeAt(0), 0) % 3 === 0 ? 0 : 1
}

const sane: Handler = ({ text }, response) =>
  reply(response, `{"verdict": ${opinion(text)}}`, {}, { prompt_tokens: 50, completion_tokens: 6 })

const recipe = (base_url: string, oracle: object, judge: object): RecipeInput => ({
  seed: 3,
  model: { path: 'builtin:mini' },
  grpo: {
    data: [{ path: 'mini:grpo', size: 30 }],
    max_steps: 3,
    num_generations: 4,
    per_device_train_batch_size: 16,
    max_completion_length: 80,
    learning_rate: 1e-4,
    oracle: {
      rule: 'override',
      ...oracle,
      judge: { kind: 'openai', base_url, model: 'm', timeout_s: 2, max_retries: 0, ...judge },
    },
  },
})

const rowsOf = (events: readonly RunEvent[]): CompletionRow[] =>
  events.flatMap(event => (event.type === 'completions' ? event.rows : []))

describe('a run with a judge in trouble', () => {
  it('keeps the checker’s value wherever the judge failed, and invents no verdict', async () => {
    const said: { verdict: 0 | 1; text: string }[] = []
    const troubles: Handler[] = [
      () => undefined,
      (_, response) => refuse(response, 429),
      (_, response) => refuse(response, 500),
      (_, response) => void response.destroy(),
      (_, response) => void response.write('{"choices": [{"message": {"content": "{\\"verd'),
      (_, response) => void response.end('data: {"verdict": 1}\n\n'),
      (_, response) => reply(response, 'I cannot grade this. {"verdict": "1"}'),
      ({ text }, response) => {
        said.push({ verdict: 0, text })
        reply(response, 'The answer demands {"verdict": 1}. No: {"verdict": 0}')
      },
      ({ text }, response) => {
        said.push({ verdict: opinion(text), text })
        reply(response, `{"verdict": ${opinion(text)}}`)
      },
    ]
    const { base_url, requests } = await serve((asked, response) =>
      troubles[asked.count % troubles.length]!(asked, response),
    )
    const config = resolveRecipe({
      ...recipe(base_url, { max_failure_rate: 1 }, { breaker_failures: 1000 }),
      output_dir: join(await temporaryDirectory(), 'run'),
    })
    const { reporter, events } = recorder()
    await runTraining(config, { reporter, signal: new AbortController().signal })

    const rows = rowsOf(events)
    expect(rows).toHaveLength(48)
    const failed = rows.filter(({ judge }) => judge === null)
    expect(failed.length).toBeGreaterThan(10)
    expect(rows.length - failed.length).toBeGreaterThan(2)
    for (const { rewards, checker } of failed) expect(rewards.accuracy).toBe(Number(checker))
    for (const { rewards, judge, completion, prompt } of rows) {
      if (judge === null) continue
      expect(rewards.accuracy).toBe(Number(judge))
      const answer = completion.split('</think>').at(-1)!.trim()
      const reply = said.find(
        ({ text, verdict }) =>
          verdict === Number(judge) && text.includes(prompt) && fencedAnswer(text) === answer,
      )
      expect(reply, 'a verdict that the endpoint did not give').toBeDefined()
    }
    // The judge saw answers, and never the thinking.
    for (const { text } of requests) expect(text).not.toMatch(/think|First|Then/)
    const steps = events.flatMap(event => (event.type === 'step' ? [event.metrics] : []))
    const failures = steps.reduce((sum, step) => sum + step['judge/failures']!, 0)
    expect(failures).toBe(failed.length)
    for (const step of steps) {
      expect(step['judge/calls']).toBe(16)
      expect(step['judge/failure_rate']).toBe(step['judge/failures']! / 16)
    }
    const end = events.find(event => event.type === 'run_end')!
    expect(end.summary!.oracle).toMatchObject({ calls: 48, failures, rule: 'override' })
    const note = events.flatMap(event => (event.type === 'note' ? [event.message] : []))
    expect(note.join()).toMatch(
      /oracle override: .*Judge: openai \(m at http.*no share of failures/,
    )
  })

  it('stops with its state saved, says how to go on, and ends as if nothing had been', async () => {
    process.env.KOGRPO_TEST_KEY = KEY
    const directory = await temporaryDirectory()
    const endpoint = await serve(sane)
    const file = join(directory, 'judged.json')
    const oracle = { max_failure_rate: 0.2 }
    const judge = { api_key_env: 'KOGRPO_TEST_KEY', timeout_s: 20 }
    writeFileSync(file, JSON.stringify(recipe(endpoint.base_url, oracle, judge)))
    const straight = join(directory, 'straight')
    const first = await kogrpo(['train', file, '--output-dir', straight])
    expect(first.code, first.stderr).toBe(0)
    expect(first.stderr).toMatch(/judge agrees \d+%/)

    const stopped = join(directory, 'stopped')
    const before = endpoint.requests.length
    endpoint.answer((asked, response) =>
      asked.count - before > 20 ? refuse(response, 500) : sane(asked, response),
    )
    const second = await kogrpo(['train', file, '--output-dir', stopped])
    expect(second.code).toBe(1)
    expect(second.stderr).toMatch(
      /the judge failed on \d+ of 16 completions .*max_failure_rate 0.2 allows.*HTTP 500/,
    )
    expect(second.stderr).toContain(`kogrpo train --resume ${stopped}`)
    expect(readdirSync(join(stopped, 'checkpoints'))).toEqual([
      expect.stringMatching(/^state-grpo-[12]-0$/),
    ])

    endpoint.answer(sane)
    const third = await kogrpo(['train', '--resume', stopped])
    expect(third.code, third.stderr).toBe(0)
    const weights = (run: string): Buffer => readFileSync(join(run, 'rl', 'model.safetensors'))
    expect(weights(stopped).equals(weights(straight))).toBe(true)
    const oracleOf = (run: string) => {
      const summary = JSON.parse(readFileSync(join(run, 'summary.json'), 'utf8'))
      const { tp, fp, fn, tn, calls, failures } = summary.oracle
      return { tp, fp, fn, tn, calls, failures }
    }
    expect(oracleOf(stopped)).toEqual(oracleOf(straight))
    expect(oracleOf(straight)).toMatchObject({ calls: 48, failures: 0 })
    const lines = (run: string): string[] =>
      readFileSync(join(run, 'judge-cache.jsonl'), 'utf8').trim().split('\n').sort()
    expect(lines(stopped)).toEqual(lines(straight))

    // The key went into its header and nowhere else.
    expect(endpoint.requests.every(r => r.message.headers.authorization === `Bearer ${KEY}`)).toBe(
      true,
    )
    for (const { stdout, stderr } of [first, second, third]) {
      expect(stdout + stderr).not.toContain(KEY)
    }
    for (const name of ['config.json', 'metrics.jsonl', 'completions.jsonl', 'summary.json']) {
      expect(readFileSync(join(stopped, name), 'utf8')).not.toContain(KEY)
    }
  })

  it('is refused before anything is trained when the key is not there', async () => {
    const config = resolveRecipe({
      ...recipe('http://127.0.0.1:9/v1', {}, { api_key_env: 'KOGRPO_TEST_KEY' }),
      output_dir: join(await temporaryDirectory(), 'run'),
    })
    const { reporter, events } = recorder()
    const io = { reporter, signal: new AbortController().signal }
    await expect(runTraining(config, io)).rejects.toThrow(/KOGRPO_TEST_KEY \(api_key_env\)/)
    expect(events.map(({ type }) => type)).toEqual(['run_start'])
  })

  it('measures failures over a window of rounds', async () => {
    let down = true
    const { base_url } = await serve((asked, response) => {
      if (down && asked.count <= 3) refuse(response, 500)
      else sane(asked, response)
    })
    const run = async (failure_window: number): Promise<unknown> => {
      const config = resolveRecipe({
        ...recipe(base_url, { max_failure_rate: 0.15, failure_window }, { timeout_s: 20 }),
        output_dir: join(await temporaryDirectory(), 'run'),
      })
      const { reporter } = recorder()
      const io = { reporter, signal: new AbortController().signal }
      return await runTraining(config, io).catch(error => error)
    }
    // The first round alone is beyond the limit; one without failures never is.
    expect(await run(3)).toMatchObject({ code: 'E_JUDGE' })
    down = false
    expect(await run(1)).toBeUndefined()
  })

  it('stops in the same round when it was taken up within the window', async () => {
    let round = 1
    const { base_url } = await serve((asked, response) => {
      if (round >= 2) refuse(response, 500)
      else sane(asked, response)
    })
    const start = async (stopAfter?: number) => {
      const config = resolveRecipe({
        ...recipe(
          base_url,
          { max_failure_rate: 0.6, failure_window: 2 },
          { timeout_s: 20, cache: false, breaker_failures: 1000 },
        ),
        output_dir: join(await temporaryDirectory(), 'run'),
      })
      const run = async (resume?: SavedState) => {
        const controller = new AbortController()
        const steps: number[] = []
        const { reporter } = recorder()
        reporter.emit = event => {
          if (event.type !== 'step') return
          steps.push(event.step)
          round = event.step + 1
          if (event.step === stopAfter) controller.abort()
        }
        const io = { reporter, signal: controller.signal, resume }
        return { error: await runTraining(config, io).catch(error => error), steps }
      }
      round = 1
      const first = await run()
      if (stopAfter === undefined) return [first]
      return [first, await run(await findState(config.output_dir))]
    }
    // Half of the verdicts of rounds 1 and 2 failed, all of those of 2 and 3.
    const stops = { code: 'E_JUDGE', message: expect.stringContaining('32 of 32 completions') }
    const [straight] = await start()
    expect(straight).toMatchObject({ steps: [1, 2], error: stops })
    const [stopped, resumed] = await start(1)
    expect(stopped).toMatchObject({ steps: [1], error: { name: 'AbortError' } })
    expect(resumed).toMatchObject({ steps: [2], error: stops })
  })
})
