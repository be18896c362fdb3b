import { describe, expect, test } from 'vitest'
import { recipeJsonSchema } from '../../lib/config/json-schema.ts'
import { describeKeys } from '../../lib/config/keys.ts'
import { recipeSchema } from '../../lib/config/schema.ts'

describe('the list of keys', () => {
  const rows = describeKeys()
  const row = (key: string) => rows.find(r => r.key === key)

  test('holds dotted keys with type and default', () => {
    expect(row('grpo.num_generations')).toMatchObject({ type: 'number', default: 8 })
    expect(row('grpo.loss_type')).toMatchObject({
      type: 'dr_grpo|grpo|dapo|bnpo|cispo|sapo',
      default: 'dr_grpo',
    })
    expect(row('sft.data.N.columns.answer')).toMatchObject({ type: 'text', default: undefined })
    expect(row('grpo.oracle.judge.kind')).toMatchObject({ type: 'program|openai|local' })
    expect(row('grpo.oracle.judge.base_url')).toMatchObject({ type: 'text' })
    expect(row('grpo.rewards.N.name')).toMatchObject({
      type: expect.stringMatching(/^accuracy\|format\|korean\|overlong\|repetition/),
    })
    expect(row('grpo.rewards.N.options.ngram_size')).toMatchObject({ type: 'number', default: 20 })
    expect(row('model.smooth.min_scale')).toMatchObject({ type: 'number', default: 0.5 })
    expect(new Set(rows.map(r => r.key)).size).toBe(rows.length)
  })

  test('describes every key, save those that a column name describes', () => {
    const bare = rows.filter(r => r.description === '' && !r.key.includes('.columns.'))
    expect(bare.map(r => r.key)).toEqual([])
  })
})

describe('the JSON schema', () => {
  const schema = recipeJsonSchema() as Record<string, never>

  test('is draft 2020-12, strict, with defaults and descriptions', () => {
    expect(schema).toMatchObject({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      additionalProperties: false,
      properties: {
        seed: { type: 'integer', default: 42, minimum: 0 },
        sft: {
          required: ['data'],
          additionalProperties: false,
          properties: { learning_rate: { default: 2e-5, exclusiveMinimum: 0 } },
        },
        grpo: {
          properties: {
            rewards: { items: { oneOf: expect.any(Array) }, default: { length: 4 } },
            loss_type: {
              enum: ['dr_grpo', 'grpo', 'dapo', 'bnpo', 'cispo', 'sapo'],
              default: 'dr_grpo',
            },
          },
        },
      },
    })
    expect(schema).not.toHaveProperty('required')
    expect(JSON.parse(JSON.stringify(schema))).toEqual(schema)
  })

  test('names the same keys as the schema', () => {
    expect(Object.keys(schema.properties!)).toEqual(Object.keys(recipeSchema.shape))
  })
})
