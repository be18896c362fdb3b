// AdamW, sum of squares, scaling and interpolation, element by element in double.
#include <cmath>

#include "reference/reference_ops.h"

namespace kogrpo {

void ReferenceOps::adamw(const AdamW& a) {
  const double beta1 = a.beta1, beta2 = a.beta2, lr = a.lr;
  const double bias1 = 1 - std::pow(beta1, double(a.step));
  const double bias2 = 1 - std::pow(beta2, double(a.step));
  for (int64_t i = 0; i < a.n; ++i) {
    const double g = double(a.grad[i]) * a.grad_scale;
    const double m = beta1 * a.m[i] + (1 - beta1) * g;
    const double v = beta2 * a.v[i] + (1 - beta2) * g * g;
    const double p = a.param[i] * (1 - lr * double(a.weight_decay));
    a.param[i] = float(p - lr / bias1 * m / (std::sqrt(v) / std::sqrt(bias2) + double(a.eps)));
    a.m[i] = float(m);
    a.v[i] = float(v);
  }
}

double ReferenceOps::sum_of_squares(const Tensor& x) {
  double sum = 0;
  for (int64_t i = 0; i < x.cols; ++i) sum += double(x.f32()[i]) * x.f32()[i];
  return sum;
}

void ReferenceOps::scale(float* x, int64_t n, float factor) {
  for (int64_t i = 0; i < n; ++i) x[i] = float(double(x[i]) * factor);
}

void ReferenceOps::lerp(const Tensor& dst, const Tensor& src, float alpha) {
  for (int64_t i = 0; i < dst.cols; ++i)
    dst.f32()[i] = float((1.0 - alpha) * dst.f32()[i] + double(alpha) * src.f32()[i]);
}

}  // namespace kogrpo
