// The likeliest ids of rows of logits on the CPU: rows are independent. A row's candidates are
// collected by lowering a threshold below its maximum until there are enough, and only they are
// sorted.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "cpu/cpu_ops.h"
#include "ops/op_checks.h"

namespace kogrpo {

void CpuOps::top_logprobs(const TopLogprobs& a) {
  check::top_logprobs(a);
  const int64_t rows = a.logits.rows, k = a.ids.cols;
  pool_.run(rows, grain(4 * a.vocab_limit), [&](Range range, int) {
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
