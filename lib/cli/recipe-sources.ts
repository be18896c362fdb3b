/** The sources of a recipe's stages, each with how the stage turns its records into samples. */
import type { Recipe, Source } from '../config/schema.ts'
import { thinkInstruction } from '../config/think-template.ts'
import type { CheckedStage } from '../corpus/check.ts'
import type { SampleOptions } from '../data/samples.ts'

/** One source as it will be used. */
export interface RecipeSource {
  stage: CheckedStage
  source: Source
  options: Omit<SampleOptions, 'tokenizer' | 'template'>
}

export function recipeSources(recipe: Recipe): RecipeSource[] {
  return (['pretrain', 'sft', 'grpo'] as const).flatMap(stage => {
    const spec = recipe[stage]
    if (!spec) return []
    const shared = {
      maxLength: 'max_length' in spec ? spec.max_length : spec.max_prompt_length,
      instruction: thinkInstruction(spec.think_template),
      overlong: spec.overlong,
      ...('system_prompt' in spec
        ? { systemPrompt: spec.system_prompt, enableThinking: spec.enable_thinking }
        : {}),
    }
    return spec.data.map(source => {
      return { stage, source, options: { ...shared, columns: source.columns } }
    })
  })
}
