/**
 * Rules that relate several keys of a recipe: batch arithmetic, the oracle and its judge (those of the
 * loss stand in grpo-rules.ts). The shape of each key alone is schema.ts's business.
 */

import { joined, phrase } from '../messages/phrase.ts'
import type { Finding, Findings } from './findings.ts'
import { checkLoss } from './grpo-rules.ts'
import { isChosen } from './keys.ts'
import { checkOverlong, checkRepetition } from './reward-limits.ts'
import { repetitionOptions } from './schema/reward-options.ts'
import { TAKEN_REWARD_NAMES } from './schema/rewards.ts'
import type { GrpoStage, Recipe, RecipeInput, TrainStage } from './schema.ts'
import { checkSources } from './source-rules.ts'

/** A resolved recipe; where its run is written is nobody's business here. */
type Checked = Omit<Recipe, 'output_dir'>

/** The nearest multiples-of-`unit` counts around `value`, smaller first, none below 1. */
function neighbours(value: number, unit: number): number[] {
  const below = Math.floor(value / unit) * unit
  return [below, below + unit].filter(n => n >= 1 && n !== value)
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b)
}

/** The divisors of `n` that are at least 2, nearest to `wanted` below and above. */
function divisorsAround(n: number, wanted: number): number[] {
  const divisors: number[] = []
  for (let d = 2; d <= n; d++) if (n % d === 0) divisors.push(d)
  const below = divisors.filter(d => d < wanted).at(-1)
  const above = divisors.find(d => d > wanted)
  return [below, above].filter(d => d !== undefined)
}

function checkBatch(grpo: GrpoStage, errors: Finding[]): void {
  const group = grpo.num_generations
  if (group < 2) {
    errors.push({
      path: ['grpo', 'num_generations'],
      message: phrase(
        'expected at least 2: the advantage is the reward minus the mean of its group, which is 0 for every completion of a group of one, so nothing would be learned',
      ),
    })
    return
  }
  const rows = grpo.per_device_train_batch_size
  const accumulation = grpo.gradient_accumulation_steps
  const completions = rows * accumulation
  if (completions % group === 0) return
  const remedies = [
    ...neighbours(accumulation, group / gcd(rows, group)).map(
      n => `gradient_accumulation_steps ${n} (${rows * n} completions)`,
    ),
    ...neighbours(rows, group / gcd(accumulation, group)).map(
      n => `per_device_train_batch_size ${n} (${n * accumulation} completions)`,
    ),
    ...divisorsAround(completions, group).map(n => `num_generations ${n}`),
  ]
  errors.push({
    path: ['grpo', 'per_device_train_batch_size'],
    message: phrase(
      '{rows} completions × gradient_accumulation_steps {accumulation} = {completions} completions per optimizer step, which is not a multiple of num_generations {group}; nearest valid: {remedies}',
      { rows, accumulation, completions, group, remedies: joined(remedies, phrase(', or ')) },
    ),
  })
}

function checkRewards(grpo: GrpoStage, findings: Findings): void {
  const { oracle, rewards } = grpo
  const seen = new Set<string>()
  rewards.forEach((reward, index) => {
    if (seen.has(reward.name)) {
      findings.errors.push({
        path: ['grpo', 'rewards', index, 'name'],
        message: phrase('"{name}" stands in the list twice; keep one and add up the weights', {
          name: reward.name,
        }),
      })
    }
    seen.add(reward.name)
    const limit = grpo.max_completion_length
    const problem =
      reward.name === 'overlong'
        ? checkOverlong(reward.options ?? {}, limit)
        : reward.name === 'repetition'
          ? checkRepetition(repetitionOptions.parse(reward.options ?? {}), limit)
          : null
    if (problem) {
      const path = ['grpo', 'rewards', index, 'options', problem.key]
      findings.errors.push({ path, message: problem.message })
    }
  })
  grpo.reward_functions?.forEach(({ name }, index) => {
    const taken = seen.has(name) || TAKEN_REWARD_NAMES.includes(name)
    seen.add(name)
    if (!taken) return
    findings.errors.push({
      path: ['grpo', 'reward_functions', index, 'name'],
      message: phrase('"{name}" is the name of another reward; choose another', { name }),
    })
  })
  const others =
    grpo.cosine_length ??
    grpo.consistency_bonus ??
    grpo.dense_reward ??
    grpo.reward_functions?.find(({ weight }) => weight !== 0)
  if (rewards.every(reward => reward.weight === 0) && others === undefined) {
    findings.errors.push({
      path: ['grpo', 'rewards'],
      message: phrase(
        'every weight is 0, so every advantage would be 0; give one of them a weight',
      ),
    })
  }
  if (oracle.rule === 'none') {
    if (oracle.judge !== undefined) {
      findings.warnings.push({
        path: ['grpo', 'oracle', 'judge'],
        message: phrase(
          'is never asked, because oracle.rule is none; set rule: observe (to measure it) or appeal (or another)',
        ),
      })
    }
    return
  }
  if (oracle.judge === undefined) {
    findings.errors.push({
      path: ['grpo', 'oracle', 'rule'],
      message: phrase(
        '"{rule}" needs a judge; add judge: { kind: program } or { kind: openai, base_url, model }, or set rule: none',
        { rule: oracle.rule },
      ),
    })
  }
  if (!seen.has('accuracy')) {
    findings.errors.push({
      path: ['grpo', 'oracle', 'rule'],
      message: phrase(
        '"{rule}" is about the accuracy reward, which is not in grpo.rewards; add - name: accuracy, or set rule: none',
        { rule: oracle.rule },
      ),
    })
  }
}

function checkSchedule(
  name: 'pretrain' | 'sft' | 'grpo',
  stage: TrainStage | GrpoStage,
  written: { min_lr_ratio?: unknown },
  warnings: Finding[],
): void {
  if (
    isChosen([name, 'min_lr_ratio'], written.min_lr_ratio) &&
    stage.lr_scheduler_type !== 'cosine_with_min_lr'
  ) {
    warnings.push({
      path: [name, 'min_lr_ratio'],
      message: phrase(
        'has no effect with lr_scheduler_type "{lr_scheduler_type}"; use cosine_with_min_lr',
        { lr_scheduler_type: stage.lr_scheduler_type },
      ),
    })
  }
}

/** The best model is one of those that are evaluated between steps. */
function checkBest(
  name: 'pretrain' | 'sft' | 'grpo',
  stage: TrainStage | GrpoStage,
  { errors, warnings }: Findings,
): void {
  const { eval_steps, metric_for_best_model, load_best_model_at_end, greater_is_better } = stage
  const wanted = metric_for_best_model !== undefined || load_best_model_at_end
  if (wanted && eval_steps === 0) {
    const key = load_best_model_at_end ? 'load_best_model_at_end' : 'metric_for_best_model'
    errors.push({
      path: [name, key],
      message: phrase('needs evaluations between the steps to choose from; set {name}.eval_steps', {
        name,
      }),
    })
  }
  if (!wanted && greater_is_better !== undefined) {
    warnings.push({
      path: [name, 'greater_is_better'],
      message: phrase('has no effect without metric_for_best_model'),
    })
  }
}

/** The weights a run begins with, and whether they can be trained. */
function checkModel({ model, lora, pretrain, sft, grpo }: Checked, errors: Finding[]): void {
  const { config, init, dtype } = model
  if (config !== undefined && init === 'pretrained') {
    errors.push({
      path: ['model', 'config'],
      message: phrase('changes the geometry that the weights have; set init: random or expanded'),
    })
  }
  if (config?.num_hidden_layers === undefined && init === 'expanded') {
    errors.push({
      path: ['model', 'init'],
      message: phrase('"expanded" needs the new depth: model.config: { num_hidden_layers: … }'),
    })
  }
  if (lora !== undefined && init !== 'pretrained') {
    errors.push({
      path: ['lora'],
      message: phrase(
        'needs weights that an adapter can name as its base, and those of init: {init} are in no file; train them first, without lora',
        { init },
      ),
    })
  }
  if (dtype === 'int8' && lora === undefined && (pretrain || sft || grpo)) {
    errors.push({
      path: ['model', 'dtype'],
      message: phrase(
        'int8 weights are not trained; use float32 or bfloat16, or train adapters over them (lora: {braces})',
        { braces: '{}' },
      ),
    })
  }
}

/** What a stage trains of the model. */
function checkFreezing({ pretrain, sft, grpo, lora }: Checked, errors: Finding[]): void {
  for (const [name, stage] of Object.entries({ pretrain, sft, grpo })) {
    for (const key of ['train_only', 'trainable_neurons'] as const) {
      if (stage?.[key] === undefined || lora === undefined) continue
      errors.push({
        path: [name, key],
        message: phrase(
          'cannot be had with lora, which freezes the model and trains its adapters; keep one',
        ),
      })
    }
    if (stage?.train_only === undefined) continue
    const { embed, head, norm, layers } = stage.train_only
    if (stage.trainable_neurons !== undefined) {
      errors.push({
        path: [name, 'trainable_neurons'],
        message: phrase('and train_only both say what is trained; keep one'),
      })
    }
    if (!(embed || head || norm) && layers === 'none') {
      errors.push({
        path: [name, 'train_only'],
        message: phrase(
          'names nothing, so nothing would be trained; set embed, head, norm or layers',
        ),
      })
    }
  }
}

/** Checks `recipe` (resolved); `written` tells which keys the user gave. Never throws. */
export function checkRecipe(recipe: Checked, written: RecipeInput): Findings {
  const findings: Findings = { errors: [], warnings: [] }
  const { pretrain, sft, grpo } = recipe
  if (!(pretrain || sft || grpo || recipe.eval)) {
    findings.errors.push({
      path: [],
      message: phrase('there is nothing to do; add a stage (pretrain, sft or grpo) or eval'),
    })
  }
  checkModel(recipe, findings.errors)
  checkSources(recipe, findings.errors)
  checkFreezing(recipe, findings.errors)
  for (const [name, stage] of [
    ['pretrain', pretrain],
    ['sft', sft],
  ] as const) {
    if (stage === undefined) continue
    checkSchedule(name, stage, written[name] ?? {}, findings.warnings)
    checkBest(name, stage, findings)
    if (stage.eval_steps > 0 && stage.eval_data === undefined) {
      findings.errors.push({
        path: [name, 'eval_steps'],
        message: phrase('needs held-out data; add {name}.eval_data, or set eval_steps: 0', {
          name,
        }),
      })
    }
  }
  if (grpo !== undefined) {
    checkBatch(grpo, findings.errors)
    checkLoss(grpo, (written.grpo ?? {}) as Partial<GrpoStage>, findings)
    checkRewards(grpo, findings)
    checkSchedule('grpo', grpo, written.grpo ?? {}, findings.warnings)
    checkBest('grpo', grpo, findings)
    if (grpo.eval_steps > 0 && recipe.eval === undefined) {
      findings.errors.push({
        path: ['grpo', 'eval_steps'],
        message: phrase('needs held-out problems; add eval with its data, or set eval_steps: 0'),
      })
    }
  }
  return findings
}
