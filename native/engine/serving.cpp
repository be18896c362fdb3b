#include "engine/serving.h"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace kogrpo {

void RequestInbox::submit(int64_t id, GenerateRequest request) {
  check_request(request, "request", vocab_size_);
  const int64_t needed = Scheduler::pages_of(request);
  if (needed > pages_)
    throw std::invalid_argument(
        "request: " + std::to_string(request.prompt.size()) + " prompt tokens and maxNewTokens = " +
        std::to_string(request.max_new_tokens) + " need " + std::to_string(needed) +
        " pages of keys and values; maxCacheBytes holds " + std::to_string(pages_));
  const std::lock_guard lock(mutex_);
  submitted_.emplace_back(id, std::move(request));
}

void RequestInbox::cancel(int64_t id) {
  const std::lock_guard lock(mutex_);
  // One that the engine has not seen yet it need not see at all.
  const auto found = std::find_if(submitted_.begin(), submitted_.end(),
                                  [id](const auto& entry) { return entry.first == id; });
  if (found == submitted_.end())
    cancelled_.push_back(id);
  else
    submitted_.erase(found);
}

void RequestInbox::empty_into(Scheduler& scheduler) {
  std::vector<std::pair<int64_t, GenerateRequest>> submitted;
  std::vector<int64_t> cancelled;
  {
    const std::lock_guard lock(mutex_);
    submitted.swap(submitted_);
    cancelled.swap(cancelled_);
  }
  for (const int64_t id : cancelled) scheduler.cancel(id);
  for (auto& [id, request] : submitted) scheduler.submit(id, std::move(request));
}

}  // namespace kogrpo
