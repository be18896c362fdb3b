/**
 * The recipe: one zod schema that is at once the defaults, the validation, the help text
 * (`.describe`) and, through json-schema.ts, the JSON schema for editors.
 *
 * A recipe names a model, up to three stages that run in the order pretrain → sft → grpo (a stage
 * runs when its key is present), and the evaluation that is made before the first stage and after
 * each of sft and grpo. Option names are those of TRL's SFTConfig and GRPOConfig; where a default
 * differs from TRL's the description says so. Objects are strict: an unknown key is an error.
 * Rules that relate several keys (batch arithmetic, dr_grpo and its scaling) stand in rules.ts.
 */
import * as z from 'zod'

const positive = z.number().positive()
const nonNegative = z.number().min(0)
const count = z.int().min(1)
const countOrZero = z.int().min(0)
const seed = z.int().min(0).max(0xffff_ffff)
const fraction = z.number().min(0).max(1)
/** A decay rate of a moving average: 1 would never move. */
const decay = z.number().min(0).lt(1)
const name = z.string().min(1)

/**
 * What of a record stands in which column of the file. At run time a strict object, so that a
 * mistyped name is an error; in types a plain mapping, since only written names are in it.
 */
const columns: z.ZodType<Record<string, string>, Record<string, string>> = z.strictObject(
  Object.fromEntries(
    ['messages', 'prompt', 'completion', 'reasoning', 'text', 'system', 'tools', 'answer'].map(
      key => [key, name.optional()],
    ),
  ),
) as z.ZodType as z.ZodType<Record<string, string>, Record<string, string>>

const source = z.strictObject({
  path: z
    .string()
    .regex(/^[a-z][a-z0-9_-]*:[^/]|\.(jsonl|jsonl\.gz|parquet)$/, {
      error:
        'expected a built-in such as "mini:sft", or a path that ends in .jsonl, .jsonl.gz or .parquet',
    })
    .describe('a built-in set ("mini:sft"), or a .jsonl, .jsonl.gz or .parquet file'),
  weight: positive
    .default(1)
    .describe('share of this source in the mixture, relative to the others'),
  size: count.optional().describe('take only this many samples (default: all of them)'),
  split: name.optional().describe('part of a built-in set, e.g. "train" or "test"'),
  columns: columns
    .optional()
    .describe('which column of the file holds what, when it is not named so itself'),
  options: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('options of a built-in set (of its generator)'),
})

const sources = z
  .array(source)
  .min(1, { error: 'expected at least one source, e.g. - path: FILE.jsonl' })

interface OptimizerDefaults {
  learning_rate: number
  lr_scheduler_type: 'constant' | 'linear' | 'cosine' | 'cosine_with_min_lr'
  warmup_ratio: number
}

/** Keys that every stage shares: how its samples become steps of AdamW. */
const optimizerShape = (defaults: OptimizerDefaults) => ({
  learning_rate: positive.default(defaults.learning_rate).describe('peak learning rate of AdamW'),
  lr_scheduler_type: z
    .enum(['constant', 'linear', 'cosine', 'cosine_with_min_lr'])
    .default(defaults.lr_scheduler_type)
    .describe('shape of the learning rate after the warm-up (every shape has the warm-up)'),
  min_lr_ratio: fraction
    .default(0.1)
    .describe('cosine_with_min_lr: the last learning rate as a share of the peak'),
  warmup_ratio: fraction
    .default(defaults.warmup_ratio)
    .describe('share of the steps in which the learning rate rises linearly from 0'),
  warmup_steps: countOrZero
    .optional()
    .describe('number of warm-up steps; goes before warmup_ratio'),
  adam_beta1: decay.default(0.9).describe('decay of the mean of the gradient'),
  adam_beta2: decay.default(0.999).describe('decay of the mean of the squared gradient'),
  adam_epsilon: positive.default(1e-8).describe('added to the root of the second moment'),
  weight_decay: nonNegative
    .default(0)
    .describe('decoupled decay of matrices (norm weights are never decayed)'),
  max_grad_norm: nonNegative
    .default(1)
    .describe('clip the gradient to this global norm (0 = no clipping)'),
  max_steps: count.optional().describe('number of optimizer steps; goes before num_train_epochs'),
  num_train_epochs: positive.default(1).describe('passes over the data'),
  seed: seed.optional().describe("seed of this stage (default: the recipe's)"),
})

const checkpointShape = {
  eval_steps: countOrZero
    .default(0)
    .describe('evaluate every so many steps (0 = only at the end of the stage)'),
  save_steps: countOrZero
    .default(0)
    .describe('write a checkpoint every so many steps (0 = only at the end of the stage)'),
}

const trainStage = (defaults: OptimizerDefaults & { assistant_only_loss: boolean }) =>
  z.strictObject({
    data: sources.describe('training data, a mixture of sources'),
    eval_data: sources
      .optional()
      .describe('held-out data for eval_loss and eval_mean_token_accuracy'),
    max_length: count.default(1024).describe('tokens in a packed row; the longest sample allowed'),
    packing: z
      .boolean()
      .default(true)
      .describe('fill a row with several samples; attention never crosses between them'),
    overlong: z
      .enum(['error', 'skip', 'truncate'])
      .default('error')
      .describe('what to do with a sample of more than max_length tokens'),
    assistant_only_loss: z
      .boolean()
      .default(defaults.assistant_only_loss)
      .describe('train only on what the assistant says (with its stop token)'),
    per_device_train_batch_size: count
      .default(8)
      .describe('packed rows of max_length tokens in a micro-batch'),
    gradient_accumulation_steps: count.default(1).describe('micro-batches in an optimizer step'),
    ...optimizerShape(defaults),
    ...checkpointShape,
  })

const rewardOptions = z
  .record(z.string(), z.unknown())
  .optional()
  .describe('options of this reward function')

const reward = <const N extends string>(rewardName: N, weight: number) =>
  z.strictObject({
    name: z.literal(rewardName).describe('reward function'),
    weight: z.number().default(weight).describe('factor of this reward in the sum'),
    options: rewardOptions,
  })

const judge = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('program').describe('a function of the task, or an OpenAI-compatible endpoint'),
    name: name.optional().describe('which program (default: the one of the data source)'),
  }),
  z.strictObject({
    kind: z.literal('openai'),
    name: name.optional().describe('what to call this judge in the logs'),
    base_url: z.url({ protocol: /^https?$/ }).describe('endpoint, e.g. http://localhost:8000/v1'),
    model: name.describe('model name sent to the endpoint'),
    api_key_env: name.optional().describe('name of the environment variable with the key'),
    timeout_s: positive.default(120).describe('seconds after which one attempt has failed'),
    max_retries: countOrZero.default(2).describe('further attempts after a failed one'),
    concurrency: count.default(16).describe('judgements in flight at a time'),
    max_tokens: count.default(2048).describe('tokens the judge may write, its thinking included'),
    instruction: name.optional().describe('replaces the grading instruction'),
  }),
])

const oracle = z.strictObject({
  rule: z
    .enum(['none', 'override', 'appeal', 'veto', 'both'])
    .default('none')
    .describe(
      'how checker and judge make the accuracy: none = checker alone, override = judge alone, ' +
        "appeal = judge re-examines the checker's failures, veto = its passes, both = wherever it gave a verdict",
    ),
  judge: judge.optional().describe('who judges; required unless rule is none'),
  max_failure_rate: fraction
    .default(0.1)
    .describe('stop the run when a larger share of the judgements of a step failed'),
})

const grpoStage = z.strictObject({
  data: sources.describe('prompts (with an answer column for the accuracy reward)'),
  num_generations: count.default(8).describe('completions per prompt (the group), at least 2'),
  per_device_train_batch_size: count.default(8).describe('completions in a micro-batch'),
  gradient_accumulation_steps: count.default(1).describe('micro-batches in an optimizer step'),
  max_prompt_length: count.default(512).describe('longest prompt in tokens'),
  overlong: z
    .enum(['error', 'skip'])
    .default('error')
    .describe('what to do with a prompt of more than max_prompt_length tokens'),
  max_completion_length: count
    .default(512)
    .describe('longest completion in tokens; the constant length in the Dr. GRPO denominator'),
  temperature: positive.default(1).describe('sampling temperature, also that of the log-probs'),
  loss_type: z
    .enum(['dr_grpo', 'grpo', 'dapo', 'bnpo'])
    .default('dr_grpo')
    .describe('how token losses are averaged (TRL: dapo)'),
  scale_rewards: z
    .enum(['none', 'group', 'batch'])
    .default('none')
    .describe('divide advantages by a standard deviation (TRL: group; Dr. GRPO: none)'),
  epsilon: decay.default(0.2).describe('lower clip range of the probability ratio'),
  epsilon_high: positive.optional().describe('upper clip range (default: epsilon)'),
  delta: z
    .number()
    .gt(1)
    .optional()
    .describe('upper bound of the ratio when A < 0 (two-sided clip)'),
  beta: nonNegative
    .default(0)
    .describe('weight of the KL penalty (0 = no reference model is held)'),
  num_iterations: count.default(1).describe('optimizer passes over one batch of completions'),
  importance_sampling_level: z
    .enum(['token', 'sequence'])
    .default('token')
    .describe('ratio per token, or one per completion (GSPO)'),
  mask_truncated_completions: z
    .boolean()
    .default(false)
    .describe('leave completions without a stop token out of the loss'),
  system_prompt: z.string().optional().describe('system message put before every prompt'),
  enable_thinking: z.boolean().default(true).describe('chat template: let the model think'),
  rewards: z
    .array(
      z.discriminatedUnion('name', [
        reward('accuracy', 1),
        reward('format', 0.2),
        reward('korean', 0.2),
        reward('overlong', 0.2),
      ]),
    )
    .min(1, { error: 'expected at least one reward, e.g. - name: accuracy' })
    // A function, so that no two recipes share the list.
    .default(() => [
      { name: 'accuracy' as const, weight: 1 },
      { name: 'format' as const, weight: 0.2 },
      { name: 'korean' as const, weight: 0.2 },
      { name: 'overlong' as const, weight: 0.2 },
    ])
    .describe('reward functions and their weights; the reward is the weighted sum'),
  oracle: oracle.prefault({}).describe('how a judge corrects the checker of the accuracy reward'),
  ...optimizerShape({ learning_rate: 1e-6, lr_scheduler_type: 'constant', warmup_ratio: 0 }),
  ...checkpointShape,
})

const evaluation = z.strictObject({
  data: sources.describe('held-out problems with an answer column'),
  max_samples: count.default(500).describe('number of problems, taken from the front'),
  temperature: nonNegative.default(0).describe('sampling temperature (0 = greedy)'),
  top_k: countOrZero.default(0).describe('sample among the k likeliest tokens (0 = all)'),
  top_p: z
    .number()
    .gt(0)
    .max(1)
    .default(1)
    .describe('sample among the likeliest tokens that hold this much probability'),
  max_completion_length: count.default(512).describe('longest completion in tokens'),
  batch_size: count.optional().describe('completions generated at a time (default: as fits)'),
  samples_to_show: countOrZero.default(3).describe('completions of one problem shown at the end'),
})

/** The whole recipe. `z.input` of it is what a file may hold, `z.output` has every default. */
export const recipeSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[\w.-]+$/, { error: 'expected letters, digits, ".", "_" or "-"' })
    .default('run')
    .describe('name of the run; part of the default output directory'),
  seed: seed.default(42).describe('every random number follows from it'),
  threads: countOrZero
    .default(0)
    .describe('CPU threads (0 = one per core); results do not depend on it'),
  device: z.enum(['cpu', 'cuda']).default('cpu').describe('where the engine computes'),
  output_dir: name.optional().describe('run directory (default: runs/NAME-DATE-TIME)'),
  model: z
    .strictObject({
      path: name
        .default('builtin:mini')
        .describe(
          '"builtin:mini", or a Hugging Face directory (config.json, *.safetensors, tokenizer)',
        ),
      init: z
        .enum(['pretrained', 'random'])
        .default('pretrained')
        .describe(
          'read the weights, or draw them at random (only config.json and tokenizer are read)',
        ),
      gradient_checkpointing: z
        .boolean()
        .default(false)
        .describe('recompute activations in the backward pass: less memory, same results'),
      lm_head_chunk: count
        .default(256)
        .describe('tokens whose logits exist at a time; memory is this × vocabulary × 4 bytes'),
      save_dtype: z
        .enum(['float32', 'bfloat16'])
        .default('float32')
        .describe('number format of the checkpoints (float32: exactly the weights in training)'),
    })
    .prefault({})
    .describe('the model to start from'),
  pretrain: trainStage({
    learning_rate: 3e-4,
    lr_scheduler_type: 'cosine_with_min_lr',
    warmup_ratio: 0.05,
    assistant_only_loss: false,
  })
    .optional()
    .describe('next-token training from whole texts'),
  sft: trainStage({
    learning_rate: 2e-5,
    lr_scheduler_type: 'cosine_with_min_lr',
    warmup_ratio: 0.05,
    assistant_only_loss: true,
  })
    .optional()
    .describe('supervised fine-tuning'),
  grpo: grpoStage.optional().describe('oracle-guided Dr. GRPO'),
  eval: evaluation
    .optional()
    .describe('held-out evaluation of the model before training, after sft and after grpo'),
  logging: z
    .strictObject({
      steps: count
        .default(1)
        .describe(
          'print a line every so many steps when not on a terminal (metrics.jsonl has all)',
        ),
      completions: z.boolean().default(true).describe('write completions.jsonl'),
      heartbeat_seconds: positive
        .default(10)
        .describe('without a terminal: print a line at least this often'),
    })
    .prefault({})
    .describe('what is reported'),
})

/** A recipe as written: keys with defaults may be absent. */
export type RecipeInput = z.input<typeof recipeSchema>
/** A recipe with every default filled in and the run directory decided. */
export type Recipe = z.output<typeof recipeSchema> & { output_dir: string }
export type Source = z.output<typeof source>
export type PretrainStage = NonNullable<Recipe['pretrain']>
export type SftStage = NonNullable<Recipe['sft']>
/** pretrain and sft have one shape. */
export type TrainStage = SftStage
export type GrpoStage = NonNullable<Recipe['grpo']>
export type RewardSpec = GrpoStage['rewards'][number]
export type OracleSpec = GrpoStage['oracle']
export type JudgeSpec = z.output<typeof judge>
export type EvalSpec = NonNullable<Recipe['eval']>
export type ModelSpec = Recipe['model']
