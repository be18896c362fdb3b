// Gradients, the optimizer's step, and its meeting with other ranks.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "engine/engine.h"

namespace kogrpo {
namespace {

float* zeroed(Buffer<float>& buffer, int64_t n) {
  const bool fresh = buffer.empty();
  float* p = buffer.reserve(static_cast<size_t>(n));
  if (fresh) std::memset(p, 0, static_cast<size_t>(n) * sizeof(float));
  return p;
}

}  // namespace

ModelView& Engine::gradients() {
  if (!gradient_view_) {
    zeroed(gradients_, trainable_.total());
    gradient_view_.emplace(config_, layout_, options_.lora, [this](const Parameter& p) {
      const std::optional<int64_t> at = trainable_.find(p);
      return at ? gradients_.data() + *at : nullptr;
    });
  }
  return *gradient_view_;
}

void Engine::zero_gradients() {
  if (gradients_.empty()) return;
  std::memset(gradients_.data(), 0, static_cast<size_t>(trainable_.total()) * sizeof(float));
}

Slice Engine::moments() const {
  return ranks_ && ranks_->sharded() ? ranks_->own() : Slice{0, trainable_.total()};
}

void Engine::update(const OptimizerArguments& a, const float* grad, float clip) {
  const Slice mine = moments();
  zeroed(m_, mine.size());
  zeroed(v_, mine.size());
  ++step_;
  for (const Trainable::Piece& p : trainable_.pieces()) {
    const int64_t begin = std::max(p.at, mine.begin), end = std::min(p.at + p.size, mine.end);
    const int64_t at = begin - mine.begin, n = end - begin;
    if (n <= 0) continue;
    float* values = parameters_.data() + p.parameter + begin - p.at;
    float decay = p.decay ? a.weight_decay : 0.0f;
    if (p.part >= 0 && decay != 0) {
      const double factor = 1 - double(a.learning_rate) * double(decay);
      trainable_.decay(ops_, p, begin - p.at, end - p.at, values, static_cast<float>(factor));
    }
    if (p.part >= 0) decay = 0;
    ops_.adamw({values, grad + at, m_.data() + at, v_.data() + at, n, a.learning_rate, a.beta1,
                a.beta2, a.epsilon, decay, clip, step_});
  }
}

void Engine::gather_parameters(const std::string& label) {
  if (const std::optional<int64_t> shift = trainable_.shift()) {
    float* run = parameters_.data() + *shift;
    ranks_->gather(run + ranks_->own().begin, run, label);
    return;
  }
  // The gradients have been used: their memory holds the run while it is gathered.
  const Slice mine = ranks_->own();
  float* run = gradients_.data();
  for (const Trainable::Piece& p : trainable_.pieces()) {
    const int64_t begin = std::max(p.at, mine.begin), end = std::min(p.at + p.size, mine.end);
    if (begin < end)
      ops_.lerp(run + begin, parameters_.data() + p.parameter + begin - p.at, end - begin, 1.0f);
  }
  ranks_->gather(run + mine.begin, run, label);
  for (const Trainable::Piece& p : trainable_.pieces())
    ops_.lerp(parameters_.data() + p.parameter, run + p.at, p.size, 1.0f);
}

double Engine::optimizer_step(const OptimizerArguments& a, const std::string& label) {
  require_idle("optimizerStep");
  gradients();
  if (!ranks_) trainable_.clear_frozen(ops_, gradients_.data());
  const double norm = ranks_
                          ? ranks_->norm(label)
                          : std::sqrt(ops_.sum_of_squares(gradients_.data(), trainable_.total()));
  if (std::isfinite(norm)) {
    const float clip = a.max_grad_norm > 0 && norm > a.max_grad_norm
                           ? static_cast<float>(a.max_grad_norm / (norm + 1e-6))
                           : 1.0f;
    if (!ranks_) {
      update(a, gradients_.data(), clip);
    } else if (ranks_->sharded()) {
      update(a, ranks_->sum(), clip);
      gather_parameters(label);
    } else {
      ranks_->gather(ranks_->sum(), gradients_.data(), label);
      update(a, gradients_.data(), clip);
    }
    parameters_changed(options_.lora.rank == 0);
  }
  if (ranks_) ranks_->clear();
  zero_gradients();
  return norm;
}

void Engine::join(std::unique_ptr<Communicator> communicator, Shard shard) {
  if (step_ != 0 || ranks_)
    throw std::invalid_argument("join: ranks meet once, before the first optimizer step");
  ranks_ = std::make_unique<DataParallel>(std::move(communicator), ops_, trainable_.total(), shard);
}

DataParallel& Engine::ranks() {
  if (!ranks_) throw std::invalid_argument("this engine has joined no ranks");
  return *ranks_;
}

void Engine::accumulate(int contributors, const std::string& label) {
  gradients();
  trainable_.clear_frozen(ops_, gradients_.data());
  ranks().add(gradients_.data(), contributors, label);
  zero_gradients();
}

void Engine::reset_optimizer() {
  m_.release();
  v_.release();
  step_ = 0;
}

MemoryUse Engine::memory_use() const {
  const auto bytes = [](const Buffer<float>& b) {
    return static_cast<int64_t>(b.size() * sizeof(float));
  };
  MemoryUse use{bytes(parameters_), bytes(gradients_), bytes(m_) + bytes(v_), 0};
  if (ranks_) use.gradients += ranks_->bytes();
  for (const auto& [name, slot] : slots_) use.slots += bytes(slot.parameters);
  return use;
}

}  // namespace kogrpo
