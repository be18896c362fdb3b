#pragma once
// Generation with a paged key/value cache. One step is one packed batch of rows: chunks of prompts
// that are being read and one row of every sequence that is being continued. Since every row's
// result is independent of the others, a completion is the same bytes whatever else is in the
// batch, and a finished sequence's place is taken by a waiting one at once. Requests with equal
// prompts share the prompt's pages and its computation.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/errors.h"
#include "engine/kv_cache.h"
#include "engine/lm_head.h"
#include "engine/transformer.h"
#include "ops/ops.h"

namespace kogrpo {

struct GenerateRequest {
  std::vector<int32_t> prompt;
  int64_t max_new_tokens = 0;
  SamplingParams sampling;  // position is set here: the index of each token in its sequence
  std::vector<int32_t> stop_tokens;
};

enum class FinishReason { stop, length };

struct GenerateResult {
  std::vector<int32_t> tokens;  // the stop token included
  std::vector<float> logprobs;  // under the distribution each was sampled from
  FinishReason reason = FinishReason::length;
};

struct GenerateOptions {
  int64_t vocab_limit = 0;
  int64_t max_sequences = 256;  // running at once
  int64_t max_cache_bytes = 0;  // of keys and values; 0: what max_sequences need
  int64_t prefill_rows = 512;   // prompt tokens read per step
};

class Generator {
 public:
  Generator(Ops& ops, const ModelConfig& config, Transformer& transformer, LmHead& head)
      : ops_(ops), config_(config), transformer_(transformer), head_(head), cache_(config) {}

  // Results in the order of the requests. on_progress(generated tokens so far) is called each step.
  std::vector<GenerateResult> run(const ModelView& weights, const PackedModel& packed,
                                  std::span<const GenerateRequest> requests,
                                  const GenerateOptions& options,
                                  const std::function<void(int64_t)>& on_progress,
                                  const AbortFlag& abort);

 private:
  struct Sequence;
  struct Step;
  void forward(const ModelView& weights, const PackedModel& packed, Step& step);

  Ops& ops_;
  const ModelConfig& config_;
  Transformer& transformer_;
  LmHead& head_;
  KvCache cache_;
  Buffer<float> x_, normed_, rstd_, qkv_, qk_, attention_, gate_up_, act_;
};

}  // namespace kogrpo
