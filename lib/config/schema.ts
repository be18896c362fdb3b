/**
 * The recipe: one zod schema that is at once the defaults, the validation, the help text
 * (`.describe`) and, through json-schema.ts, the JSON schema for editors.
 *
 * A recipe names a model, up to three stages that run in the order pretrain → sft → grpo (a stage
 * runs when its key is present), and the evaluation that is made before the first stage and after
 * each of sft and grpo. Option names are those of TRL's SFTConfig and GRPOConfig; where a default
 * differs from TRL's the description says so. Objects are strict: an unknown key is an error.
 * Defaults that follow from other keys stand in derive.ts, rules that relate several in rules.ts.
 */

import * as z from 'zod'
import { DEVICES } from '../engine/device.ts'
import { evaluation } from './schema/evaluation.ts'
import { grpoStage } from './schema/grpo.ts'
import { lora } from './schema/lora.ts'
import { model } from './schema/model.ts'
import { trainStage } from './schema/train-stage.ts'
import { count, countOrZero, name, positive, seed } from './schema/values.ts'
import { watchdog } from './schema/watchdog.ts'

export type { LoraSpec } from './schema/lora.ts'
export type { ModelSpec } from './schema/model.ts'
export type { JudgeSpec, OracleSpec } from './schema/oracle.ts'
export type { RewardSpec } from './schema/rewards.ts'
export type { Source } from './schema/source.ts'

/** The whole recipe. `z.input` of it is what a file may hold, `z.output` has every default. */
export const recipeSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[\p{L}\p{M}\p{N}._-]+$/u, { error: 'expected letters, digits, ".", "_" or "-"' })
    .default('run')
    .describe('name of the run; part of the default output directory'),
  seed: seed.default(42).describe('every random number follows from it'),
  threads: countOrZero
    .default(0)
    .describe('CPU threads (0 = one per core); results do not depend on it'),
  device: z
    .enum(DEVICES)
    .default('cpu')
    .describe('where the engine computes: the processor, or a GPU by its number (cuda: the first)'),
  deterministic: z
    .boolean()
    .default(false)
    .describe(
      'on a GPU: results do not depend on the batch, to the bit, as always on the CPU; slower',
    ),
  shard: z
    .enum(['none', 'optimizer', 'gradients', 'parameters'])
    .default('none')
    .describe(
      'what several ranks (kogrpo launch) hold in pieces instead of whole: nothing, the moments of AdamW, also the gradients, or also the weights (ZeRO 1 to 3); no bit of the result changes',
    ),
  rollout_weights: z
    .enum(['auto', 'gathered', 'streamed'])
    .default('auto')
    .describe(
      'with shard: parameters, where the weights are while completions are sampled: whole on every rank, or gathered layer by layer in every step, which needs less memory and more time; auto: whole if they fit',
    ),
  output_dir: name.optional().describe('run directory (default: runs/NAME-DATE-TIME)'),
  model: model.prefault({}).describe('the model to start from'),
  lora: lora
    .optional()
    .describe(
      'train low-rank adapters beside the frozen weights in every stage ({} for the defaults); checkpoints are adapters in the format of PEFT',
    ),
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
  watchdog: watchdog
    .prefault({})
    .describe('seconds without a sign of life after which a phase ends the run (0 = never)'),
  logging: z
    .strictObject({
      steps: count
        .default(1)
        .describe(
          'print a line every so many steps when not on a terminal (metrics.jsonl has all)',
        ),
      completions: z.boolean().default(true).describe('write completions.jsonl'),
      token_logprobs: z
        .boolean()
        .default(false)
        .describe("write each token's log-prob with its completion; the report colours by it"),
      report_seconds: positive
        .default(60)
        .describe('write report.html at most this often between evaluations (needs no network)'),
      tensorboard: z
        .boolean()
        .default(false)
        .describe('write the metrics to tensorboard/ as event files too'),
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
export type SftStage = NonNullable<Recipe['sft']>
/** pretrain and sft have one shape. */
export type TrainStage = SftStage
export type GrpoStage = NonNullable<Recipe['grpo']>
