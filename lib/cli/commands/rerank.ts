/**
 * `kogrpo rerank`: of several samples of a prompt the one that a reward model scores highest, with the
 * reward of every token.
 */
import type { ArgumentsCamelCase, CommandModule } from 'yargs'
import { AGGREGATES, type Aggregate, aggregate } from '../../algorithms/dense-reward.ts'
import { recordError } from '../../data/columns.ts'
import { readRecords, type SourceRecord } from '../../data/readers.ts'
import { Tokenizer } from '../../data/tokenizer.ts'
import { phrase } from '../../messages/phrase.ts'
import { printable } from '../../report/width.ts'
import { openRewardModel } from '../../reward-model/model.ts'
import { responseRewards } from '../../reward-model/train.ts'
import type { CliContext } from '../context.ts'
import { UsageError } from '../errors.ts'
import { runInterruptibly } from '../interrupt.ts'
import { nonEmpty, oneOf, sharedOptions, wholeNumber } from '../options.ts'
import { requireOther } from '../output-place.ts'
import { openRecordOutput } from '../record-output.ts'
import { scoredIds } from '../sequences.ts'
import { WorkProgress } from '../work-progress.ts'

interface RerankArguments {
  reward?: string
  input?: string
  output?: string
  n?: number
  aggregate?: Aggregate
  show?: number
  threads?: number
  context: CliContext
}

const MICRO_BATCH_TOKENS = 8192
/** Prompts whose samples are scored together. */
const PROMPTS = 16

interface Group {
  key: string
  rows: SourceRecord[]
}

/** Neighbouring rows of one prompt: of one `index` where they have it, else of equal `prompt_ids`. */
async function* groupsOf(input: string, n: number): AsyncGenerator<Group> {
  let group: Group | undefined
  for await (const source of readRecords(input)) {
    const { index, prompt_ids: prompt } = source.record
    if (!Array.isArray(source.record.tokens)) {
      throw recordError(source, phrase('no "tokens"; give the output of kogrpo generate'))
    }
    const key = JSON.stringify(index ?? prompt ?? null)
    if (key === 'null') {
      throw recordError(
        source,
        phrase(
          'neither "index" nor "prompt_ids" says which prompt the sample is of; give the output of kogrpo generate --num-generations',
        ),
      )
    }
    if (group !== undefined && group.key !== key) {
      yield checked(group, n)
      group = undefined
    }
    group ??= { key, rows: [] }
    if (group.rows.length < n) group.rows.push(source)
  }
  if (group !== undefined) yield checked(group, n)
}

function checked(group: Group, n: number): Group {
  if (group.rows.length === n) return group
  throw recordError(
    group.rows[0]!,
    phrase(
      'the prompt has {count} samples, --n asks for {n}; generate with --num-generations {n}, or give a smaller --n',
      { count: group.rows.length, n },
    ),
  )
}

async function handler(argv: ArgumentsCamelCase<RerankArguments>): Promise<void> {
  const { context, reward: path, input, output } = argv
  for (const name of ['reward', 'input', 'output'] as const) {
    if (argv[name] !== undefined) continue
    throw new UsageError(phrase('required: {name}', { name: `--${name}` }))
  }
  requireOther('output', output!, [input!])
  const n = argv.n ?? 8
  const how = argv.aggregate ?? 'mean'
  const { engine, directory } = await openRewardModel(path!, { threads: argv.threads ?? 0 })
  const tokenizer = await Tokenizer.load(directory.tokenizerDir)
  const model = { engine, tokenizer, template: never }
  const out = await openRecordOutput({
    ...{ path: output!, stdout: context.stdout, fingerprint: null, rowsPerRecord: 1 },
  })
  let [prompts, shown, sum, best] = [0, argv.show ?? 0, 0, 0]
  const progress = new WorkProgress(context, () => phrase('{count} prompts', { count: prompts }))
  // Where the samples go to standard output, what is shown of them must not stand between.
  const screen = output === '-' ? context.stderr : context.stdout
  let whole = false
  try {
    await runInterruptibly(
      context,
      { onInterrupt: () => {}, message: () => phrase('stopped; nothing was written') },
      async signal => {
        const finish = async (groups: readonly Group[]): Promise<void> => {
          const rows = groups.flatMap(group => group.rows)
          const sequences = rows.map(row => {
            const { ids, context } = scoredIds(row, model, engine.config.vocabSize)
            return { ids, mask: new Uint8Array(ids.length).fill(1, Math.max(1, context)) }
          })
          const rewards = await responseRewards(engine, sequences, MICRO_BATCH_TOKENS, signal)
          const chosen = groups.map((group, g) => {
            const scores = group.rows.map((_, i) => aggregate(rewards[g * n + i]!, how))
            const top = scores.indexOf(Math.max(...scores))
            prompts++
            best += scores[top]!
            sum += scores.reduce((total, score) => total + score, 0) / n
            const values = rewards[g * n + top]!
            if (shown-- > 0) {
              const { ids, mask } = sequences[g * n + top]!
              const tokens = Array.from(ids.filter((_, t) => mask[t] !== 0))
              screen.write(heatMap(tokens, values, tokenizer, screen.isTTY === true))
            }
            return {
              ...group.rows[top]!.record,
              reward: scores[top]!,
              rewards: scores,
              chosen: top,
              token_rewards: Array.from(values, z => Number(z.toFixed(4))),
            }
          })
          await out.write(chosen)
        }
        let waiting: Group[] = []
        for await (const group of groupsOf(input!, n)) {
          waiting.push(group)
          if (waiting.length < PROMPTS) continue
          await finish(waiting)
          waiting = []
        }
        if (waiting.length > 0) await finish(waiting)
      },
    )
    await out.finish()
    whole = true
  } finally {
    if (!whole) await out.abandon(false)
    progress.close()
    await engine.dispose()
  }
  if (output === '-') return
  const figure = (x: number): string => (x / Math.max(1, prompts)).toFixed(3)
  const done = phrase(
    '{output}: the best of {n} for {prompts} prompts; mean reward {best}, of all samples {all}',
    { output: output!, n, prompts, best: figure(best), all: figure(sum) },
  )
  context.stdout.write(`${context.say(done)}\n`)
}

function never(): never {
  throw new Error('samples come as token ids')
}

/** Red (a mistake) over grey to green, in the 256 colours of terminals. */
const COLOURS = [160, 166, 172, 240, 70, 71, 34]

/** Tokens with their rewards: coloured on a terminal, else one a line. */
function heatMap(
  tokens: readonly number[],
  rewards: Float32Array,
  tokenizer: Tokenizer,
  colours: boolean,
): string {
  const words = tokens.map(id => printable(tokenizer.decode([id])))
  if (!colours) {
    const lines = words.map(
      (word, t) => `${rewards[t]!.toFixed(2).padStart(7)}  ${JSON.stringify(word)}`,
    )
    return `${lines.join('\n')}\n\n`
  }
  const painted = words.map((word, t) => {
    const share = 1 / (1 + Math.exp(-rewards[t]!))
    const colour = COLOURS[Math.min(COLOURS.length - 1, Math.floor(share * COLOURS.length))]!
    return `\u001b[38;5;${colour}m${word}\u001b[0m`
  })
  return `${painted.join('')}\n\n`
}

const text = { type: 'string', requiresArg: true } as const

export const command: CommandModule<object, RerankArguments> = {
  command: 'rerank',
  describe: 'Choose the best of several samples by a reward model',
  builder: argv =>
    argv
      .usage(
        '$0 rerank --reward DIR --input SAMPLES.jsonl --output BEST.jsonl\n\nReads the output of kogrpo generate --num-generations N and writes, for each prompt, the sample that the reward model scores highest, with columns reward, rewards (of all), chosen and token_rewards (log-odds that an expert wrote the token).',
      )
      .options({
        reward: { ...text, describe: 'Reward model [required]', coerce: nonEmpty('reward') },
        input: { ...text, describe: 'Samples [required]', coerce: nonEmpty('input') },
        output: { ...text, describe: 'File to write, or - [required]', coerce: nonEmpty('output') },
        n: {
          ...text,
          describe: 'Samples of each prompt [default: 8]',
          coerce: wholeNumber('n', 1),
        },
        aggregate: {
          ...text,
          describe: 'Score of a sample from its tokens: mean, min or last [default: mean]',
          coerce: oneOf('aggregate', AGGREGATES),
        },
        show: {
          ...text,
          describe: 'Prompts whose chosen sample is shown token by token [default: 0]',
          coerce: wholeNumber('show', 0),
        },
      })
      .options(sharedOptions('threads'))
      .example(
        '$0 rerank --reward runs/reward --input samples.jsonl --output best.jsonl --show 3',
        'of each 8 samples the best; three of them token by token',
      ) as never,
  handler,
}
