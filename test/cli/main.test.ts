import { EventEmitter } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { main } from '../../lib/cli/main.ts'
import type { Recipe } from '../../lib/config/schema.ts'
import { KogrpoError } from '../../lib/errors.ts'
import type { Reporter } from '../../lib/report/reporter.ts'
import type { RunState, SavedState } from '../../lib/train/run-state.ts'
import { writeState } from '../saved-state.ts'

type RunTraining = (
  config: Recipe,
  io: { reporter: Reporter; signal: AbortSignal },
) => Promise<void>

const training = vi.hoisted(() => ({ run: vi.fn() }))
vi.mock('../../lib/train/run.ts', () => ({ runTraining: training.run }))

const directory = mkdtempSync(join(tmpdir(), 'kogrpo-cli-'))
const recipe = join(directory, 'small.yaml')
writeFileSync(
  recipe,
  'sft: {data: [{path: mini:sft}]}\ngrpo: {data: [{path: mini:grpo}], min_lr_ratio: 0.5}\n',
)

let fresh = 0
const outputDir = (): string => join(directory, `out-${fresh++}`)

beforeEach(() => {
  training.run.mockReset()
  training.run.mockImplementation(async () => {})
})

/** Starts one command line in this process. */
function start(args: string[], env: Record<string, string> = {}) {
  const out: string[] = []
  const err: string[] = []
  const signals = new EventEmitter()
  const context = {
    stdout: { write: (text: string) => out.push(text) },
    stderr: { write: (text: string) => err.push(text) },
    env,
    signals,
    exit: vi.fn(),
  }
  const done = main(args, context).then(code => ({
    code,
    stdout: out.join(''),
    stderr: err.join(''),
  }))
  return { signals, done }
}

const kogrpo = (args: string[], env?: Record<string, string>) => start(args, env).done

/** Starts training and waits until the loop runs. */
async function startTraining(args: string[]) {
  const started = start(['train', ...args])
  await vi.waitFor(() => expect(training.run).toHaveBeenCalled(), 10_000)
  return started
}

/** The recipe that the training was called with. */
const config = (): Recipe => (training.run.mock.calls[0] as Parameters<RunTraining>)[0]

describe('help', () => {
  test.each([[[]], [['--help']], [['-h']], [['help']]])('%j lists the commands', async args => {
    const { code, stdout, stderr } = await kogrpo(args)
    expect([code, stderr]).toEqual([0, ''])
    for (const name of ['train', 'generate', 'score', 'bench', 'doctor']) {
      expect(stdout).toContain(`kogrpo ${name}`)
    }
  })

  test('--version is that of the package', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
    expect((await kogrpo(['--version'])).stdout).toBe(`${version}\n`)
  })

  test('train --help shows its options and runs nothing', async () => {
    const { code, stdout } = await kogrpo(['train', '--help'])
    expect(code).toBe(0)
    for (const option of ['--seed', '--threads', '--device', '--output-dir', '--overwrite']) {
      expect(stdout).toContain(option)
    }
    expect(training.run).not.toHaveBeenCalled()
  })

  test('train --keys lists dotted keys with defaults', async () => {
    const { stdout } = await kogrpo(['train', '--keys'])
    expect(stdout).toContain('--grpo.num_generations <number> [8]\n    completions per prompt')
  })

  test('train --json-schema prints a JSON schema', async () => {
    const { stdout } = await kogrpo(['train', '--json-schema'])
    expect(JSON.parse(stdout)).toMatchObject({ title: 'kogrpo recipe', type: 'object' })
  })

  test('train --dry-run prints the resolved recipe and runs nothing', async () => {
    const { code, stdout, stderr } = await kogrpo(['train', recipe, '--dry-run', '--seed', '5'])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ seed: 5, grpo: { num_generations: 8 } })
    expect(stderr).toContain('warning: ')
    expect(training.run).not.toHaveBeenCalled()
  })
})

describe('mistyped commands end with code 2 and the nearest spelling', () => {
  test.each([
    [['trian'], 'kogrpo: unknown command "trian"; did you mean "train"?\n'],
    [['zzz'], 'kogrpo: unknown command "zzz"; commands: train, '],
    [['--seed', '3', 'train'], 'kogrpo: expected a command before --seed: one of train, '],
    [
      ['train', recipe, '--sead', '3'],
      'kogrpo: unknown option --sead; did you mean "--seed"?\nSee: kogrpo train --help\n',
    ],
    [
      ['train', recipe, '--output_dri', 'x'],
      'kogrpo: unknown option --output_dri; did you mean "--output-dir"?',
    ],
    [
      ['train', recipe, '--overwite'],
      'kogrpo: unknown option --overwite; did you mean "--overwrite"?',
    ],
    [['train', recipe, '--xyzzy'], 'kogrpo: unknown option --xyzzy\n'],
    [['train', recipe, '--seed'], 'kogrpo: --seed: needs a value\n'],
    [
      ['train', recipe, '--seed', 'x'],
      'kogrpo: --seed: expected a whole number, 0 to 4294967295, got "x"\n',
    ],
    [['train', recipe, '--seed', '1.5'], 'got "1.5"'],
    [['train', recipe, '--seed', '-1'], 'got "-1"'],
    [
      ['train', recipe, '--threads', '-2'],
      'kogrpo: --threads: expected a whole number, at least 0, got "-2"\n',
    ],
    [
      ['train', recipe, '--device', 'cud'],
      'kogrpo: --device: expected one of cpu, cuda, cuda:0, cuda:1, cuda:2, cuda:3, cuda:4, cuda:5, cuda:6, cuda:7, got "cud"; did you mean "cuda"?\n',
    ],
    [['train', recipe, '--output-dir', ''], 'kogrpo: --output-dir: expected some text, got ""\n'],
    [['train', recipe, 'extra'], 'kogrpo: unexpected argument: extra\n'],
  ])('%j', async (args, message) => {
    const { code, stdout, stderr } = await kogrpo(args)
    expect(stderr).toContain(message)
    expect([code, stdout]).toEqual([2, ''])
    expect(training.run).not.toHaveBeenCalled()
  })
})

describe('train', () => {
  test('passes the resolved recipe on and fills the run directory', async () => {
    const out = outputDir()
    training.run.mockImplementation(async (_config: Recipe, io: { reporter: Reporter }) => {
      io.reporter.emit({ type: 'step', stage: 'sft', step: 1, metrics: { loss: 1 } })
      io.reporter.emit({ type: 'run_end', summary: { paired_differences: {}, wall_s: 1, seed: 9 } })
    })
    const { code, stderr } = await kogrpo([
      'train',
      recipe,
      '--output-dir',
      out,
      '--seed',
      '9',
      '--threads',
      '2',
      '--grpo.learning_rate',
      '1e-4',
      '--sft.data.0.path=x.jsonl',
    ])
    expect(code).toBe(0)
    expect(config()).toMatchObject({
      name: 'small',
      seed: 9,
      threads: 2,
      output_dir: out,
      grpo: { learning_rate: 1e-4 },
      sft: { data: [{ path: 'x.jsonl' }] },
    })
    expect(JSON.parse(readFileSync(join(out, 'config.json'), 'utf8'))).toMatchObject({ seed: 9 })
    expect(readFileSync(join(out, 'metrics.jsonl'), 'utf8')).toBe(
      '{"stage":"sft","step":1,"loss":1}\n',
    )
    expect(existsSync(join(out, 'summary.json'))).toBe(true)
    expect(existsSync(join(out, 'completions.jsonl'))).toBe(false)
    expect(stderr).toContain('warning: ')
  })

  test('with WANDB_API_KEY the metrics go to wandb when the run is over', async () => {
    const bin = join(directory, 'wandb-bin')
    mkdirSync(bin)
    writeFileSync(join(bin, 'wandb'), `#!/bin/sh\nls "$7" > ${join(bin, 'said')}\n`, {
      mode: 0o755,
    })
    training.run.mockImplementation(async (_config: Recipe, io: { reporter: Reporter }) => {
      io.reporter.emit({ type: 'step', stage: 'sft', step: 1, metrics: { loss: 1 } })
    })
    const env = { PATH: `${bin}:${process.env.PATH}`, WANDB_API_KEY: 'k' }
    const { code, stderr } = await kogrpo(['train', recipe, '--output-dir', outputDir()], env)
    expect(code).toBe(0)
    expect(stderr).not.toContain('wandb')
    expect(readFileSync(join(bin, 'said'), 'utf8')).toMatch(/^events\.out\.tfevents\./)
  })

  test('the last of a repeated option wins; null takes a stage away', async () => {
    const out = outputDir()
    await kogrpo([
      'train',
      recipe,
      '--seed',
      '1',
      '--seed',
      '2',
      '--output-dir',
      out,
      '--grpo',
      'null',
    ])
    expect(config()).toMatchObject({ seed: 2 })
    expect(config().grpo).toBeUndefined()
  })

  test('errors of the recipe are one message and code 1, without a stack', async () => {
    const { code, stderr } = await kogrpo(['train', recipe, '--grpo.learning_rte', '1'])
    expect(code).toBe(1)
    expect(stderr).toBe(
      'kogrpo: --grpo.learning_rte: unknown key "grpo.learning_rte"; did you mean "--grpo.learning_rate"?\n',
    )
  })

  test('a run directory in use is refused; --overwrite replaces the run', async () => {
    const out = outputDir()
    expect((await kogrpo(['train', recipe, '--output-dir', out])).code).toBe(0)
    const again = await kogrpo(['train', recipe, '--output-dir', out])
    expect(again.code).toBe(1)
    expect(again.stderr).toContain(
      'is not empty (it holds config.json); choose another --output-dir',
    )
    expect((await kogrpo(['train', recipe, '--output-dir', out, '--overwrite'])).code).toBe(0)
  })

  test('a run that is refused before anything is made leaves no directory in the way', async () => {
    const out = outputDir()
    training.run.mockImplementation(async () => {
      throw new KogrpoError('E_DATA', 'a.jsonl:3: bad')
    })
    for (const _ of [1, 2]) {
      const { stderr } = await kogrpo(['train', recipe, '--output-dir', out])
      expect(stderr).toContain('a.jsonl:3: bad')
      expect(existsSync(out)).toBe(false)
    }
    training.run.mockImplementation(async (_config: Recipe, io: { reporter: Reporter }) => {
      io.reporter.emit({ type: 'step', stage: 'sft', step: 1, metrics: { loss: 1 } })
      throw new KogrpoError('E_DATA', 'later')
    })
    await kogrpo(['train', recipe, '--output-dir', out])
    expect(existsSync(join(out, 'config.json'))).toBe(true)
  })

  test('errors: clear ones as they are, others marked; KOGRPO_DEBUG shows the stack and causes', async () => {
    training.run.mockImplementation(async () => {
      throw new KogrpoError('E_DATA', 'a.jsonl:3: bad', { cause: new Error('inner') })
    })
    const plain = await kogrpo(['train', recipe, '--output-dir', outputDir()])
    expect(plain.code).toBe(1)
    expect(plain.stderr).toMatch(/^kogrpo: a\.jsonl:3: bad$/m)
    expect(plain.stderr).not.toContain('    at ')
    const debug = await kogrpo(['train', recipe, '--output-dir', outputDir()], {
      KOGRPO_DEBUG: '1',
    })
    expect(debug.stderr).toMatch(/a\.jsonl:3: bad\n +at .*\ncaused by Error: inner/s)
    training.run.mockImplementation(async () => {
      throw Object.assign(new Error('tokens: expected Int32Array'), {
        code: 'ERR_INVALID_ARGUMENT',
      })
    })
    const engine = await kogrpo(['train', recipe, '--output-dir', outputDir()])
    expect(engine.stderr).toMatch(/^kogrpo: tokens: expected Int32Array$/m)
    training.run.mockImplementation(async () => {
      throw new TypeError('x is not a function')
    })
    const odd = await kogrpo(['train', recipe, '--output-dir', outputDir()])
    expect(odd.code).toBe(1)
    expect(odd.stderr).toContain(
      'kogrpo: unexpected error: x is not a function (KOGRPO_DEBUG=1 shows where)',
    )
  })

  test('Ctrl-C stops cleanly; --resume goes on from the saved state and drops later lines', async () => {
    const out = outputDir()
    let state: RunState | undefined
    training.run.mockImplementation(async (config: Recipe, io: { signal: AbortSignal }) => {
      state = writeState(config, { step: 2 })
      const lines = [
        { stage: 'sft', step: 7 },
        { stage: 'grpo', step: 2 },
        { stage: 'grpo', step: 3 },
      ]
      writeFileSync(
        join(out, 'metrics.jsonl'),
        `${lines.map(line => JSON.stringify(line)).join('\n')}\n{"stage":"gr`,
      )
      await new Promise((_, reject) => {
        io.signal.addEventListener('abort', () => reject(io.signal.reason))
      })
    })
    const started = await startTraining([recipe, '--output-dir', out])
    started.signals.emit('SIGINT', 'SIGINT')
    const { code, stderr } = await started.done
    expect(code).toBe(130)
    expect(stderr).toContain('stopping after the work in hand; press Ctrl-C again to quit at once')
    expect(stderr).toContain(`  npx kogrpo train --resume ${out}\n`)

    training.run.mockReset()
    const metrics = readFileSync(join(out, 'metrics.jsonl'), 'utf8')
    const changed = await kogrpo(['train', '--resume', out, '--grpo.learning_rate', '0.5'])
    expect(changed).toMatchObject({ code: 1 })
    expect(changed.stderr).toContain('grpo.learning_rate: was 0.000001, is now 0.5')
    expect(changed.stderr).toContain('--accept-changes')
    expect(readFileSync(join(out, 'metrics.jsonl'), 'utf8')).toBe(metrics)
    expect(training.run).not.toHaveBeenCalled()
    expect((await kogrpo(['train', '--resume', out])).code).toBe(0)
    const [resumed, io] = training.run.mock.calls.at(-1) as unknown as [Recipe, { resume: object }]
    expect(resumed).toMatchObject({ output_dir: out, grpo: {} })
    expect(io.resume).toMatchObject(state!)
    expect(readFileSync(join(out, 'metrics.jsonl'), 'utf8')).toBe(
      '{"stage":"sft","step":7}\n{"stage":"grpo","step":2}\n',
    )

    const options = ['--grpo.learning_rate', '0.5', '--accept-changes', '--threads', '3']
    expect((await kogrpo(['train', recipe, '--resume', out, ...options])).code).toBe(0)
    const call = training.run.mock.calls.at(-1) as unknown as [Recipe, { acceptChanges: boolean }]
    expect(call[0]).toMatchObject({ threads: 3, grpo: { learning_rate: 0.5 } })
    expect(call[1].acceptChanges).toBe(true)
    const written = JSON.parse(readFileSync(join(out, 'config.json'), 'utf8')) as Recipe
    expect(written.grpo!.learning_rate).toBe(0.5)
  })

  test('--resume auto begins a run, begins it again, or goes on with it; a torn state is passed over', async () => {
    const out = outputDir()
    const train = ['train', recipe, '--output-dir', out, '--resume', 'auto']
    const resumed = (): SavedState | undefined =>
      (training.run.mock.calls.at(-1) as unknown as [Recipe, { resume?: SavedState }])[1].resume
    expect((await kogrpo(train)).code).toBe(0)
    expect(resumed()).toBeUndefined()
    expect((await kogrpo(train)).code).toBe(0)
    expect(resumed()).toBeUndefined()
    writeState(config(), { step: 2 })
    writeState(config(), { step: 10 })
    expect((await kogrpo(train)).code).toBe(0)
    expect(resumed()).toMatchObject({ step: 10, passed: [] })
    const engine = join(out, 'checkpoints', 'state-grpo-10-0', 'engine.bin')
    writeFileSync(engine, 'weight')
    expect((await kogrpo(train)).code).toBe(0)
    expect(resumed()).toMatchObject({
      step: 2,
      passed: [expect.stringContaining(`${engine} is damaged: its 6 bytes have the SHA-256`)],
    })
    const named = await kogrpo(['train', '--resume', out])
    expect(named.code).toBe(1)
    const earlier = join(out, 'checkpoints', 'state-grpo-2-0')
    expect(named.stderr).toContain(`${engine} is damaged`)
    expect(named.stderr).toContain(`npx kogrpo train --resume ${earlier}`)
    expect((await kogrpo(['train', '--resume', earlier])).code).toBe(0)
    expect(resumed()).toMatchObject({ step: 2, path: earlier })
    writeFileSync(join(earlier, 'state.json'), '{')
    expect((await kogrpo(train)).stderr).toContain('has no saved state that is whole')
    writeFileSync(join(out, 'summary.json'), '{}')
    const calls = training.run.mock.calls.length
    expect(await kogrpo(train)).toMatchObject({
      ...{ code: 0, stdout: '' },
      stderr: `the run in ${out} is finished (summary.json is there): nothing is left to do\n`,
    })
    expect(training.run.mock.calls.length).toBe(calls)
    const bare = await kogrpo(['train', recipe, '--resume', 'auto'])
    expect(bare).toMatchObject({ code: 2, stderr: expect.stringContaining('give --output-dir') })
    const alone = await kogrpo(['train', recipe, '--accept-changes'])
    expect(alone).toMatchObject({ code: 2, stderr: expect.stringContaining('goes with --resume') })
  })

  test('--resume of a run without a state says how to start it again', async () => {
    const out = outputDir()
    expect((await kogrpo(['train', recipe, '--output-dir', out])).code).toBe(0)
    const { code, stderr } = await kogrpo(['train', '--resume', out])
    expect(code).toBe(1)
    expect(stderr).toContain('has no saved state to resume')
    expect(stderr).toContain('--overwrite')
    writeFileSync(join(out, 'summary.json'), '{}')
    expect((await kogrpo(['train', '--resume', out])).stderr).toContain(
      `the run in ${out} is finished (summary.json is there), and left no state to go on from`,
    )
  })

  test('Ctrl-C before the first checkpoint says how to start again', async () => {
    const out = outputDir()
    training.run.mockImplementation(
      (_config: Recipe, io: { signal: AbortSignal }) =>
        new Promise<void>(resolve => {
          io.signal.addEventListener('abort', () => resolve())
        }),
    )
    const started = await startTraining([recipe, '--output-dir', out])
    started.signals.emit('SIGTERM', 'SIGTERM')
    const { code, stderr } = await started.done
    expect(code).toBe(143)
    expect(stderr).toContain(`  npx kogrpo train ${join(out, 'config.json')} --overwrite\n`)
    training.run.mockReset()
    expect((await kogrpo(['train', join(out, 'config.json'), '--overwrite'])).code).toBe(0)
  })
})
