/** What `train --dry-run` says behind the recipe: whether it fits this machine (a GPU's engine plans by itself). */
import type { Recipe } from '../config/schema.ts'
import { KogrpoError } from '../errors.ts'
import { failure } from '../messages/phrase.ts'
import { processor } from '../plan/hardware.ts'
import { planRecipe } from '../plan/plan.ts'
import type { CliContext } from './context.ts'
import { readMemory } from './memory.ts'
import { advice, size } from './plan-text.ts'
import { plannedModel } from './planned-model.ts'

export async function sayMemory(recipe: Recipe, context: CliContext): Promise<void> {
  const { say, stderr } = context
  if (recipe.device !== 'cpu') return
  const machine = processor(readMemory().total, 1)
  const capacity = machine.gpu.memory
  try {
    const config = await plannedModel(recipe.model, context)
    const { asked, nearest } = planRecipe(recipe, config, machine, {})
    for (const [i, plan] of asked.entries()) {
      const message = plan.fits
        ? say(
            '{stage} needs {bytes} of {capacity}; kogrpo plan says what for, and how long a step takes',
            {
              ...{ stage: plan.stage, bytes: size(plan.memory.total), capacity: size(capacity) },
            },
          )
        : say('warning: {message}', { message: advice(plan, nearest[i]!, capacity) })
      stderr.write(`${message}\n`)
    }
  } catch (error) {
    // A recipe may be written before its model is there.
    if (!(error instanceof KogrpoError)) throw error
    stderr.write(`${say('warning: {message}', { message: failure(error) })}\n`)
  }
}
