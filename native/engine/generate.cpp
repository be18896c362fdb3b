#include "engine/generate.h"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace kogrpo {

// As many pages as the largest max_sequences requests could fill, within the limit.
int64_t Generator::plan_pages(std::span<const GenerateRequest> requests,
                              const GenerateOptions& options) const {
  std::vector<int64_t> needs;
  for (const GenerateRequest& r : requests) needs.push_back(Scheduler::pages_of(r));
  std::sort(needs.rbegin(), needs.rend());
  int64_t pages = 0;
  for (size_t i = 0; i < needs.size() && static_cast<int64_t>(i) < options.max_sequences; ++i)
    pages += needs[i];
  if (options.max_cache_bytes <= 0 || needs.empty()) return pages;
  const int64_t page_bytes = scheduler_.page_bytes();
  const int64_t limit = options.max_cache_bytes / page_bytes;
  if (needs.front() > limit)
    throw std::invalid_argument(
        "maxCacheBytes = " + std::to_string(options.max_cache_bytes) + " holds " +
        std::to_string(limit) + " pages; the longest request needs " +
        std::to_string(needs.front()) + " (" + std::to_string(needs.front() * page_bytes) +
        " bytes): raise it or lower maxNewTokens");
  return std::min(pages, limit);
}

std::vector<GenerateResult> Generator::run(const ModelView& weights, const PackedModel& packed,
                                           std::span<const GenerateRequest> requests,
                                           const GenerateOptions& options,
                                           const std::function<void(int64_t)>& on_progress,
                                           const AbortFlag& abort, const OnFinish& on_finish,
                                           Storage* lent) {
  for (size_t i = 0; i < requests.size(); ++i)
    check_request(requests[i], "requests[" + std::to_string(i) + "]", config_.vocab_size);
  scheduler_.configure({options.vocab_limit, options.max_sequences, options.prefill_rows},
                       plan_pages(requests, options), lent);
  // Whatever ends this call, its sequences end with it.
  struct Emptied {
    Scheduler& scheduler;
    bool lent;
    ~Emptied() {
      scheduler.cancel_all();
      if (lent) scheduler.release_memory();
    }
  } const emptied{scheduler_, lent != nullptr};
  for (size_t i = 0; i < requests.size(); ++i)
    scheduler_.submit(static_cast<int64_t>(i), requests[i]);

  std::vector<GenerateResult> results(requests.size());
  std::vector<Event> events;
  int64_t generated = 0;
  while (!scheduler_.idle()) {
    abort.check();
    events.clear();
    scheduler_.step(weights, packed, events);
    for (const Event& event : events) {
      GenerateResult& result = results[static_cast<size_t>(event.request)];
      if (event.kind == Event::Kind::token) {
        result.tokens.push_back(event.token);
        result.logprobs.push_back(event.logprob);
        ++generated;
      } else if (event.kind == Event::Kind::finish) {
        result.reason = event.reason;
        if (on_finish) on_finish(static_cast<size_t>(event.request), result);
      }
    }
    on_progress(generated);
  }
  return results;
}

}  // namespace kogrpo
