#pragma once
// Generation as a session: requests come from any thread at any time, and the engine's thread makes
// steps while some are live. RequestInbox is the only part that two threads touch.
//
// One step is one job of the engine's thread (see addon/promise_runner.h), so whatever else the
// engine is asked for runs between two steps, in the order of the calls, and never inside one.
// Reading is free to; what changes the weights is refused while a request is live, because a
// completion is of one model (Engine::require_idle).

#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "engine/scheduler.h"

namespace kogrpo {

struct ServeOptions {
  int64_t vocab_limit = 0;      // 0: the whole vocabulary
  int64_t max_sequences = 64;   // running at once
  int64_t prefill_rows = 128;   // prompt tokens read per step
  int64_t max_cache_bytes = 0;  // the memory plan: as many pages as fit in; needed
};

class RequestInbox {
 public:
  RequestInbox(int64_t vocab_size, int64_t pages) : vocab_size_(vocab_size), pages_(pages) {}

  // Any thread. Throws std::invalid_argument for a request that could not be served.
  void submit(int64_t id, GenerateRequest request);
  // Any thread: nothing more comes of the request from the next step on.
  void cancel(int64_t id);

  // The engine's thread: hands what has come since the last call to the scheduler, in order.
  void empty_into(Scheduler& scheduler);

 private:
  const int64_t vocab_size_, pages_;
  std::mutex mutex_;
  std::vector<std::pair<int64_t, GenerateRequest>> submitted_;
  std::vector<int64_t> cancelled_;
};

}  // namespace kogrpo
