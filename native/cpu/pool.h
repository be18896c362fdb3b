#pragma once
// A persistent pool of threads for fork-join loops. Workers spin briefly between loops (a training
// step is thousands of them), then sleep. The body's first exception is carried to the caller; the
// ranges not yet begun are then dropped.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>

#include "cpu/kernels.h"
#include "ops/device.h"

namespace kogrpo {

class Pool {
 public:
  // 1 to kMostThreads threads, the caller's included; throws std::invalid_argument otherwise.
  explicit Pool(int threads);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int threads() const;

  // Calls body(range, worker) for disjoint ranges that cover [0, n), worker < threads(). Ranges
  // start at multiples of `grain`. Which worker gets which range is not fixed: results must not
  // depend on it. One caller at a time; a call from inside a body throws std::logic_error.
  void run(int64_t n, int64_t grain, const std::function<void(Range, int worker)>& body);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Items per parallel range when an item costs `work` element steps: a range is worth some ten
// microseconds, so that small inputs run on the caller's thread.
inline int64_t grain(int64_t work) {
  return std::max<int64_t>(1, 32768 / std::max<int64_t>(1, work));
}

// Threads for `processors` of them.
inline int threads_for(int processors) {
  return std::clamp(processors, 1, kMostThreads);
}

// For the processors this process may run on (its affinity mask, which container limits on cpusets
// set too).
int default_threads();

}  // namespace kogrpo
