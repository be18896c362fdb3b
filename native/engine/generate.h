#pragma once
// Generation as one call: all requests are known, results come when the last one is done. It is a
// scheduler (scheduler.h) with a memory plan for exactly these requests; the prefix cache lasts for
// the call, so that what a call costs does not depend on the calls before it.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "engine/errors.h"
#include "engine/scheduler.h"

namespace kogrpo {

// Ranks that sample together, each some of the same requests.
struct Together {
  // Requests are `group` adjacent ones each; a rank takes the next group, by its number, when fewer
  // than `live` sequences of its own are under way. Null: all requests are this rank's.
  std::function<int64_t()> claim;
  int64_t group = 1, live = 1;
  // Where weights come layer by layer all ranks make the same steps: whether any of them has
  // something to do, and a step of one that has nothing. Null: each by itself.
  std::function<bool(bool busy)> go;
  std::function<void()> pass;
};

struct GenerateResult {
  std::vector<int32_t> tokens;  // the stop token included
  std::vector<float> logprobs;  // under the distribution each was sampled from
  FinishReason reason = FinishReason::length;
  bool done = false;  // false: another rank has it
};

// Called with the place of a request among the requests of the call, as soon as it is done.
using OnFinish = std::function<void(size_t, const GenerateResult&)>;

struct GenerateOptions {
  int64_t vocab_limit = 0;
  int64_t max_sequences = 256;  // running at once
  int64_t max_cache_bytes = 0;  // of keys and values; 0: what max_sequences need
  int64_t prefill_rows = 512;   // prompt tokens read per step
  // Among ranks: names the call, which all make with the same requests and different ranks' shares
  // of them; with `group` > 0 these are claimed (Together), at most `live` sequences at a time.
  std::string label = {};
  int64_t group = 0, live = 1;
};

class Generator {
 public:
  Generator(Device& device, const ModelConfig& config, Decoder& decoder)
      : config_(config), scheduler_(device, config, decoder) {}

  // Results in the order of the requests. on_progress(generated tokens so far) is called each step.
  // `together`: may be null.
  // `lent`: memory that is idle until the call ends (KvCache::reserve); what the call needed
  // besides is given back then. Null: the call's memory is kept for the next one.
  std::vector<GenerateResult> run(const ModelView& weights, const PackedModel& packed,
                                  std::span<const GenerateRequest> requests,
                                  const GenerateOptions& options,
                                  const std::function<void(int64_t)>& on_progress,
                                  const AbortFlag& abort, const OnFinish& on_finish = {},
                                  Storage* lent = nullptr, const Together* together = nullptr);

 private:
  int64_t plan_pages(std::span<const GenerateRequest> requests, const GenerateOptions& options,
                     int64_t running) const;

  const ModelConfig& config_;
  Scheduler scheduler_;
};

}  // namespace kogrpo
