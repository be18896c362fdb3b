/**
 * The adapters of a run: fresh ones by the recipe's `lora`, or, where `model.path` is an adapter, those
 * (training goes on with them). In both cases the weights are frozen and the adapters are what every
 * stage trains.
 */

import { isDeepStrictEqual } from 'node:util'
import { LORA_TARGETS } from '../config/schema/lora.ts'
import type { Recipe } from '../config/schema.ts'
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import type { ModelDirectory } from '../model/directory.ts'
import type { LoraConfig } from '../model/lora.ts'
import { note } from '../report/events.ts'
import type { Reporter } from '../report/reporter.ts'

/** Undefined: none. Throws `E_ADAPTER` where the recipe and the adapter on disk differ. */
export function adaptersOf(
  { lora, model }: Pick<Recipe, 'lora' | 'model'>,
  { adapter }: ModelDirectory,
  reporter: Reporter,
): LoraConfig | undefined {
  const wanted = lora && inOrder(lora)
  if (adapter === undefined) return wanted
  if (model.init !== 'pretrained') {
    throw new KogrpoError(
      'E_ADAPTER',
      phrase(
        'model.path {path} is an adapter, whose weights belong to its base; use init: pretrained',
        { path: model.path },
      ),
    )
  }
  // What is left out while training is the recipe's business where it has any; else the adapter's.
  const found = {
    ...adapter.config,
    lora_dropout: wanted?.lora_dropout ?? adapter.config.lora_dropout,
  }
  if (wanted && !isDeepStrictEqual(wanted, found)) {
    throw new KogrpoError(
      'E_ADAPTER',
      phrase(
        'model.path {path} is an adapter of {found}, but lora asks for {wanted}; leave lora out to go on with the adapter, or merge it first (kogrpo merge) to train another on top',
        { path: model.path, found: describe(found), wanted: describe(wanted) },
      ),
    )
  }
  reporter.emit(
    note(
      'info',
      phrase('model.path is an adapter ({what}): training goes on with it', {
        what: describe(found),
      }),
    ),
  )
  return found
}

function inOrder({ seed: _seed, ...lora }: NonNullable<Recipe['lora']>): LoraConfig {
  const { target_modules: targets } = lora
  return { ...lora, target_modules: LORA_TARGETS.filter(name => targets.includes(name)) }
}

function describe(lora: LoraConfig): string {
  const { r, lora_alpha, lora_dropout, target_modules, use_rslora } = lora
  const rest = `${use_rslora ? ', use_rslora' : ''}${lora_dropout > 0 ? `, lora_dropout ${lora_dropout}` : ''}`
  return `r ${r}, lora_alpha ${lora_alpha}${rest} on ${target_modules.join(' ')}`
}
