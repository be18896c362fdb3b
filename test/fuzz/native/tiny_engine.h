#pragma once
// The smallest model that has every part: two query heads on one key head, one layer.
#include "engine/engine.h"

namespace kogrpo::fuzz {

constexpr int64_t kVocabulary = 13;

inline ModelConfig tiny_config() {
  ModelConfig c;
  c.vocab_size = kVocabulary;
  c.hidden_size = 16;
  c.intermediate_size = 16;
  c.num_layers = 1;
  c.num_heads = 2;
  c.num_kv_heads = 1;
  c.head_dim = 16;
  c.rope_theta = 10000;
  return c;
}

// Made once: its weights are always the same, so are its answers.
inline Engine& tiny_engine() {
  static Engine engine = [] {
    EngineOptions options;
    options.threads = 1;
    return Engine(tiny_config(), options);
  }();
  static const bool initialized = [] {
    engine.initialize({7, 0.3, 0.1});
    return true;
  }();
  static_cast<void>(initialized);
  return engine;
}

}  // namespace kogrpo::fuzz
