#pragma once
// Shape of a Qwen3 dense model, as its Hugging Face config.json gives it. Validated once, in
// TypeScript (lib/model/config.ts); checked here only for what would make memory accesses wrong.

#include <cstdint>

namespace kogrpo {

struct ModelConfig {
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_layers = 0;
  int64_t num_heads = 0;
  int64_t num_kv_heads = 0;
  int64_t head_dim = 0;
  float rms_norm_eps = 1e-6f;
  double rope_theta = 1e6;
  bool tie_word_embeddings = false;
  bool bidirectional = false;  // every token sees its whole sequence (masked diffusion)
  int64_t num_labels = 0;      // > 0: a head of so many classes of a token instead of the LM head

  int64_t head_size() const { return num_labels > 0 ? num_labels : vocab_size; }
  int64_t q_size() const { return num_heads * head_dim; }
  int64_t kv_size() const { return num_kv_heads * head_dim; }
  int64_t qkv_size() const { return q_size() + 2 * kv_size(); }
};

// Throws std::invalid_argument for a shape whose sizes or their products leave what the engine can
// count in, or that its kernels do not have.
void check_config(const ModelConfig& config);

}  // namespace kogrpo
