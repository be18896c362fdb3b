// Gradients, the optimizer's step, and its meeting with other ranks.

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "engine/engine.h"
#include "ops/transfer.h"

namespace kogrpo {

bool Engine::gradients_in_turns() const {
  return ranks_ && ranks_->shard() >= Shard::gradients;
}

int64_t Engine::gradient_at(size_t unit) const {
  const Unit& u = ranks_->partition().units()[unit];
  return gradients_in_turns() ? gradient_rooms_.at[unit] : u.run.begin;
}

Tensor Engine::gradients() {
  const bool in_turns = gradients_in_turns();
  const Tensor all =
      gradients_.reserve(*device_, type_, 1, in_turns ? gradient_rooms_.size : trainable_.total());
  if (!in_turns && gradient_state_ == Gradients::scrap) {
    zero(*device_, all);
    gradient_state_ = Gradients::zero;
  }
  return all;
}

ModelView Engine::gradient_view() {
  const Tensor all = gradients();
  const auto place = [&](int64_t at) {
    if (!gradients_in_turns()) return at;
    const std::vector<Unit>& units = ranks_->partition().units();
    size_t u = 0;
    while (units[u].run.end <= at) ++u;
    return gradient_rooms_.at[u] + at - units[u].run.begin;
  };
  const auto locate = [&](const Parameter& p) {
    const std::optional<int64_t> at = trainable_.find(p);
    return at ? all.element(place(*at)) : nullptr;
  };
  return {config_, layout_, options_.lora, locate, type_, options_.precision};
}

void Engine::require_turn() const {
  if (ranks_ && !ranks_->in_turn())
    throw std::invalid_argument(
        "backward: among ranks a gradient outside of turns would be in nobody's sum: begin a turn "
        "first");
}

BlockHooks Engine::gradient_hooks() {
  require_turn();
  if (!ranks_ || !ranks_->in_turn()) return {};
  return {[this](int64_t block) {
            if (weights_in_pieces() && block > 0) begin_weights(block, block - 1);
            begin_gradient(block);
          },
          [this](int64_t block) { send_gradient(block); }};
}

// Rooms: of the layers with an even number, of the others, and of the outer blocks.
size_t Engine::room_of(int64_t block) const {
  return block == 0 || block + 1 == layout_.blocks() ? 2 : static_cast<size_t>(block % 2);
}

void Engine::begin_backward(const BlockHooks& hooks) {
  if (!hooks.before) return;
  if (policy_.head.data == policy_.embed.data) hooks.before(0);
  hooks.before(layout_.blocks() - 1);
}

void Engine::begin_gradient(int64_t block) {
  uint8_t& begun = block_begun_[static_cast<size_t>(block)];
  if (!gradients_in_turns() || begun || !ranks_->contributes()) return;
  begun = 1;
  ranks_->wait(gradient_sent_[room_of(block)]);
  const std::vector<Unit>& units = ranks_->partition().units();
  const Tensor room = gradients_.view(type_, 1, gradient_rooms_.size);
  for (size_t u = 0; u < units.size(); ++u)
    if (units[u].block == block)
      zero(*device_, room.columns(gradient_rooms_.at[u], units[u].run.size()));
}

void Engine::send_gradient(int64_t block) {
  const std::vector<Unit>& units = ranks_->partition().units();
  for (size_t u = 0; u < units.size(); ++u) {
    if (units[u].block != block) continue;
    void* const gradient = gradients_.view(type_, 1, 1).element(gradient_at(u));
    if (ranks_->contributes() && trainable_.has_parts())
      trainable_.clear_frozen(*device_, units[u].run,
                              matrix(gradient, type_, 1, units[u].run.size()));
    gradient_sent_[room_of(block)] =
        ranks_->exchange(u, ranks_->contributes() ? gradient : nullptr);
  }
}

void Engine::zero_gradients() {
  if (ranks_) ranks_->clear();
  gradient_state_ = Gradients::scrap;  // cleared before they are used again
}

Storage* Engine::lent_for_generation() {
  if (device_->memory().total == 0 || !use_.training || gradient_state_ == Gradients::sum)
    return nullptr;
  gradients_.reserve(*device_, type_, 1,
                     gradients_in_turns() ? gradient_rooms_.size : trainable_.total());
  gradient_state_ = Gradients::scrap;
  return &gradients_;
}

std::vector<Held> Engine::moments() const {
  if (ranks_ && ranks_->sharded()) return ranks_->own();
  return {{{0, trainable_.total()}, 0}};
}

int64_t Engine::moment_count() const {
  return ranks_ && ranks_->sharded() ? ranks_->held() : trainable_.total();
}

// Weights, and what bf16 ones lack of the master.
void Engine::gather_parameters(const std::string& label) {
  const std::optional<int64_t> shift = trainable_.shift();
  const int64_t first = trainable_.pieces().front().parameter;
  const std::vector<Unit>& units = ranks_->partition().units();
  const auto gather = [&](const std::function<Tensor(int64_t parameter, int64_t n)>& values) {
    for (size_t u = 0; u < units.size(); ++u) {
      const Slice run = units[u].run, mine = ranks_->own()[u].run;
      if (shift) {
        const Tensor unit = values(*shift + run.begin, run.size());
        ranks_->gather(ranks_->partition(), u, unit.columns(mine.begin - run.begin, mine.size()),
                       unit, label);
        continue;
      }
      // The gradients have been used: their memory holds the unit while it is gathered.
      const Tensor unit = gradients_.view(type_, 1, 1).columns(gradient_at(u), run.size());
      const auto move = [&](Slice part, bool out) {
        trainable_.each_in(part, [&](int64_t at, int64_t parameter, int64_t n) {
          const Tensor here = unit.columns(at - run.begin, n), there = values(parameter, n);
          copy(*device_, out ? here : there, out ? there : here);
        });
      };
      move(mine, false);
      ranks_->gather(ranks_->partition(), u, unit.columns(mine.begin - run.begin, mine.size()),
                     unit, label);
      move(run, true);
    }
  };
  gather([&](int64_t at, int64_t n) { return parameters_.flat().columns(at, n); });
  if (parameters_.remainders(first))
    gather([&](int64_t at, int64_t n) { return parameters_.rest(at, n); });
}

// The gradient lies as its device has it, or among ranks as their fp32 sum: of the own pieces, or
// (not sharded) unit by unit from all.
void Engine::update_parameters(const OptimizerArguments& a, float clip, const std::string& label) {
  ParameterStore* const pieces = weights_in_pieces() ? &pieces_ : nullptr;
  const auto update = [&](const Tensor& grad, const Held& held) {
    optimizer_.update(parameters_, pieces, trainable_, grad, held, a, clip);
  };
  optimizer_.begin(moment_count());
  if (!ranks_) return update(gradients(), {{0, trainable_.total()}, 0});
  const Tensor sum = ranks_->sum();
  const std::vector<Unit>& units = ranks_->partition().units();
  for (size_t u = 0; u < units.size(); ++u) {
    const Held& mine = ranks_->own()[u];
    const Tensor own = sum.columns(mine.at, mine.run.size());
    if (ranks_->sharded()) {
      update(own, mine);
      continue;
    }
    const Slice run = units[u].run;
    const Tensor whole = gradients_.reserve(*device_, DType::f32, 1, run.size());
    ranks_->gather(ranks_->partition(), u, own, whole, label);
    update(whole, {run, run.begin});
  }
  if (ranks_->sharded() && !pieces) gather_parameters(label);
}

double Engine::optimizer_step(const OptimizerArguments& a, const std::string& label) {
  require_idle("optimizerStep");
  if (type_ == DType::bf16 && !use_.training)
    throw std::invalid_argument("optimizerStep: this engine was opened without training");
  if (ranks_) ranks_->require_no_turn("optimizerStep");
  const Tensor g = with_plan([&] { return gradients(); });
  if (!ranks_ && trainable_.has_parts())
    trainable_.clear_frozen(*device_, {0, trainable_.total()}, g);
  const double norm = ranks_ ? ranks_->norm(label) : std::sqrt(ops_.sum_of_squares(g));
  if (std::isfinite(norm)) {
    const float clip = a.max_grad_norm > 0 && norm > a.max_grad_norm
                           ? static_cast<float>(a.max_grad_norm / (norm + 1e-6))
                           : 1.0f;
    with_plan([&] { update_parameters(a, clip, label); });
    drop_weights();
    forget_rooms();
    parameters_changed(options_.lora.rank == 0);
  }
  zero_gradients();
  return norm;
}

void Engine::join(std::unique_ptr<Communicator> communicator, Shard shard) {
  if (optimizer_.steps() != 0 || ranks_)
    throw std::invalid_argument("join: ranks meet once, before the first optimizer step");
  const int size = communicator->size();
  ranks_ = std::make_unique<DataParallel>(
      std::move(communicator), *device_, type_,
      Partition(trainable_.units(layout_), size, layout_.alignment()), shard);
  gradients_.release();
  gradient_state_ = Gradients::scrap;
  divide();
}

void Engine::divide() {
  const bool tied = policy_.head.data == policy_.embed.data;
  const int size = ranks_->size();
  frozen_ = weights_in_pieces() ? trainable_.rest(layout_) : Trainable();
  ranks_->resize(Partition(trainable_.units(layout_), size, layout_.alignment()),
                 Partition(frozen_.units(layout_), size, layout_.alignment()));
  gradient_rooms_ = Rooms::in_turns(ranks_->partition().units(), layout_.blocks(), tied);
  if (weights_in_pieces()) cut_weights();
}

DataParallel& Engine::ranks() {
  if (!ranks_) throw std::invalid_argument("this engine has joined no ranks");
  return *ranks_;
}

void Engine::begin_turn(int contributors, const std::string& label) {
  ranks().require_no_turn("beginTurn");
  drop_weights();
  ranks().begin_turn(contributors, label);
  block_begun_.assign(static_cast<size_t>(layout_.blocks()), 0);
  gradient_sent_ = {};
  gradient_state_ = Gradients::scrap;
}

void Engine::accumulate() {
  if (weights_in_pieces() && ranks_->in_turn() && !ranks_->contributes()) idle_turn();
  ranks().end_turn();
  gradient_state_ = Gradients::scrap;
}

void Engine::reset_optimizer() {
  optimizer_.reset();
}

MemoryUse Engine::memory_use() const {
  MemoryUse use{parameters_.bytes(), static_cast<int64_t>(gradients_.bytes()), optimizer_.bytes(),
                0};
  if (integers_) use.parameters += integers_->bytes();
  if (ranks_) use.gradients += ranks_->bytes();
  use.parameters +=
      pieces_.bytes() + frozen_pieces_.bytes() + static_cast<int64_t>(weight_rooms_.bytes());
  for (const auto& [name, slot] : slots_)
    use.slots += slot.parameters.bytes() + slot.pieces.bytes();
  use.most_gathered = most_gathered_;
  return use;
}

}  // namespace kogrpo
