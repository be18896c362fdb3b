// RMSNorm and its gradients, sums in double.
#include <cmath>

#include "reference/reference_ops.h"

namespace kogrpo {

void ReferenceOps::rmsnorm_forward(const RmsNormForward& a) {
  const int64_t n = a.x.cols;
  for (int64_t t = 0; t < a.x.rows; ++t) {
    double squares = 0;
    for (int64_t c = 0; c < n; ++c) squares += double(a.x.row(t)[c]) * a.x.row(t)[c];
    const double rstd = 1 / std::sqrt(squares / double(n) + double(a.eps));
    a.rstd.f32()[t] = float(rstd);
    for (int64_t c = 0; c < n; ++c) a.y.row(t)[c] = float(a.x.row(t)[c] * rstd * a.weight.f32()[c]);
  }
}

void ReferenceOps::rmsnorm_backward(const RmsNormBackward& a) {
  const int64_t n = a.x.cols;
  for (int64_t c = 0; c < n; ++c) {
    double sum = a.dweight.f32()[c];
    for (int64_t t = 0; t < a.x.rows; ++t)
      sum += double(a.dy.row(t)[c]) * a.x.row(t)[c] * a.rstd.f32()[t];
    a.dweight.f32()[c] = float(sum);
  }
  for (int64_t t = 0; t < a.x.rows; ++t) {
    const double rstd = a.rstd.f32()[t];
    double dot = 0;
    for (int64_t c = 0; c < n; ++c)
      dot += double(a.dy.row(t)[c]) * a.weight.f32()[c] * a.x.row(t)[c];
    for (int64_t c = 0; c < n; ++c) {
      const double g = double(a.dy.row(t)[c]) * a.weight.f32()[c];
      const double dx = rstd * (g - a.x.row(t)[c] * rstd * rstd * dot / double(n));
      a.dx.row(t)[c] = float(a.accumulate ? a.dx.row(t)[c] + dx : dx);
    }
  }
}

}  // namespace kogrpo
