#include "engine/lora.h"

namespace kogrpo {

Tensor Lora::project(const LoraSite& site, const Tensor& x) {
  const int64_t width = site.a.rows;
  const Tensor u = matrix(u_.reserve(static_cast<size_t>(x.rows * width)), x.rows, width);
  ops_.linear({x, site.a, u, nullptr, false});
  ops_.scale(u.f32(), u.size(), site.scale);
  return u;
}

void Lora::forward(const LoraSite& site, const Tensor& x, const Tensor& y) {
  if (site.targets.empty()) return;
  const Tensor u = project(site, x);
  int64_t at = 0;
  for (const auto& [column, b] : site.targets) {
    ops_.linear({u.columns(at, b.cols), b, y.columns(column, b.rows), nullptr, true});
    at += b.cols;
  }
}

void Lora::backward(const LoraSite& site, const LoraSite& gradient, const Tensor& x,
                    const Tensor& dy, const Tensor& dx) {
  if (site.targets.empty()) return;
  const Tensor u = project(site, x);
  const Tensor du = matrix(du_.reserve(static_cast<size_t>(u.size())), u.rows, u.cols);
  int64_t at = 0;
  for (size_t i = 0; i < site.targets.size(); ++i) {
    const auto& [column, b] = site.targets[i];
    const Tensor part = dy.columns(column, b.rows);
    ops_.linear_backward_input({part, b, du.columns(at, b.cols), false});
    if (gradient.targets[i].b.data)
      ops_.linear_backward_weight({part, u.columns(at, b.cols), gradient.targets[i].b});
    at += b.cols;
  }
  ops_.scale(du.f32(), du.size(), site.scale);
  if (gradient.a.data) ops_.linear_backward_weight({du, x, gradient.a});
  ops_.linear_backward_input({du, site.a, dx, true});
}

}  // namespace kogrpo
