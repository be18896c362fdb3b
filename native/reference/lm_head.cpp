// Log-softmax of logits·inv_temperature over ids < vocab_limit and its gradient, in double.
#include <algorithm>
#include <cmath>

#include "reference/reference_ops.h"

namespace kogrpo {

void ReferenceOps::logits_forward(const LogitsForward& a) {
  for (int64_t r = 0; r < a.logits.rows; ++r) {
    const auto z = [&](int64_t i) { return double(a.logits.row(r)[i]) * a.inv_temperature; };
    double top = z(0);
    for (int64_t i = 1; i < a.vocab_limit; ++i) top = std::max(top, z(i));
    double sum = 0, weighted = 0;
    for (int64_t i = 0; i < a.vocab_limit; ++i) {
      sum += std::exp(z(i) - top);
      weighted += std::exp(z(i) - top) * (z(i) - top);
    }
    const int32_t target = a.targets.i32()[r];
    a.lse.f32()[r] = float(top + std::log(sum));
    a.entropy.f32()[r] = float(std::log(sum) - weighted / sum);
    a.logprob.f32()[r] = target < 0 ? 0.0f : float(z(target) - top - std::log(sum));
    if (a.correct.data) a.correct.f32()[r] = target >= 0 && z(target) == top ? 1.0f : 0.0f;
  }
}

Tensor ReferenceOps::logits_backward(const LogitsBackward& a) {
  for (int64_t r = 0; r < a.logits.rows; ++r) {
    float* logits = a.logits.row(r);
    const int32_t target = a.targets.i32()[r];
    const double c = target < 0 ? 0.0 : a.coef_logprob.f32()[r];
    const double e = target < 0 || !a.coef_entropy.data ? 0.0 : a.coef_entropy.f32()[r];
    for (int64_t i = 0; i < a.logits.cols; ++i) {
      if (i >= a.vocab_limit) {
        logits[i] = 0;
        continue;
      }
      const double log_p = double(logits[i]) * a.inv_temperature - a.lse.f32()[r];
      const double p = std::exp(log_p);
      logits[i] = float(a.inv_temperature * (c * ((i == target ? 1.0 : 0.0) - p) -
                                             e * p * (log_p + a.entropy.f32()[r])));
    }
  }
  return a.logits;
}

void ReferenceOps::scale_columns(const ScaleColumns& a) {
  for (int64_t r = 0; r < a.x.rows; ++r)
    for (int64_t i = 0; i < a.x.cols; ++i)
      a.x.row(r)[i] = float(double(a.x.row(r)[i]) * double(a.scale.f32()[i]));
}

}  // namespace kogrpo
