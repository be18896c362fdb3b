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
    zeroed(gradients_, layout_.total());
    gradient_view_.emplace(config_, layout_, gradients_.data());
  }
  return *gradient_view_;
}

void Engine::zero_gradients() {
  if (gradients_.empty()) return;
  std::memset(gradients_.data(), 0, static_cast<size_t>(layout_.total()) * sizeof(float));
}

Slice Engine::moments() const {
  return ranks_ && ranks_->sharded() ? ranks_->own() : Slice{0, layout_.total()};
}

void Engine::update(const OptimizerArguments& a, const float* grad, float clip) {
  const Slice mine = moments();
  zeroed(m_, mine.size());
  zeroed(v_, mine.size());
  ++step_;
  const std::vector<Parameter>& all = layout_.all();
  for (size_t first = 0; first < all.size();) {
    size_t end = first + 1;
    while (end < all.size() && all[end].decay == all[first].decay) ++end;
    const int64_t begin = std::max(all[first].offset, mine.begin);
    const int64_t n = std::min(all[end - 1].offset + all[end - 1].size(), mine.end) - begin;
    const int64_t at = begin - mine.begin;
    if (n > 0)
      ops_.adamw({parameters_.data() + begin, grad + at, m_.data() + at, v_.data() + at, n,
                  a.learning_rate, a.beta1, a.beta2, a.epsilon,
                  all[first].decay ? a.weight_decay : 0.0f, clip, step_});
    first = end;
  }
}

double Engine::optimizer_step(const OptimizerArguments& a, const std::string& label) {
  require_idle("optimizerStep");
  gradients();
  const double norm = ranks_ ? ranks_->norm(label)
                             : std::sqrt(ops_.sum_of_squares(gradients_.data(), layout_.total()));
  if (std::isfinite(norm)) {
    const float clip = a.max_grad_norm > 0 && norm > a.max_grad_norm
                           ? static_cast<float>(a.max_grad_norm / (norm + 1e-6))
                           : 1.0f;
    if (!ranks_) {
      update(a, gradients_.data(), clip);
    } else if (ranks_->sharded()) {
      update(a, ranks_->sum(), clip);
      ranks_->gather(parameters_.data() + ranks_->own().begin, parameters_.data(), label);
    } else {
      ranks_->gather(ranks_->sum(), gradients_.data(), label);
      update(a, gradients_.data(), clip);
    }
    parameters_changed();
  }
  if (ranks_) ranks_->clear();
  zero_gradients();
  return norm;
}

void Engine::join(std::unique_ptr<Communicator> communicator, Shard shard) {
  if (step_ != 0 || ranks_)
    throw std::invalid_argument("join: ranks meet once, before the first optimizer step");
  ranks_ = std::make_unique<DataParallel>(std::move(communicator), ops_, layout_.total(), shard);
}

DataParallel& Engine::ranks() {
  if (!ranks_) throw std::invalid_argument("this engine has joined no ranks");
  return *ranks_;
}

void Engine::accumulate(int contributors, const std::string& label) {
  gradients();
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
