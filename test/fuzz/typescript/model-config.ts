/** config.json of a model: what is taken has whole positive sizes. */
import assert from 'node:assert/strict'
import { parseForeignJson } from '../../../lib/foreign-json.ts'
import { parseModelConfig } from '../../../lib/model/config.ts'
import { parameterLayout } from '../../../lib/model/parameters.ts'
import { tinyConfig } from '../../tiny-config.ts'
import type { FuzzTarget } from '../harness.ts'
import { mutateJsonText, type Random, WORDS } from '../mutate.ts'

const SEED = {
  ...tinyConfig(),
  rope_parameters: { rope_type: 'default', rope_theta: 10000 },
  layer_types: ['full_attention'],
}

export const target: FuzzTarget = {
  name: 'model-config',
  make: (random: Random) =>
    mutateJsonText(random, SEED, [...WORDS, 'rope_scaling', 'head_dim', 'quantization_config']),
  run(text: string) {
    let json: unknown
    try {
      json = parseForeignJson(text)
    } catch (error) {
      assert.ok(error instanceof SyntaxError)
      return
    }
    const config = parseModelConfig(json)
    for (const size of [config.vocabSize, config.hiddenSize, config.numLayers, config.headDim])
      assert.ok(Number.isSafeInteger(size) && size > 0)
    const { total } = parameterLayout(config)
    assert.ok(Number.isSafeInteger(total) && total > 0)
    JSON.stringify(config.raw)
  },
}
