#pragma once
// Generation as one call: all requests are known, results come when the last one is done. It is a
// scheduler (scheduler.h) with a memory plan for exactly these requests; the prefix cache lasts for
// the call, so that what a call costs does not depend on the calls before it.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/errors.h"
#include "engine/scheduler.h"

namespace kogrpo {

struct GenerateResult {
  std::vector<int32_t> tokens;  // the stop token included
  std::vector<float> logprobs;  // under the distribution each was sampled from
  FinishReason reason = FinishReason::length;
};

// Called with the place of a request among the requests of the call, as soon as it is done.
using OnFinish = std::function<void(size_t, const GenerateResult&)>;

struct GenerateOptions {
  int64_t vocab_limit = 0;
  int64_t max_sequences = 256;  // running at once
  int64_t max_cache_bytes = 0;  // of keys and values; 0: what max_sequences need
  int64_t prefill_rows = 512;   // prompt tokens read per step
};

class Generator {
 public:
  Generator(Device& device, const ModelConfig& config, Decoder& decoder)
      : config_(config), scheduler_(device, config, decoder) {}

  // Results in the order of the requests. on_progress(generated tokens so far) is called each step.
  // `lent`: memory that is idle until the call ends (KvCache::reserve); what the call needed
  // besides is given back then. Null: the call's memory is kept for the next one.
  std::vector<GenerateResult> run(const ModelView& weights, const PackedModel& packed,
                                  std::span<const GenerateRequest> requests,
                                  const GenerateOptions& options,
                                  const std::function<void(int64_t)>& on_progress,
                                  const AbortFlag& abort, const OnFinish& on_finish = {},
                                  Storage* lent = nullptr);

 private:
  int64_t plan_pages(std::span<const GenerateRequest> requests,
                     const GenerateOptions& options) const;

  const ModelConfig& config_;
  Scheduler scheduler_;
};

}  // namespace kogrpo
