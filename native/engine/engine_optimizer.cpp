// Gradients, the optimizer's step, and its meeting with other ranks.

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "engine/engine.h"
#include "ops/transfer.h"

namespace kogrpo {

Tensor Engine::gradients() {
  const Tensor all = gradients_.reserve(*device_, type_, 1, trainable_.total());
  if (gradient_state_ == Gradients::scrap) {
    zero(*device_, all);
    gradient_state_ = Gradients::zero;
  }
  return all;
}

ModelView Engine::gradient_view() {
  const Tensor all = gradients();
  return {config_, layout_, options_.lora,
          [&](const Parameter& p) {
            const std::optional<int64_t> at = trainable_.find(p);
            return at ? all.element(*at) : nullptr;
          },
          type_};
}

void Engine::zero_gradients() {
  gradient_state_ = Gradients::scrap;  // cleared before they are used again
}

Storage* Engine::lent_for_generation() {
  if (device_->memory().total == 0 || !use_.training || gradient_state_ == Gradients::sum)
    return nullptr;
  gradients_.reserve(*device_, type_, 1, trainable_.total());
  gradient_state_ = Gradients::scrap;
  return &gradients_;
}

Slice Engine::moments() const {
  return ranks_ && ranks_->sharded() ? ranks_->own() : Slice{0, trainable_.total()};
}

// Ranks are on CPUs: tensors are fp32 in the host's memory.
void Engine::gather_parameters(const std::string& label) {
  const Tensor all = parameters_.flat();
  if (const std::optional<int64_t> shift = trainable_.shift()) {
    float* run = all.f32() + *shift;
    ranks_->gather(run + ranks_->own().begin, run, label);
    return;
  }
  // The gradients have been used: their memory holds the run while it is gathered.
  const Slice mine = ranks_->own();
  const Tensor run = gradients_.view(type_, 1, trainable_.total());
  for (const Trainable::Piece& p : trainable_.pieces()) {
    const int64_t begin = std::max(p.at, mine.begin), end = std::min(p.at + p.size, mine.end);
    if (begin < end)
      ops_.lerp(run.columns(begin, end - begin),
                all.columns(p.parameter + begin - p.at, end - begin), 1.0f);
  }
  ranks_->gather(run.f32() + mine.begin, run.f32(), label);
  for (const Trainable::Piece& p : trainable_.pieces())
    ops_.lerp(all.columns(p.parameter, p.size), run.columns(p.at, p.size), 1.0f);
}

double Engine::optimizer_step(const OptimizerArguments& a, const std::string& label) {
  require_idle("optimizerStep");
  if (type_ == DType::bf16 && !use_.training)
    throw std::invalid_argument("optimizerStep: this engine was opened without training");
  const Tensor g = with_plan([&] { return gradients(); });
  if (!ranks_ && trainable_.has_parts()) trainable_.clear_frozen(ops_, g.f32());
  const double norm = ranks_ ? ranks_->norm(label) : std::sqrt(ops_.sum_of_squares(g));
  if (std::isfinite(norm)) {
    const float clip = a.max_grad_norm > 0 && norm > a.max_grad_norm
                           ? static_cast<float>(a.max_grad_norm / (norm + 1e-6))
                           : 1.0f;
    const auto update = [&](const Tensor& grad) {
      with_plan([&] { optimizer_.step(parameters_, trainable_, grad, moments(), a, clip); });
    };
    if (!ranks_) {
      update(g);
    } else if (ranks_->sharded()) {
      update(vector(const_cast<float*>(ranks_->sum()), ranks_->own().size()));
      gather_parameters(label);
    } else {
      ranks_->gather(ranks_->sum(), g.f32(), label);
      update(g);
    }
    parameters_changed(options_.lora.rank == 0);
  }
  if (ranks_) ranks_->clear();
  zero_gradients();
  return norm;
}

void Engine::join(std::unique_ptr<Communicator> communicator, Shard shard) {
  if (optimizer_.steps() != 0 || ranks_)
    throw std::invalid_argument("join: ranks meet once, before the first optimizer step");
  if (device_->memory().total > 0)
    throw std::invalid_argument("join: several ranks train on CPUs only so far, not on " +
                                device_->name());
  ranks_ = std::make_unique<DataParallel>(std::move(communicator), ops_, trainable_.total(), shard);
}

DataParallel& Engine::ranks() {
  if (!ranks_) throw std::invalid_argument("this engine has joined no ranks");
  return *ranks_;
}

void Engine::accumulate(int contributors, const std::string& label) {
  float* const gradient = gradients().f32();
  trainable_.clear_frozen(ops_, gradient);
  ranks().add(gradient, contributors, label);
  zero_gradients();
}

void Engine::reset_optimizer() {
  optimizer_.reset();
}

MemoryUse Engine::memory_use() const {
  MemoryUse use{parameters_.bytes(), static_cast<int64_t>(gradients_.bytes()), optimizer_.bytes(),
                0};
  if (ranks_) use.gradients += ranks_->bytes();
  for (const auto& [name, slot] : slots_) use.slots += slot.parameters.bytes();
  return use;
}

}  // namespace kogrpo
