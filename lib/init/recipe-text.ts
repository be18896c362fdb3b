/** A recipe as commented YAML, from what `kogrpo init` has asked and seen. */
import { stringify } from 'yaml'
import { inEnglish, type Say } from '../messages/phrase.ts'
import type { Fit } from './fit.ts'

export interface DataPart {
  path: string
  columns: Record<string, string>
  /** Longest sample (SFT) or prompt (GRPO) in tokens. */
  longest: number
}

interface RecipePlan {
  name: string
  model: string
  fit: Fit
  sft: DataPart | null
  grpo: DataPart | null
  evaluation: DataPart | null
  /** OpenAI-compatible endpoint and model of a judge; null: the rule checker alone. */
  judge: { base_url: string; model: string } | null
  /** Tokens of a completion, a multiple of 64. */
  completion: number
  /** Where the JSON schema of recipes lies, as seen from the recipe. */
  schema: string
}

const roundUp = (tokens: number): number => Math.max(64, Math.ceil(tokens / 64) * 64)
const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`

/** A comment of one line. */
const comment = (words: string, indent = ''): string => `${indent}# ${words}`

/** The text of the file, its comments in the user's language. */
export function recipeText(plan: RecipePlan, say: Say = inEnglish): string {
  const { fit } = plan
  const size = say(
    "{millions} million parameters: {weights} for weights, gradients and AdamW's moments in fp32, about {peak} at the peak with the batches below.",
    {
      millions: (fit.parameters / 1e6).toFixed(1),
      weights: gib(fit.weights),
      peak: gib(fit.peak),
    },
  )
  const parts = [
    `# yaml-language-server: $schema=${plan.schema}
${comment(say('Made by kogrpo init. Every key: npx kogrpo train --keys'))}
${comment(size)}
name: ${yaml(plan.name)}
seed: 42
model:
  path: ${yaml(plan.model)}
${comment(say('Recompute activations in the backward pass: less memory, more time, the same bits.'), '  ')}
  gradient_checkpointing: ${fit.gradientCheckpointing}`,
  ]
  if (plan.sft) parts.push(sftText(plan, plan.sft, say))
  if (plan.grpo) parts.push(grpoText(plan, plan.grpo, say))
  if (plan.evaluation) parts.push(evalText(plan, plan.evaluation, say))
  return `${parts.join('\n\n')}\n`
}

function sftText({ fit }: RecipePlan, part: DataPart, say: Say): string {
  return `${comment(say("Stage 1: learn to think in Korean from examples (loss on the assistant's tokens only)."))}
sft:
  data:
${dataText(part)}
${comment(say('The longest sample has {longest} tokens; rows of this length are filled with several samples.', { longest: part.longest }), '  ')}
  max_length: ${roundUp(part.longest)}
  per_device_train_batch_size: ${Math.max(1, Math.floor(fit.batch / 2))}
  gradient_accumulation_steps: ${fit.batch >= 8 ? 1 : Math.ceil(8 / fit.batch)}
  learning_rate: ${fit.parameters < 1e7 ? '1.0e-3' : '2.0e-5'}
  num_train_epochs: 2`
}

function grpoText({ fit, judge, completion }: RecipePlan, part: DataPart, say: Say): string {
  const group = 8
  const accumulation = Math.max(1, Math.ceil((8 * group) / fit.batch))
  const oracle = judge
    ? `${comment(say('The judge re-examines what the checker called wrong.'), '  ')}
  oracle:
    rule: appeal
    judge:
      kind: openai
      base_url: ${yaml(judge.base_url)}
      model: ${yaml(judge.model)}
      # api_key_env: JUDGE_API_KEY`
    : [
        comment(
          say(
            'The rule checker alone. It is wrong in both directions: a judge makes the training stable',
          ),
          '  ',
        ),
        comment(
          '(oracle: { rule: appeal, judge: { kind: openai, base_url: …, model: … } }).',
          '  ',
        ),
      ].join('\n')
  return `${comment(say('Stage 2: reinforcement learning (Dr. GRPO) on problems with an answer to check.'))}
grpo:
  data:
${dataText(part)}
  max_prompt_length: ${roundUp(part.longest)}
  max_completion_length: ${completion}
${comment(say('{prompts} prompts × {group} completions in a step.', { prompts: (fit.batch * accumulation) / group, group }), '  ')}
  num_generations: ${group}
  per_device_train_batch_size: ${fit.batch}
  gradient_accumulation_steps: ${accumulation}
  learning_rate: ${fit.parameters < 1e7 ? '2.0e-4' : '1.0e-6'}
  max_steps: 100
${oracle}`
}

function evalText({ completion }: RecipePlan, part: DataPart, say: Say): string {
  return `${comment(say('The same held-out problems before training and after each stage, compared pairwise.'))}
eval:
  data:
${dataText(part)}
  max_samples: 200
  max_completion_length: ${completion}`
}

function dataText({ path, columns }: DataPart): string {
  const pairs = Object.entries(columns).map(([name, column]) => `${name}: ${yaml(column)}`)
  const mapping = pairs.length > 0 ? `\n      columns: { ${pairs.join(', ')} }` : ''
  return `    - path: ${yaml(path)}${mapping}`
}

/** One scalar as YAML writes it, quoted where it must be. */
function yaml(text: string): string {
  return stringify(text).trimEnd()
}
