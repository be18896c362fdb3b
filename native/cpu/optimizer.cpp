// Parameter updates on the CPU: elements are independent; the sum of squares adds blocks of a fixed
// size in order.
#include <cmath>
#include <cstring>

#include "cpu/cpu_ops.h"
#include "ops/adamw.h"
#include "ops/op_checks.h"

namespace kogrpo {

namespace {

constexpr int64_t kGrain = 16384;
constexpr int64_t kSumBlock = 4096;

}  // namespace

void CpuOps::adamw(const AdamW& a) {
  check::adamw("adamw", a);
  const AdamWFactors factors = adamw_factors(a);
  pool_.run(a.n, kGrain, [&](Range elements, int) { kernels_.adamw(a, factors, elements); });
}

double CpuOps::sum_of_squares(const Tensor& a) {
  check::vector("sum_of_squares", "x", a, a.cols);
  const float* x = a.f32();
  const int64_t n = a.cols;
  const int64_t blocks = (n + kSumBlock - 1) / kSumBlock;
  std::vector<double> partial(static_cast<size_t>(blocks));
  pool_.run(blocks, kGrain / kSumBlock, [&](Range range, int) {
    for (int64_t b = range.begin; b < range.end; ++b)
      partial[size_t(b)] =
          kernels_.sum_of_squares(x, {b * kSumBlock, std::min(n, (b + 1) * kSumBlock)});
  });
  double total = 0;
  for (double p : partial) total += p;
  return total;
}

void CpuOps::scale(float* x, int64_t n, float factor) {
  check::require(n >= 0 && (n == 0 || x), "scale", "x has no data");
  pool_.run(n, kGrain, [&](Range elements, int) { kernels_.scale(x, factor, elements); });
}

void CpuOps::lerp(const Tensor& to, const Tensor& from, float alpha) {
  check::vector("lerp", "dst", to, to.cols);
  check::vector("lerp", "src", from, to.cols);
  if (alpha == 0) return;
  float* const dst = to.f32();
  const float* const src = from.f32();
  pool_.run(to.cols, kGrain, [&](Range elements, int) {
    if (alpha == 1)
      std::memcpy(dst + elements.begin, src + elements.begin,
                  size_t(elements.end - elements.begin) * sizeof(float));
    else
      kernels_.lerp(dst, src, alpha, elements);
  });
}

}  // namespace kogrpo
