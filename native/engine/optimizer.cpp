#include "engine/optimizer.h"

#include <algorithm>

#include "ops/transfer.h"

namespace kogrpo {
namespace {

int64_t words(MomentType type, int64_t n) {
  return type == MomentType::f32 ? n : type == MomentType::bf16 ? n / 2 : n / 4;
}

}  // namespace

Optimizer::Optimizer(Device& device, DType type, MomentType moments)
    : device_(device), moments_(type == DType::bf16 ? moments : MomentType::f32) {}

void Optimizer::reserve(int64_t n) {
  if (!m_.empty()) return;
  for (Storage* moment : {&m_, &v_})
    zero(device_,
         moment->reserve(device_, DType::f32, 1, std::max<int64_t>(words(moments_, n), 1)));
  if (moments_ == MomentType::eight_bit)
    for (Storage* scale : {&m_scale_, &v_scale_})
      zero(device_, scale->reserve(device_, DType::f32, 1, n / kMomentBlock));
}

std::vector<Tensor> Optimizer::arrays(int64_t n) const {
  std::vector<Tensor> all;
  for (const Storage* moment : {&m_, &v_})
    all.push_back(moment->view(DType::f32, 1, words(moments_, n)));
  if (moments_ == MomentType::eight_bit)
    for (const Storage* scale : {&m_scale_, &v_scale_})
      all.push_back(scale->view(DType::f32, 1, n / kMomentBlock));
  return all;
}

void Optimizer::step(ParameterStore& parameters, float* pieces, const Trainable& trainable,
                     const Tensor& grad, std::span<const Held> mine, const OptimizerArguments& a,
                     float clip) {
  int64_t n = 0;
  for (const Held& held : mine) n += held.run.size();
  reserve(n);
  ++steps_;
  for (const Held& held : mine)
    for (const Trainable::Piece& p : trainable.pieces()) {
      const Slice both{std::max(p.at, held.run.begin), std::min(p.at + p.size, held.run.end)};
      if (both.size() > 0)
        update(parameters, pieces, trainable, grad, p, both, held.at + both.begin - held.run.begin,
               a, clip);
    }
}

void Optimizer::update(ParameterStore& parameters, float* pieces, const Trainable& trainable,
                       const Tensor& grad, const Trainable::Piece& p, Slice run, int64_t at,
                       const OptimizerArguments& a, float clip) {
  const int64_t n = run.size(), begin = run.begin - p.at, place = p.parameter + begin;
  float decay = p.decay ? a.weight_decay : 0.0f;
  if (parameters.type() == DType::f32) {
    float* const values = pieces ? pieces + at : parameters.flat().f32() + place;
    if (p.part >= 0 && decay != 0) {
      const double factor = 1 - double(a.learning_rate) * double(decay);
      trainable.decay(device_.ops(), p, begin, begin + n, values, static_cast<float>(factor));
    }
    if (p.part >= 0) decay = 0;
    device_.ops().adamw({values, grad.f32() + at, static_cast<float*>(m_.data()) + at,
                         static_cast<float*>(v_.data()) + at, n, a.learning_rate, a.beta1, a.beta2,
                         a.epsilon, decay, clip, steps_});
    return;
  }
  const auto moment = [&](const Storage& s) {
    return static_cast<char*>(s.data()) + words(moments_, at) * 4;
  };
  const auto scale = [&](const Storage& s) {
    return s.empty() ? nullptr : static_cast<float*>(s.data()) + at / kMomentBlock;
  };
  MixedAdamW step;
  step.param = parameters.weights(place);
  step.remainder = parameters.remainders(place);
  step.grad = static_cast<const bf16*>(grad.element(at));
  step.moments = moments_;
  step.m = moment(m_), step.v = moment(v_);
  step.m_scale = scale(m_scale_), step.v_scale = scale(v_scale_);
  // Up to seven elements between parameters are moved along: they are 0 and stay 0.
  step.n = (n + 7) / 8 * 8, step.first = run.begin;
  step.lr = a.learning_rate, step.beta1 = a.beta1, step.beta2 = a.beta2, step.eps = a.epsilon;
  step.weight_decay = decay, step.grad_scale = clip, step.step = steps_;
  device_.ops().mixed_adamw(step);
}

void Optimizer::reset() {
  for (Storage* s : {&m_, &v_, &m_scale_, &v_scale_}) s->release();
  steps_ = 0;
}

int64_t Optimizer::bytes() const {
  return static_cast<int64_t>(m_.bytes() + v_.bytes() + m_scale_.bytes() + v_scale_.bytes());
}

}  // namespace kogrpo
