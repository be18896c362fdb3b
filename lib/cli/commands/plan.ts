/**
 * `kogrpo plan RECIPE --gpus 8xH100-80GB`: what a recipe needs on a cluster before it is paid for: memory
 * of a rank by item, communication, time of each phase; and where it does not fit, the nearest that does.
 * On GPUs a prediction from formulas (docs/plan.md), not a measurement; on the processor at hand the time
 * follows from what a part of the model takes there.
 */
import { availableParallelism } from 'node:os'
import type { ArgumentsCamelCase, CommandModule } from 'yargs'
import { loadRecipe } from '../../config/load.ts'
import type { Recipe } from '../../config/schema.ts'
import { KogrpoError } from '../../errors.ts'
import { failure, joined, phrase, written } from '../../messages/phrase.ts'
import { type ModelConfig, parseModelConfig, readJson } from '../../model/config.ts'
import { type Cluster, parseCluster, processor } from '../../plan/hardware.ts'
import { SHARDS, type Shard } from '../../plan/memory.ts'
import { planRecipe, type StagePlan, withPhases } from '../../plan/plan.ts'
import { type Measured, processorPhases } from '../../plan/processor.ts'
import type { CliContext } from '../context.ts'
import { UsageError } from '../errors.ts'
import { readMemory } from '../memory.ts'
import { nonEmpty, oneOf, sharedOptions, wholeNumber } from '../options.ts'
import { advice, planLines, size } from '../plan-text.ts'
import { readLengths } from '../planned-lengths.ts'
import { plannedModel } from '../planned-model.ts'
import { WorkProgress } from '../work-progress.ts'

interface PlanArguments {
  recipe: string
  gpus?: string
  ranks?: number
  threads?: number
  promptTokens?: number
  completionTokens?: number
  modelConfig?: string
  shard?: Shard
  recompute?: 'none' | 'norm_swiglu' | 'ffn' | 'block'
  json?: boolean
  context: CliContext
}

async function handler(argv: ArgumentsCamelCase<PlanArguments>): Promise<void> {
  const { context, gpus } = argv
  const { say } = context
  if (gpus !== undefined && argv.ranks !== undefined)
    throw new UsageError(phrase('--ranks is of this machine; write e.g. --gpus 4xCPU-16GB'))
  const cluster =
    gpus === undefined ? processor(readMemory().total, argv.ranks ?? 1) : parseCluster(gpus)
  const { recipe } = loadRecipe(argv.recipe)
  const config = argv.modelConfig
    ? parseModelConfig(await readJson(argv.modelConfig), argv.modelConfig)
    : await plannedModel(recipe.model, context)
  const wanted = {
    ...(argv.shard ? { shard: argv.shard } : {}),
    ...(argv.recompute ? { recompute: argv.recompute } : {}),
  }
  if (!cluster.cpu && recipe.model.dtype === 'float32') {
    const message = phrase(
      'GPUs are planned in bfloat16, and the recipe says model.dtype: float32, which takes twice the memory and more than twice the time there; set model.dtype: bfloat16',
    )
    context.stderr.write(`${say('warning: {message}', { message })}\n`)
  }
  const read = await readLengths(recipe)
  const lengths = {
    ...read,
    prompt: argv.promptTokens ?? read.prompt,
    completion: argv.completionTokens,
  }
  const { asked: planned, nearest } = planRecipe(recipe, config, cluster, wanted, lengths)
  const asked =
    gpus === undefined
      ? await timed(
          planned,
          { ...recipe, threads: argv.threads ?? recipe.threads },
          config,
          cluster,
          context,
        )
      : planned
  if (asked.length === 0)
    throw new KogrpoError(
      'E_CONFIG',
      phrase('{recipe} has no sft and no grpo', { recipe: argv.recipe }),
    )
  if (argv.json) {
    context.stdout.write(`${JSON.stringify({ asked, nearest }, null, 2)}\n`)
  } else {
    const { gpu, nodes, perNode, ranks } = cluster
    const where = nodes > 1 ? phrase('{nodes} nodes of {ranks}', { nodes, ranks: perNode }) : ranks
    const how = asked.some(plan => cluster.cpu && plan.tokensPerSecond !== null)
      ? phrase('time from a part of the model, measured here')
      : phrase('predicted, not measured')
    const each = { where, name: gpu.name, memory: size(gpu.memory) }
    const lines = [
      `${say('{where} × {name}, {memory} each', each)} (${say(how)}: docs/plan.md)`,
      ...asked.flatMap(plan => ['', ...planLines(plan, gpu.memory, say)]),
    ]
    context.stdout.write(`${lines.join('\n')}\n`)
  }
  const misfits = asked.flatMap((plan, i) => (plan.fits ? [] : [[plan, nearest[i]!] as const]))
  if (misfits.length > 0) {
    throw new KogrpoError(
      'E_MEMORY',
      joined(
        misfits.map(([a, b]) => advice(a, b, cluster.gpu.memory)),
        '\n',
      ),
    )
  }
}

/** The plans of this machine with the time that its processor takes; none is known of what does not fit, and of
 *  ranks that cannot talk. */
async function timed(
  plans: readonly StagePlan[],
  recipe: Recipe,
  config: ModelConfig,
  { ranks }: Cluster,
  context: CliContext,
): Promise<StagePlan[]> {
  const { dtype, gradient_checkpointing: gradientCheckpointing } = recipe.model
  if (dtype === 'int8' || recipe.lora) return [...plans]
  const all = recipe.threads || availableParallelism()
  const measured: StagePlan[] = []
  let now = phrase('opening the model')
  const progress = new WorkProgress(context, () => now)
  try {
    for (const plan of plans) {
      const { stage, load, fits } = plan
      const options = {
        ...{ threads: Math.max(1, Math.floor(all / ranks)), dtype, gradientCheckpointing, ranks },
        sharedPrefix: recipe.grpo?.shared_prefix ?? false,
        shard: plan.settings.shard,
      }
      const onMeasure = (what: Measured): void => {
        now = phrase('measuring on this processor: {stage}, {what}', { stage, what: written(what) })
        progress.show()
      }
      const phases = fits ? await processorPhases(config, load, options, onMeasure) : null
      measured.push(phases ? withPhases(plan, phases) : plan)
    }
  } catch (error) {
    // Ranks that cannot talk here cannot train here either: a build without Gloo.
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_RANKS')) throw error
    progress.note(phrase('warning: {message}', { message: failure(error) }))
    return [...plans]
  } finally {
    progress.close()
  }
  return measured
}

export const command: CommandModule<object, PlanArguments> = {
  command: 'plan <recipe>',
  describe: 'Predict memory, communication and time of a recipe on this machine or on GPUs',
  builder: argv =>
    argv
      .usage(
        '$0 plan <recipe> [--gpus 8xH100-80GB]\n\nMemory of a rank by item, bytes over the links, time of each phase: of GPUs from formulas, of the processor at hand from what a part of the model takes on it. Exit code 1 if it does not fit, with the nearest settings that do.',
      )
      .positional('recipe', { type: 'string', demandOption: true, describe: 'A recipe' })
      .options(sharedOptions('threads'))
      .options({
        gpus: {
          type: 'string',
          requiresArg: true,
          describe:
            'H200, 8xH100-80GB, nodes × GPUs: 2x8xH100-80GB, or CPU-64GB [default: the processor at hand]',
          coerce: nonEmpty('gpus'),
        },
        ranks: {
          type: 'string',
          requiresArg: true,
          describe: 'Without --gpus: processes that share this machine [default: 1]',
          coerce: wholeNumber('ranks', 1),
        },
        'prompt-tokens': {
          type: 'string',
          requiresArg: true,
          describe: 'Mean tokens of a prompt [default: as in the data, or half of the limit]',
          coerce: wholeNumber('prompt-tokens', 1),
        },
        'completion-tokens': {
          type: 'string',
          requiresArg: true,
          describe: 'Mean tokens of a completion [default: half of the limit]',
          coerce: wholeNumber('completion-tokens', 1),
        },
        'model-config': {
          type: 'string',
          requiresArg: true,
          describe: "A config.json instead of the recipe's model",
          coerce: nonEmpty('model-config'),
        },
        shard: {
          type: 'string',
          requiresArg: true,
          describe: 'none, optimizer, gradients or parameters [default: as the recipe says]',
          coerce: oneOf('shard', SHARDS),
        },
        recompute: {
          type: 'string',
          requiresArg: true,
          describe: 'none, norm_swiglu, ffn or block [default: as the recipe says]',
          coerce: oneOf('recompute', ['none', 'norm_swiglu', 'ffn', 'block']),
        },
        json: { type: 'boolean', describe: 'Print the plan as JSON' },
      })
      .example('$0 plan my.yaml', 'this machine, in some seconds')
      .example('$0 plan my.yaml --gpus H200', 'one GPU')
      .example('$0 plan my.yaml --gpus 2x8xH100-80GB --shard parameters', 'two nodes')
      .example('$0 plan my.yaml --gpus CPU-64GB', 'memory on a processor, int8 too') as never,
  handler,
}
