// Per-head RMSNorm of q and k, then the rotation of (i, i + D/2) by the position's angle; in
// double.
#include <cmath>
#include <vector>

#include "reference/reference_ops.h"

namespace kogrpo {

namespace {

double rms_scale(const float* x, int64_t n, float eps) {
  double squares = 0;
  for (int64_t i = 0; i < n; ++i) squares += double(x[i]) * x[i];
  return 1 / std::sqrt(squares / double(n) + double(eps));
}

}  // namespace

void ReferenceOps::qk_norm_rope_forward(const QkNormRopeForward& a) {
  const int64_t dim = a.head_dim, half = dim / 2;
  for (int64_t t = 0; t < a.qkv.rows; ++t)
    for (int64_t head = 0; head < a.q_heads + a.kv_heads; ++head) {
      const float* x = a.qkv.row(t) + head * dim;
      const float* w = head < a.q_heads ? a.q_norm.f32() : a.k_norm.f32();
      const float* cos = a.cos.row(a.positions.i32()[t]);
      const float* sin = a.sin.row(a.positions.i32()[t]);
      float* out = a.out.row(t) + head * dim;
      const double rstd = rms_scale(x, dim, a.eps);
      for (int64_t i = 0; i < half; ++i) {
        const double low = x[i] * rstd * w[i], high = x[i + half] * rstd * w[i + half];
        out[i] = float(low * cos[i] - high * sin[i]);
        out[i + half] = float(high * cos[i] + low * sin[i]);
      }
    }
}

void ReferenceOps::qk_norm_rope_backward(const QkNormRopeBackward& a) {
  const int64_t dim = a.head_dim, half = dim / 2;
  std::vector<double> dq(a.dq_norm.f32(), a.dq_norm.f32() + dim);
  std::vector<double> dk(a.dk_norm.f32(), a.dk_norm.f32() + dim);
  std::vector<double> dnormed(static_cast<size_t>(dim));
  for (int64_t t = 0; t < a.qkv.rows; ++t)
    for (int64_t head = 0; head < a.q_heads + a.kv_heads; ++head) {
      const bool query = head < a.q_heads;
      const float* x = a.qkv.row(t) + head * dim;
      const float* w = query ? a.q_norm.f32() : a.k_norm.f32();
      const float* dout = a.dout.row(t) + head * dim;
      const float* cos = a.cos.row(a.positions.i32()[t]);
      const float* sin = a.sin.row(a.positions.i32()[t]);
      float* dx = a.dqkv.row(t) + head * dim;
      const double rstd = rms_scale(x, dim, a.eps);
      double dot = 0;
      for (int64_t i = 0; i < dim; ++i) {
        const int64_t pair = i % half;
        const double same = double(dout[i]) * cos[pair];
        const double other = double(dout[i < half ? i + half : i - half]) * sin[pair];
        dnormed[size_t(i)] = i < half ? same + other : same - other;
        dot += dnormed[size_t(i)] * w[i] * x[i];
        (query ? dq : dk)[size_t(i)] += dnormed[size_t(i)] * x[i] * rstd;
      }
      for (int64_t i = 0; i < dim; ++i)
        dx[i] = float(rstd * (dnormed[size_t(i)] * w[i] - x[i] * rstd * rstd * dot / double(dim)));
    }
  for (int64_t i = 0; i < dim; ++i) {
    a.dq_norm.f32()[i] = float(dq[size_t(i)]);
    a.dk_norm.f32()[i] = float(dk[size_t(i)]);
  }
}

}  // namespace kogrpo
