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

std::vector<int64_t> Optimizer::elements_per_word() const {
  const int64_t codes = kMomentBlock / words(moments_, kMomentBlock);
  std::vector<int64_t> all{codes, codes};
  if (moments_ == MomentType::eight_bit) all.insert(all.end(), 2, kMomentBlock);
  return all;
}

void Optimizer::begin(int64_t n) {
  reserve(n);
  ++steps_;
}

void Optimizer::update(ParameterStore& parameters, ParameterStore* pieces,
                       const Trainable& trainable, const Tensor& grad, const Held& held,
                       const OptimizerArguments& a, float clip) {
  for (const Trainable::Piece& p : trainable.pieces()) {
    const Slice both{std::max(p.at, held.run.begin), std::min(p.at + p.size, held.run.end)};
    const int64_t behind = both.begin - held.run.begin;
    if (both.size() > 0)
      update_piece(parameters, pieces, trainable, grad.columns(behind, both.size()), p, both,
                   held.at + behind, a, clip);
  }
}

void Optimizer::update_piece(ParameterStore& parameters, ParameterStore* pieces,
                             const Trainable& trainable, const Tensor& grad,
                             const Trainable::Piece& p, Slice run, int64_t at,
                             const OptimizerArguments& a, float clip) {
  const int64_t n = run.size(), begin = run.begin - p.at;
  ParameterStore& store = pieces ? *pieces : parameters;
  const int64_t place = pieces ? at : p.parameter + begin;
  const bool in_fp32 = parameters.type() == DType::f32;
  float decay = p.decay ? a.weight_decay : 0.0f;
  if (p.part >= 0) {
    const double factor = 1 - double(a.learning_rate) * double(decay);
    if (decay != 0)
      trainable.decay(device_, p, begin, begin + n, store.flat().columns(place, n),
                      in_fp32 ? nullptr : store.remainders(place), static_cast<float>(factor));
    decay = 0;
  }
  if (in_fp32) {
    float* const values = store.flat().f32() + place;
    device_.ops().adamw({values, grad.f32(), static_cast<float*>(m_.data()) + at,
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
  step.param = store.weights(place);
  step.remainder = store.remainders(place);
  step.grad = grad.data, step.grad_type = grad.dtype;
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
