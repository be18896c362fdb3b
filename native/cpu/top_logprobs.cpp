// The likeliest ids of rows of logits on the CPU: rows are independent. A row's candidates are
// collected by lowering a threshold below its maximum until there are enough, and only they are
// sorted.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "cpu/check.h"
#include "cpu/cpu_ops.h"

namespace kogrpo {

void CpuOps::top_logprobs(const TopLogprobs& a) {
  const char* op = "top_logprobs";
  const int64_t rows = a.logits.rows, k = a.ids.cols;
  check::matrix(op, "logits", a.logits, rows, a.logits.cols);
  check::require(a.vocab_limit > 0 && a.vocab_limit <= a.logits.cols, op,
                 "vocab_limit = " + std::to_string(a.vocab_limit) + ", must be in [1, " +
                     std::to_string(a.logits.cols) + "]");
  check::require(k >= 1 && k <= a.vocab_limit, op,
                 std::to_string(k) + " ids a row are wanted, must be in [1, vocab_limit]");
  check::matrix(op, "ids", a.ids, rows, k, DType::i32);
  check::matrix(op, "logprobs", a.logprobs, rows, k);

  pool_.run(rows, check::grain(4 * a.vocab_limit), [&](Range range, int) {
    std::vector<int32_t> ids(static_cast<size_t>(a.vocab_limit));
    for (int64_t r = range.begin; r < range.end; ++r) {
      const float* logits = a.logits.row(r);
      const SoftmaxSums sums = kernels_.softmax_sums(logits, a.vocab_limit, 1.0f);
      if (std::isnan(sums.weighted))
        throw std::runtime_error("top_logprobs: row " + std::to_string(r) +
                                 ": logits hold NaN or infinity");
      constexpr float kInfinity = std::numeric_limits<float>::infinity();
      int64_t count = 0;
      for (float depth = 4; count < k; depth *= 2)
        count = kernels_.ids_between(logits, a.vocab_limit, 1.0f,
                                     depth > 1024 ? -kInfinity : sums.max - depth, kInfinity,
                                     ids.data());
      std::partial_sort(ids.begin(), ids.begin() + k, ids.begin() + count,
                        [&](int32_t x, int32_t y) {
                          return logits[x] != logits[y] ? logits[x] > logits[y] : x < y;
                        });
      const float log_sum = kernels_.logarithm(float(sums.sum));
      for (int64_t i = 0; i < k; ++i) {
        const int32_t id = ids[static_cast<size_t>(i)];
        a.ids.i32()[r * a.ids.stride + i] = id;
        a.logprobs.row(r)[i] = (logits[id] - sums.max) - log_sum;
      }
    }
  });
}

}  // namespace kogrpo
