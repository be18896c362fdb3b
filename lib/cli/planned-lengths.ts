/**
 * Mean lengths for a plan, from the first records of a recipe's sources. A plan is made before anything is
 * downloaded, too: where the model or a file is not there, that stage's lengths are not known.
 */
import { isBuiltin } from '../config/schema/source.ts'
import type { Recipe } from '../config/schema.ts'
import { ChatTemplate } from '../data/chat-template.ts'
import { toGrpoSample, toSftSample } from '../data/samples.ts'
import { Tokenizer } from '../data/tokenizer.ts'
import { isThere, openModelDirectory } from '../model/directory.ts'
import type { Lengths } from '../plan/plan.ts'
import { modelPath, sourceRecords } from '../train/sources.ts'
import { type RecipeSource, recipeSources } from './recipe-sources.ts'

/** Of each source. */
const RECORDS = 256

interface Mean {
  /** Tokens of a sample of sft, or of a prompt. */
  tokens: number
  /** Of these, the trained ones; 0 of a prompt. */
  trained: number
}

/** The lengths that the data tells; none where model or data are not there. Throws `E_DATA` for bad records. */
export async function readLengths(recipe: Recipe): Promise<Lengths> {
  const directory = modelPath(recipe.model.path)
  if (!(await isThere(directory))) return {}
  const model = await openModelDirectory(directory, { weights: false })
  const tokenizer = await Tokenizer.load(model.tokenizerDir)
  const template = new ChatTemplate(tokenizer)
  const all = recipeSources(recipe)
  const mean = async (stage: 'sft' | 'grpo'): Promise<Mean | null> => {
    const sources = all.filter(part => part.stage === stage)
    const missing = await Promise.all(
      sources.map(async ({ source }) => !isBuiltin(source) && !(await isThere(source.path))),
    )
    if (sources.length === 0 || missing.includes(true)) return null
    const sum = { tokens: 0, trained: 0, weight: 0 }
    for (const part of sources) {
      const { weight } = part.source
      const one = await meanOf(part, recipe, tokenizer, template)
      if (one === null) continue
      sum.tokens += weight * one.tokens
      sum.trained += weight * one.trained
      sum.weight += weight
    }
    if (sum.weight === 0) return null
    return { tokens: sum.tokens / sum.weight, trained: sum.trained / sum.weight }
  }
  const [sft, grpo] = [await mean('sft'), await mean('grpo')]
  return {
    ...(sft && { sample: sft.tokens, trained: sft.trained }),
    ...(grpo && { prompt: grpo.tokens }),
  }
}

/** Of a source's first records, without those that are too long; null if none is left. */
async function meanOf(
  { stage, source, options }: RecipeSource,
  recipe: Recipe,
  tokenizer: Tokenizer,
  template: ChatTemplate,
): Promise<Mean | null> {
  const full = { ...options, overlong: 'skip' as const, tokenizer, template }
  const sum = { tokens: 0, trained: 0, samples: 0 }
  let records = 0
  for await (const record of sourceRecords(source, recipe.seed)) {
    if (records++ === RECORDS) break
    if (stage === 'grpo') {
      const { sample } = toGrpoSample(record, full)
      if (sample === null) continue
      sum.tokens += sample.promptIds.length
    } else {
      const { sample } = toSftSample(record, full)
      if (sample === null) continue
      sum.tokens += sample.ids.length
      sum.trained += recipe.sft?.assistant_only_loss ? sample.trained : sample.ids.length - 1
    }
    sum.samples++
  }
  if (sum.samples === 0) return null
  return { tokens: sum.tokens / sum.samples, trained: sum.trained / sum.samples }
}
