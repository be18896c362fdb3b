/** Rules of sources: a key that the place or the kind of a source would ignore is refused. */
import { type Phrase, phrase } from '../messages/phrase.ts'
import type { Finding } from './findings.ts'
import { isChosen } from './keys.ts'
import { isBuiltin } from './schema/source.ts'
import type { Recipe, Source } from './schema.ts'

type Checked = Pick<Recipe, 'pretrain' | 'sft' | 'grpo' | 'eval'>

export function checkSources(
  { pretrain, sft, grpo, eval: held }: Checked,
  errors: Finding[],
): void {
  const refuse = (path: PropertyKey[], message: Phrase): void => void errors.push({ path, message })
  const checkFile = (path: PropertyKey[], source: Source): void => {
    if (source.options === undefined || isBuiltin(source)) return
    refuse(
      [...path, 'options'],
      phrase(
        'are those of a built-in set, and "{path}" is a file; remove them, or name a built-in set such as mini:sft',
        { path: source.path },
      ),
    )
  }
  const checkDomain = (path: PropertyKey[], { domain }: Source): void => {
    if (domain === undefined) return
    refuse([...path, 'domain'], phrase('counts the prompts of grpo.data only; remove it'))
  }
  const checkWeight = (path: PropertyKey[], { weight }: Source): void => {
    if (!isChosen([...path, 'weight'], weight)) return
    refuse(
      [...path, 'weight'],
      phrase(
        'is a share of training data, and held-out data is evaluated whole; remove it, or set size to take fewer samples',
      ),
    )
  }
  const training = [checkFile, checkDomain]
  const heldOut = [checkFile, checkDomain, checkWeight]
  for (const [stage, key, sources = [], checks] of [
    ['pretrain', 'data', pretrain?.data, training],
    ['pretrain', 'eval_data', pretrain?.eval_data, heldOut],
    ['sft', 'data', sft?.data, training],
    ['sft', 'eval_data', sft?.eval_data, heldOut],
    ['grpo', 'data', grpo?.data, [checkFile]],
    ['eval', 'data', held?.data, heldOut],
  ] as const) {
    for (const [index, source] of sources.entries()) {
      for (const check of checks) check([stage, key, index], source)
    }
  }
}
