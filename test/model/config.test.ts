import { describe, expect, it } from 'vitest'
import { KogrpoError } from '../../lib/errors.ts'
import { parseModelConfig } from '../../lib/model/config.ts'
import { parameterLayout } from '../../lib/model/parameters.ts'
import { QWEN3_06B } from './configs.ts'

function refusal(change: Record<string, unknown>): string {
  try {
    parseModelConfig({ ...QWEN3_06B, ...change }, 'm/config.json')
  } catch (error) {
    expect(error).toBeInstanceOf(KogrpoError)
    expect((error as KogrpoError).code).toBe('E_MODEL_CONFIG')
    return (error as KogrpoError).message
  }
  throw new Error('was accepted')
}

describe('parseModelConfig', () => {
  it('reads the transformers 4 spelling', () => {
    const { raw, ...config } = parseModelConfig(QWEN3_06B)
    expect(config).toEqual({
      vocabSize: 151936,
      hiddenSize: 1024,
      intermediateSize: 3072,
      numLayers: 28,
      numHeads: 16,
      numKvHeads: 8,
      headDim: 128,
      rmsNormEps: 1e-6,
      ropeTheta: 1000000,
      bidirectional: false,
      numLabels: 0,
      tieWordEmbeddings: true,
      maxPositionEmbeddings: 40960,
    })
    expect(raw).toEqual(QWEN3_06B)
  })

  it('reads the transformers 5 spelling to the same geometry', () => {
    const { rope_theta: _theta, rope_scaling: _scaling, torch_dtype, ...rest } = QWEN3_06B
    const modern = {
      ...rest,
      dtype: torch_dtype,
      layer_types: Array(28).fill('full_attention'),
      rope_parameters: { rope_theta: 1000000, rope_type: 'default' },
    }
    const { raw: _a, ...old } = parseModelConfig(QWEN3_06B)
    const { raw: _b, ...now } = parseModelConfig(modern)
    expect(now).toEqual(old)
  })

  it('counts the parameters of Qwen3-0.6B', () => {
    const { parameters, total } = parameterLayout(parseModelConfig(QWEN3_06B))
    expect(parameters).toHaveLength(28 * 11 + 2)
    expect(total).toBe(596_049_920)
    const untied = parseModelConfig({ ...QWEN3_06B, tie_word_embeddings: false })
    expect(parameterLayout(untied).total).toBe(596_049_920 + 151936 * 1024)
  })

  it.each([
    ['model_type', { model_type: 'qwen3_moe' }],
    ['architectures', { architectures: ['Qwen3ForSequenceClassification'] }],
    ['attention_bias', { attention_bias: true }],
    ['hidden_act', { hidden_act: 'gelu' }],
    ['use_sliding_window', { use_sliding_window: true }],
    ['layer_types', { layer_types: ['sliding_attention'] }],
    ['rope_scaling.rope_type', { rope_scaling: { type: 'yarn', factor: 4 } }],
    ['rope_parameters.rope_type', { rope_parameters: { rope_theta: 1e6, rope_type: 'linear' } }],
    ['rope_theta', { rope_theta: undefined }],
    ['rope_theta', { rope_parameters: { rope_theta: 5 } }],
    ['quantization_config', { quantization_config: { bits: 4 } }],
    ['head_dim', { head_dim: 40 }],
    ['num_key_value_heads', { num_key_value_heads: 3 }],
    ['hidden_size', { hidden_size: 12.5 }],
    ['vocab_size', { vocab_size: undefined }],
    ['rms_norm_eps', { rms_norm_eps: '1e-6' }],
  ])('refuses %s by name', (key, change) => {
    const message = refusal(change)
    expect(message).toContain('m/config.json')
    expect(message).toContain(key)
  })

  it('refuses what is not an object', () => {
    expect(() => parseModelConfig([])).toThrow(KogrpoError)
    expect(() => parseModelConfig(null)).toThrow(KogrpoError)
  })
})
