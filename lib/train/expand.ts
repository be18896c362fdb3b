/**
 * A deeper model from a trained one: block expansion (LLaMA Pro, arXiv 2401.02415). The further layers
 * are copies of their neighbours whose two output projections (o_proj, down_proj) are 0, so that they
 * add nothing to the residual stream: the deeper model begins as the same function, and learns from
 * there. Everything but the depth stays.
 */
import { Engine, type EngineOptions } from '../engine/engine.ts'
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import type { ModelConfig } from '../model/config.ts'
import type { ModelDirectory } from '../model/directory.ts'
import { parameterLayout } from '../model/parameters.ts'

const LAYER = /^model\.layers\.(\d+)\.(.+)$/
const OUTPUTS = new Set(['self_attn.o_proj.weight', 'mlp.down_proj.weight'])

/** An engine of geometry `config` that computes what the model in `source` does. Throws `E_CONFIG`. */
export async function expandedEngine(
  source: ModelDirectory,
  config: ModelConfig,
  options: Omit<EngineOptions, 'config' | 'init'>,
): Promise<Engine> {
  checkGeometry(source.config, config)
  const [from, to] = [source.config.numLayers, config.numLayers]
  // Layer t stands where layer ⌊t · from / to⌋ was; the second of two is the new one.
  const origin = (layer: number): number => Math.floor((layer * from) / to)
  await using small = await Engine.load(source, options)
  const engine = await Engine.create({ ...options, config, init: { seed: 0 } })
  try {
    for (const { name } of parameterLayout(config).parameters) {
      const [, index, part] = LAYER.exec(name) ?? []
      if (index === undefined || part === undefined) {
        await engine.writeParameter(name, await small.readParameter(name))
        continue
      }
      const layer = Number(index)
      const values = await small.readParameter(`model.layers.${origin(layer)}.${part}`)
      const added = layer > 0 && origin(layer) === origin(layer - 1)
      if (added && OUTPUTS.has(part)) values.fill(0)
      await engine.writeParameter(name, values)
    }
    return engine
  } catch (error) {
    await engine.dispose()
    throw error
  }
}

function checkGeometry(from: ModelConfig, to: ModelConfig): void {
  const { numLayers: before, raw: _from, ...rest } = from
  const { numLayers: after, raw: _to, ...wanted } = to
  if (after <= before) {
    throw new KogrpoError(
      'E_CONFIG',
      phrase(
        'model.config.num_hidden_layers is {after}: init expanded needs more than the {before} layers of the model',
        { after, before },
      ),
    )
  }
  const other = (Object.keys(rest) as (keyof typeof rest)[]).find(key => rest[key] !== wanted[key])
  if (other !== undefined) {
    throw new KogrpoError(
      'E_CONFIG',
      phrase(
        'model.config: init expanded adds layers and keeps the rest, but {other} is {wanted} instead of {rest}; change num_hidden_layers only',
        { other, wanted: String(wanted[other]), rest: String(rest[other]) },
      ),
    )
  }
}
