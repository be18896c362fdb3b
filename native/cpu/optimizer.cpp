// Parameter updates on the CPU: elements are independent; the sum of squares adds blocks of a fixed
// size in order.
#include <cmath>
#include <cstring>

#include "cpu/check.h"
#include "cpu/cpu_ops.h"

namespace kogrpo {

namespace {

constexpr int64_t kGrain = 16384;
constexpr int64_t kSumBlock = 4096;

// base^exponent by repeated squaring: the same bits on every machine, unlike std::pow.
double power(double base, int64_t exponent) {
  double result = 1;
  for (; exponent > 0; exponent >>= 1, base *= base)
    if (exponent & 1) result *= base;
  return result;
}

}  // namespace

void CpuOps::adamw(const AdamW& a) {
  const char* op = "adamw";
  check::require(a.n >= 0, op, "n = " + std::to_string(a.n) + ", must not be negative");
  check::require(a.n == 0 || (a.param && a.grad && a.m && a.v), op,
                 "param, grad, m and v must have data");
  check::require(a.step >= 1, op, "step = " + std::to_string(a.step) + ", steps count from 1");
  check::require(a.beta1 >= 0 && a.beta1 < 1, op,
                 "beta1 = " + std::to_string(a.beta1) + ", must be in [0, 1)");
  check::require(a.beta2 >= 0 && a.beta2 < 1, op,
                 "beta2 = " + std::to_string(a.beta2) + ", must be in [0, 1)");
  const double beta1 = a.beta1, beta2 = a.beta2, lr = a.lr;
  const AdamWFactors factors = {
      .decay = float(1 - lr * double(a.weight_decay)),
      .step_size = float(lr / (1 - power(beta1, a.step))),
      .sqrt_bias2 = float(std::sqrt(1 - power(beta2, a.step))),
      .one_minus_beta1 = float(1 - beta1),
      .one_minus_beta2 = float(1 - beta2),
  };
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
