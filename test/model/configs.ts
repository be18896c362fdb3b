/** config.json objects the tests share. */

/** Qwen3-0.6B as published with transformers 4.51. */
export const QWEN3_06B = {
  architectures: ['Qwen3ForCausalLM'],
  attention_bias: false,
  head_dim: 128,
  hidden_act: 'silu',
  hidden_size: 1024,
  intermediate_size: 3072,
  max_position_embeddings: 40960,
  model_type: 'qwen3',
  num_attention_heads: 16,
  num_hidden_layers: 28,
  num_key_value_heads: 8,
  rms_norm_eps: 1e-6,
  rope_scaling: null,
  rope_theta: 1000000,
  sliding_window: null,
  tie_word_embeddings: true,
  torch_dtype: 'bfloat16',
  use_sliding_window: false,
  vocab_size: 151936,
}

/** The same architecture at a size for tests: 2 layers, 4/2 heads of 16, hidden 48. */
export const TINY = {
  ...QWEN3_06B,
  head_dim: 16,
  hidden_size: 48,
  intermediate_size: 96,
  num_attention_heads: 4,
  num_hidden_layers: 2,
  num_key_value_heads: 2,
  vocab_size: 320,
}
