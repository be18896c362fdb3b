#pragma once
// The shapes of the models that tests of the engine run: as small as a shape can be that has every
// part, with no two sizes alike that could be taken for each other.
#include "engine/config.h"

namespace kogrpo::testing {

// For kernels of any size: three query heads on a key head.
inline ModelConfig tiny_model() {
  return {.vocab_size = 61,
          .hidden_size = 48,
          .intermediate_size = 80,
          .num_layers = 2,
          .num_heads = 6,
          .num_kv_heads = 2,
          .head_dim = 16,
          .rope_theta = 10000};
}

// In sizes that matrix units take: head dimension 32 for the portable kernels, 128 for Hopper's.
inline ModelConfig tiny_gpu_model(int64_t num_layers, int64_t head_dim, bool tied) {
  return {.vocab_size = 88,
          .hidden_size = 64,
          .intermediate_size = 96,
          .num_layers = num_layers,
          .num_heads = 4,
          .num_kv_heads = 2,
          .head_dim = head_dim,
          .rope_theta = 10000,
          .tie_word_embeddings = tied};
}

}  // namespace kogrpo::testing
