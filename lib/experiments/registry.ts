/** All experiments, in the order of the table. */
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import { careConsistency } from './care-consistency.ts'
import { critiqueRefinement } from './critique-refinement.ts'
import { curriculumOrder } from './curriculum-order.ts'
import { denseReward } from './dense-reward.ts'
import { espoDiffusion } from './espo-diffusion.ts'
import { espoSequence } from './espo-sequence.ts'
import { koreanNeurons } from './korean-neurons.ts'
import { loraFull } from './lora-full.ts'
import { planningDiversity } from './planning-diversity.ts'
import { prorlReset } from './prorl-reset.ts'
import { redwhaleVocabulary } from './redwhale-vocab.ts'
import type { Experiment } from './types.ts'
import { warmUp } from './warm-up.ts'

export const EXPERIMENTS: readonly Experiment[] = [
  warmUp,
  prorlReset,
  careConsistency,
  critiqueRefinement,
  curriculumOrder,
  planningDiversity,
  espoSequence,
  espoDiffusion,
  koreanNeurons,
  redwhaleVocabulary,
  loraFull,
  denseReward,
]

/** The experiment of this name, or all of them. Throws `E_CONFIG` for an unknown one. */
export function findExperiments(name?: string): readonly Experiment[] {
  if (name === undefined) return EXPERIMENTS
  const found = EXPERIMENTS.filter(experiment => experiment.name === name)
  if (found.length > 0) return found
  const names = EXPERIMENTS.map(experiment => experiment.name).join(', ')
  throw new KogrpoError(
    'E_CONFIG',
    phrase('there is no experiment "{name}"; there are {names}', { name, names }),
  )
}
