/** `kogrpo reward train`: a reward per token from expert traces, by inverse reinforcement learning. */
import type { ArgumentsCamelCase, CommandModule } from 'yargs'
import { ChatTemplate } from '../../data/chat-template.ts'
import { randomStream } from '../../data/random.ts'
import { readRecords } from '../../data/readers.ts'
import { Tokenizer } from '../../data/tokenizer.ts'
import { phrase } from '../../messages/phrase.ts'
import { openRewardModel, SCORE, saveRewardModel } from '../../reward-model/model.ts'
import { PERTURBATIONS, type Perturbation } from '../../reward-model/perturb.ts'
import { toExpert, toResponse } from '../../reward-model/traces.ts'
import { type Expert, type Response, rewardQuality, trainReward } from '../../reward-model/train.ts'
import { modelPath } from '../../train/sources.ts'
import { readColumns } from '../columns-option.ts'
import type { CliContext } from '../context.ts'
import { UsageError } from '../errors.ts'
import { runInterruptibly } from '../interrupt.ts'
import { DEFAULT_SEED } from '../open-model.ts'
import { nonEmpty, oneOf, sharedOptions, wholeNumber } from '../options.ts'
import { overwriteOption, requireOutputModel } from '../output-place.ts'
import { realNumber } from '../sampling-options.ts'
import { scoredIds } from '../sequences.ts'
import { WorkProgress } from '../work-progress.ts'

interface RewardTrainArguments {
  model?: string
  experts?: string
  samples?: string
  output?: string
  columns?: Record<string, string>
  train?: 'all' | 'head'
  steps?: number
  batch?: number
  negatives?: number
  perturbations?: Perturbation[]
  labelSmoothing?: number
  learningRate?: number
  weightDecay?: number
  maxLength?: number
  evalShare?: number
  seed?: number
  threads?: number
  overwrite?: boolean
  json?: boolean
  context: CliContext
}

/** Held-out AUC from which the model is worth anything. */
const USEFUL = 0.6
const MICRO_BATCH_TOKENS = 8192

function readPerturbations(word: string | undefined): Perturbation[] | undefined {
  if (word === undefined) return undefined
  if (word === 'none') return []
  return word.split(',').map(name => oneOf('perturbations', PERTURBATIONS)(name)!)
}

async function handler(argv: ArgumentsCamelCase<RewardTrainArguments>): Promise<void> {
  const { context, model: path, experts: expertFile, samples: sampleFile, output } = argv
  for (const name of ['model', 'experts', 'samples', 'output'] as const) {
    if (argv[name] !== undefined) continue
    throw new UsageError(phrase('required: {name}', { name: `--${name}` }))
  }
  const perturbations = argv.perturbations ?? ['numeral', 'operation', 'answer']
  if (perturbations.length === 0 && argv.negatives !== undefined) {
    throw new UsageError(phrase('--negatives: has no effect with --perturbations none; remove it'))
  }
  requireOutputModel(output!, modelPath(path!), argv.overwrite === true)
  const seed = argv.seed ?? DEFAULT_SEED
  const reward = await openRewardModel(modelPath(path!), {
    threads: argv.threads ?? 0,
    fromLanguageModel: true,
  })
  const { engine, directory } = reward
  const progress = new WorkProgress(context, () => words)
  let words = phrase('reading')
  try {
    const tokenizer = await Tokenizer.load(directory.tokenizerDir)
    tokenizer.requireModel(directory.config)
    const template = new ChatTemplate(tokenizer)
    const next = randomStream(`${seed} perturbations`)
    const options = {
      ...{ tokenizer, template, columns: argv.columns, perturbations },
      ...{ maxLength: argv.maxLength ?? 1024, overlong: 'skip' as const },
      below: (bound: number) => Math.floor((next() / 2 ** 32) * bound),
    }
    const experts: Expert[] = []
    for await (const source of readRecords(expertFile!)) {
      const expert = toExpert(source, options)
      if (expert !== null) experts.push(expert)
    }
    const samples: Response[] = []
    const opened = { engine, tokenizer, template: () => template }
    for await (const source of readRecords(sampleFile!)) {
      const sample = Array.isArray(source.record.tokens)
        ? fromTokens(scoredIds(source, opened, directory.config.vocabSize), options.maxLength)
        : toResponse(source, options)
      if (sample !== null) samples.push(sample)
    }
    const share = argv.evalShare ?? 0.1
    const heldExperts = experts.splice(0, Math.floor(share * experts.length))
    const heldSamples = samples.splice(0, Math.floor(share * samples.length))
    if (argv.train === 'head') await engine.setTrainable({ names: [SCORE] })
    const steps = argv.steps ?? 200
    await runInterruptibly(
      context,
      {
        onInterrupt: () => progress.note(phrase('stopping after this step')),
        message: () => phrase('stopped; nothing was written'),
      },
      async signal => {
        await trainReward(engine, experts, samples, {
          ...{ steps, batch: argv.batch ?? 8, negatives: argv.negatives ?? 2, seed, signal },
          learningRate: argv.learningRate ?? (argv.train === 'head' ? 1e-3 : 1e-5),
          labelSmoothing: argv.labelSmoothing ?? 0.1,
          ...{ weightDecay: argv.weightDecay ?? 0, maxGradNorm: 1 },
          microBatchTokens: MICRO_BATCH_TOKENS,
          onStep: (step, loss) => {
            words = phrase('step {step} of {steps}, loss {loss}', {
              ...{ step, steps, loss: loss.toFixed(4) },
            })
          },
        })
      },
    )
    words = phrase('measuring on held-out traces')
    const measured =
      heldExperts.length > 0 && heldSamples.length > 0
        ? await rewardQuality(engine, heldExperts, heldSamples, MICRO_BATCH_TOKENS)
        : null
    await saveRewardModel(output!, reward)
    progress.close()
    report(argv, { experts: experts.length, samples: samples.length, ...measured })
  } finally {
    progress.close()
    await engine.dispose()
  }
}

function fromTokens(
  { ids, context }: { ids: Int32Array; context: number },
  maxLength: number,
): Response | null {
  if (ids.length > maxLength) return null
  const mask = new Uint8Array(ids.length).fill(1, Math.max(1, context))
  return { ids, mask }
}

function report(argv: RewardTrainArguments, result: Record<string, number>): void {
  const { context, output } = argv
  if (argv.json) context.stdout.write(`${JSON.stringify(result)}\n`)
  else {
    const lines = Object.entries(result).map(
      ([name, value]) => `  ${name.padEnd(18)}${Number(value.toPrecision(4))}`,
    )
    context.stdout.write(`${output}\n${lines.join('\n')}\n`)
  }
  const { auc_policy: auc } = result
  if (auc !== undefined && auc < USEFUL) {
    const warning = phrase(
      'warning: on held-out traces the area under the curve is {auc} (0.5 is chance): with few expert traces the model remembers their prompts. Give more traces, or fewer --steps',
      { auc: auc.toFixed(2) },
    )
    context.stderr.write(`${context.say(warning)}\n`)
  }
}

const text = { type: 'string', requiresArg: true } as const

export const command: CommandModule<object, RewardTrainArguments> = {
  command: 'train',
  describe: 'Learn a reward per token from expert traces',
  builder: argv =>
    argv
      .usage(
        '$0 train --model DIR --experts FILE --samples FILE --output DIR\n\nLearns to tell expert traces (prompt and completion, or messages) from samples of a policy (the output of kogrpo generate) and from copies with a planted mistake, at every token. The result ranks samples (kogrpo rerank). See docs/reward-model.md.',
      )
      .options({
        model: {
          ...text,
          describe: 'Language model or reward model to begin with [required]',
          coerce: nonEmpty('model'),
        },
        experts: { ...text, describe: 'Expert traces [required]', coerce: nonEmpty('experts') },
        samples: {
          ...text,
          describe: 'Samples of the policy [required]',
          coerce: nonEmpty('samples'),
        },
        output: { ...text, describe: 'Directory to write [required]', coerce: nonEmpty('output') },
        columns: {
          ...text,
          describe: 'Columns of the expert traces: prompt=question,completion=solution',
          coerce: readColumns,
        },
        train: {
          ...text,
          describe: 'What is trained: all, or the head on frozen weights [default: all]',
          coerce: oneOf('train', ['all', 'head']),
        },
        steps: {
          ...text,
          describe: 'Optimizer steps [default: 200]',
          coerce: wholeNumber('steps', 1),
        },
        batch: {
          ...text,
          describe: 'Experts, and samples of the policy, in a step [default: 8]',
          coerce: wholeNumber('batch', 1),
        },
        negatives: {
          ...text,
          describe: 'Copies with a mistake per expert and step [default: 2]',
          coerce: wholeNumber('negatives', 1),
        },
        perturbations: {
          ...text,
          describe:
            'Kinds of mistakes: numeral, operation, answer, particle, ending, or none [default: numeral,operation,answer]',
          coerce: readPerturbations,
        },
        'label-smoothing': {
          ...text,
          describe: 'Uncertainty of the labels [default: 0.1]',
          coerce: realNumber(
            'label-smoothing',
            phrase('at least {low}, below {high}', { low: 0, high: 1 }),
            x => x >= 0 && x < 1,
          ),
        },
        'learning-rate': {
          ...text,
          describe: 'AdamW learning rate; of the head alone 1e-3 [default: 1e-5]',
          coerce: realNumber('learning-rate', phrase('above {low}', { low: 0 }), x => x > 0),
        },
        'weight-decay': {
          ...text,
          describe: 'AdamW weight decay [default: 0]',
          coerce: realNumber('weight-decay', phrase('at least {limit}', { limit: 0 }), x => x >= 0),
        },
        'max-length': {
          ...text,
          describe: 'Longer traces are left out, in tokens [default: 1024]',
          coerce: wholeNumber('max-length', 2),
        },
        'eval-share': {
          ...text,
          describe: 'Share held out to measure on [default: 0.1]',
          coerce: realNumber(
            'eval-share',
            phrase('at least {low}, below {high}', { low: 0, high: 1 }),
            x => x >= 0 && x < 1,
          ),
        },
        overwrite: overwriteOption,
        json: { type: 'boolean', describe: 'Print the figures as JSON' },
      })
      .options(sharedOptions('seed', 'threads'))
      .example(
        '$0 train --model runs/ko/sft --experts traces.jsonl --samples samples.jsonl --output runs/reward',
        'samples: the output of kogrpo generate',
      ) as never,
  handler,
}
