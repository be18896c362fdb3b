#pragma once
// What a step of AdamW multiplies with, worked out once on the host in double precision.

#include <cmath>
#include <cstdint>

#include "ops/ops.h"

namespace kogrpo {

// base^exponent by repeated squaring: the same bits on every machine, unlike std::pow.
inline double power(double base, int64_t exponent) {
  double result = 1;
  for (; exponent > 0; exponent >>= 1, base *= base)
    if (exponent & 1) result *= base;
  return result;
}

// Of AdamW or MixedAdamW.
template <class Args>
AdamWFactors adamw_factors(const Args& a) {
  const double beta1 = a.beta1, beta2 = a.beta2, lr = a.lr;
  return {.decay = float(1 - lr * double(a.weight_decay)),
          .step_size = float(lr / (1 - power(beta1, a.step))),
          .sqrt_bias2 = float(std::sqrt(1 - power(beta2, a.step))),
          .beta1 = a.beta1,
          .one_minus_beta1 = float(1 - beta1),
          .beta2 = a.beta2,
          .one_minus_beta2 = float(1 - beta2),
          .eps = a.eps,
          .grad_scale = a.grad_scale};
}

}  // namespace kogrpo
