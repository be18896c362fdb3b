#include "engine/lora.h"

#include "ops/transfer.h"

namespace kogrpo {

Tensor Lora::project(const LoraSite& site, const Tensor& x) {
  const int64_t width = site.a.rows;
  const Tensor u = u_.reserve(device_, x.dtype, x.rows, width);
  ops_.linear({x, site.a, u, nullptr, false});
  scale(u, site.scale);
  return u;
}

void Lora::scale(const Tensor& x, float s) {
  if (static_cast<int64_t>(scales_.size()) < x.cols || scales_.front() != s) {
    scales_.assign(static_cast<size_t>(x.cols), s);
    to_device(device_, scales_.data(), factors_.reserve(device_, DType::f32, 1, x.cols));
  }
  ops_.scale_columns({x, factors_.view(DType::f32, 1, x.cols)});
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
  const Tensor du = du_.reserve(device_, x.dtype, u.rows, u.cols);
  int64_t at = 0;
  for (size_t i = 0; i < site.targets.size(); ++i) {
    const auto& [column, b] = site.targets[i];
    const Tensor part = dy.columns(column, b.rows);
    ops_.linear_backward_input({part, b, du.columns(at, b.cols), false});
    if (gradient.targets[i].b.data)
      ops_.linear_backward_weight({part, u.columns(at, b.cols), gradient.targets[i].b});
    at += b.cols;
  }
  scale(du, site.scale);
  if (gradient.a.data) ops_.linear_backward_weight({du, x, gradient.a});
  ops_.linear_backward_input({du, site.a, dx, true});
}

}  // namespace kogrpo
