#pragma once
// Steps of generation that a device takes one after the other while the host is busy elsewhere:
// each row of a step is the next token of a sequence, and reads the token that the step before has
// sampled where the device keeps it, so the host learns of tokens one step late. A step's shape is
// rounded up (a bucket), its index arrays always lie at the same places of the device's memory, and
// so a device may record what a step of a bucket does and play it again.
//
// Order: submit, submit, take, submit, take, …: at most kMostUnderWay steps are under way.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "ops/ops.h"

namespace kogrpo {

// One row: the token at `position` of a sequence that lies in `pages`.
struct StepRow {
  int32_t source = -1;  // row of the step before whose token this one reads; −1: `token`
  int32_t token = 0;
  int32_t position = 0;
  std::span<const int32_t> pages;
  SamplingParams sampling;  // of the token after it
};

// The arguments of a step's operations, for as many rows as its bucket has: index arrays that are
// `resident` (ops.h). Rows beyond the step's own are padding: they write no keys and values, and
// what is sampled of them is nobody's.
struct StepArrays {
  Tensor ids, positions;                 // [1,R] i32
  RowSpans spans;                        // a row a sequence
  const int32_t* block_table = nullptr;  // [R, max_pages]
  int64_t max_pages = 0;
  Tensor tokens /*[1,R] i32*/, logprobs /*[1,R]*/;  // for Ops::sample to write
};

struct StepToken {
  int32_t token = -1;
  float logprob = 0;
};

class StepQueue {
 public:
  static constexpr int64_t kMostUnderWay = 2;
  virtual ~StepQueue() = default;

  // Rows of the bucket of a step of `rows` rows whose longest sequence has `pages` pages; 0: too
  // large to be taken.
  virtual int64_t bucket(int64_t rows, int64_t pages) const = 0;
  // Queues a step; does not wait. `body` calls the step's operations, which are the same ones on
  // the same memory whenever `identity` and the bucket are: it may be recorded instead of being
  // called again. It must not wait for the device, nor copy from or to the host.
  virtual void submit(std::span<const StepRow> rows, std::span<const uint64_t> identity,
                      const std::function<void(const StepArrays&)>& body) = 0;
  // What the oldest step under way has sampled, row by row, as Sample gives it; waits for that step
  // and no later one.
  virtual std::vector<StepToken> take() = 0;
  // Nobody wants what is under way.
  virtual void discard() noexcept = 0;
};

}  // namespace kogrpo
