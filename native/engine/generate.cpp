#include "engine/generate.h"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace kogrpo {

// As many pages as the largest `running` requests could fill, within the limit.
int64_t Generator::plan_pages(std::span<const GenerateRequest> requests,
                              const GenerateOptions& options, int64_t running) const {
  std::vector<int64_t> needs;
  for (const GenerateRequest& r : requests) needs.push_back(Scheduler::pages_of(r));
  std::sort(needs.rbegin(), needs.rend());
  int64_t pages = 0;
  for (size_t i = 0; i < needs.size() && static_cast<int64_t>(i) < running; ++i) pages += needs[i];
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
                                           Storage* lent, const Together* together) {
  for (size_t i = 0; i < requests.size(); ++i)
    check_request(requests[i], "requests[" + std::to_string(i) + "]", config_.vocab_size);
  const bool claims = together && together->claim;
  // A rank that claims has at most a group beside the sequences that are under way.
  const int64_t running =
      claims ? std::min(options.max_sequences, together->live + together->group - 1)
             : options.max_sequences;
  scheduler_.configure({options.vocab_limit, options.max_sequences, options.prefill_rows},
                       plan_pages(requests, options, running), lent);
  // Whatever ends this call, its sequences end with it.
  struct Emptied {
    Scheduler& scheduler;
    bool lent;
    ~Emptied() {
      scheduler.cancel_all();
      if (lent) scheduler.release_memory();
    }
  } const emptied{scheduler_, lent != nullptr};
  bool left = claims;  // to be claimed
  const auto submit = [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) scheduler_.submit(static_cast<int64_t>(i), requests[i]);
  };
  if (!claims) submit(0, requests.size());
  const auto take = [&] {
    const auto under_way = [&] {
      const SchedulerStats stats = scheduler_.stats();
      return stats.running + stats.waiting;
    };
    while (left && under_way() < together->live) {
      const auto begin = static_cast<size_t>(together->claim() * together->group);
      left = begin < requests.size();
      if (left)
        submit(begin, std::min(begin + static_cast<size_t>(together->group), requests.size()));
    }
  };

  std::vector<GenerateResult> results(requests.size());
  std::vector<Event> events;
  int64_t generated = 0;
  for (;;) {
    take();
    const bool busy = !scheduler_.idle();
    if (together && together->go ? !together->go(busy) : !busy) break;
    if (!busy) {
      together->pass();
      continue;
    }
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
        result.done = true;
        if (on_finish) on_finish(static_cast<size_t>(event.request), result);
      }
    }
    if (together && together->pass) together->pass();
    on_progress(generated);
  }
  return results;
}

}  // namespace kogrpo
