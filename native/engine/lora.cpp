#include "engine/lora.h"

#include "ops/transfer.h"

namespace kogrpo {

Tensor Lora::project(const LoraSite& site, int64_t begin, int64_t count, const Tensor& x,
                     DType type) {
  const Tensor u = u_.reserve(device_, type, x.rows, count);
  ops_.linear({x, site.a.row_range(begin, count), u, nullptr, false});
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

void Lora::forward(const LoraSite& site, const Tensor& x, const Tensor& y,
                   const LoraDropout& dropout) {
  if (site.targets.empty()) return;
  if (dropout.p > 0) return forward_masked(site, x, y, dropout);
  const Tensor u = project(site, 0, site.a.rows, x, y.dtype);
  int64_t at = 0;
  for (const auto& [column, b, place] : site.targets) {
    ops_.linear({u.columns(at, b.cols), b, y.columns(column, b.rows), nullptr, true});
    at += b.cols;
  }
}

void Lora::backward(const LoraSite& site, const LoraSite& gradient, const Tensor& x,
                    const Tensor& dy, const Tensor& dx, const LoraDropout& dropout) {
  if (site.targets.empty()) return;
  if (dropout.p > 0) return backward_masked(site, gradient, x, dy, dx, dropout);
  const Tensor u = project(site, 0, site.a.rows, x, dx.dtype);
  const Tensor du = du_.reserve(device_, dx.dtype, u.rows, u.cols);
  int64_t at = 0;
  for (size_t i = 0; i < site.targets.size(); ++i) {
    const auto& [column, b, place] = site.targets[i];
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

Tensor Lora::masked(const LoraSite::Target& target, const Tensor& x, const LoraDropout& dropout) {
  const Tensor out = masked_.reserve(device_, x.dtype, x.rows, x.cols);
  ops_.dropout({x, out, dropout.identities.data(), target.place, dropout.key, dropout.p, false});
  return out;
}

void Lora::forward_masked(const LoraSite& site, const Tensor& x, const Tensor& y,
                          const LoraDropout& dropout) {
  int64_t at = 0;
  for (const LoraSite::Target& target : site.targets) {
    const Tensor& b = target.b;
    const Tensor u = project(site, at, b.cols, masked(target, x, dropout), y.dtype);
    ops_.linear({u, b, y.columns(target.column, b.rows), nullptr, true});
    at += b.cols;
  }
}

void Lora::backward_masked(const LoraSite& site, const LoraSite& gradient, const Tensor& x,
                           const Tensor& dy, const Tensor& dx, const LoraDropout& dropout) {
  int64_t at = 0;
  for (size_t i = 0; i < site.targets.size(); ++i) {
    const LoraSite::Target& target = site.targets[i];
    const Tensor& b = target.b;
    const Tensor input = masked(target, x, dropout), part = dy.columns(target.column, b.rows);
    const Tensor u = project(site, at, b.cols, input, dx.dtype);
    const Tensor du = du_.reserve(device_, dx.dtype, x.rows, b.cols);
    ops_.linear_backward_input({part, b, du, false});
    if (gradient.targets[i].b.data) ops_.linear_backward_weight({part, u, gradient.targets[i].b});
    scale(du, site.scale);
    if (gradient.a.data) ops_.linear_backward_weight({du, input, gradient.a.row_range(at, b.cols)});
    // The masked input has been used: its memory holds what comes back through A.
    ops_.linear_backward_input({du, site.a.row_range(at, b.cols), input, false});
    ops_.dropout(
        {input, dx, dropout.identities.data(), target.place, dropout.key, dropout.p, true});
    at += b.cols;
  }
}

}  // namespace kogrpo
