// The engine's parameters: making, reading, writing and loading them, and the slots that follow
// them. Of weights in pieces a rank makes and loads its own; saving is engine_save.cpp.

#include <algorithm>
#include <stdexcept>

#include "engine/engine.h"
#include "engine/tensor_file.h"
#include "ops/transfer.h"

namespace kogrpo {

void Engine::initialize(const InitOptions& options, bool adapters) {
  require_idle("initialize");
  for (const Parameter& p : layout_.all()) {
    if (p.adapter != adapters) continue;
    constexpr int64_t kBlock = 4096;
    fill(p, [&](float* out, int64_t at, int64_t count) {
      device_->host_parallel(count, kBlock, [&](int64_t begin, int64_t end) {
        kogrpo::initialize(p, options, out - at, at + begin, at + end);
      });
    });
  }
  parameters_changed();
}

void Engine::fill(const Parameter& p, const std::function<void(float*, int64_t, int64_t)>& make) {
  if (p.integers) return integers_->fill(p, make);
  if (!weights_in_pieces() || parameters_.there())
    return parameters_.fill(p.offset, p.size(), make);
  for (const HeldWeights& mine : held_weights()) {
    const int64_t begin = std::max(mine.parameters.begin, p.offset),
                  end = std::min(mine.parameters.end, p.offset + p.size());
    if (begin < end)
      mine.pieces->fill(
          mine.at + begin - mine.parameters.begin, end - begin,
          [&](float* out, int64_t at, int64_t count) { make(out, begin - p.offset + at, count); });
  }
}

const Parameter& Engine::find_in_full(const std::string& name) const {
  const Parameter& p = layout_.find(name);
  if (p.integers)
    throw std::invalid_argument("'" + name +
                                "' is kept as 8-bit integers: adapters alone are saved");
  return p;
}

void Engine::load_parameter(const std::string& name, const std::string& path, int64_t offset,
                            DType dtype) {
  require_idle("loadParameters");
  const Parameter& p = layout_.find(name);
  const auto size = static_cast<int64_t>(size_of(dtype));
  fill(p, [&](float* out, int64_t at, int64_t count) {
    read_tensor(path, offset + at * size, dtype, out, count);
  });
  parameters_changed();
}

std::vector<float> Engine::read_parameter(const std::string& name) const {
  require_whole(parameters_);
  const Parameter& p = layout_.find(name);
  if (p.integers) return integers_->values(p);
  std::vector<float> all;
  parameters_.visit(p.offset, p.size(), [&](const float* values, int64_t n) {
    all.insert(all.end(), values, values + n);
  });
  return all;
}

void Engine::write_parameter(const std::string& name, std::span<const float> values) {
  require_idle("writeParameter");
  const Parameter& p = layout_.find(name);
  if (static_cast<int64_t>(values.size()) != p.size())
    throw std::invalid_argument("values: '" + name + "' has " + std::to_string(p.size()) +
                                " elements, not " + std::to_string(values.size()));
  fill(p, [&](float* out, int64_t at, int64_t count) {
    std::copy_n(values.begin() + at, count, out);
  });
  parameters_changed();
}

std::vector<float> Engine::read_gradient(const std::string& name) const {
  const Parameter& p = layout_.find(name);
  const std::optional<int64_t> at = trainable_.find(p);
  if (!at)
    throw std::invalid_argument("readGradient: '" + name + "' is frozen, it has no gradient");
  if (ranks_)
    throw std::invalid_argument("readGradient: among ranks no rank has the whole gradient");
  if (gradient_state_ != Gradients::sum)
    return std::vector<float>(static_cast<size_t>(p.size()), 0.0f);
  const Tensor all = gradients_.view(type_, 1, trainable_.total());
  return to_host(*device_, all.columns(*at, p.size()));
}

void Engine::update_slot(const std::string& slot, float alpha) {
  if (slot == "policy" || slot == "base" || slot.empty())
    throw std::invalid_argument("slot: a name other than 'policy' and 'base' is needed");
  if (!(alpha >= 0.0f && alpha <= 1.0f))
    throw std::invalid_argument("alpha must be in [0, 1], not " + std::to_string(alpha));
  if (slot.size() > kMaxSlotName)
    throw std::invalid_argument("slot: a name of at most " + std::to_string(kMaxSlotName) +
                                " bytes is needed");
  // Of bf16 a slot that follows slowly needs its masters: a step would be rounded away.
  const bool slow = type_ == DType::bf16 && alpha != 0 && alpha != 1;
  if (weights_in_pieces() && slow)
    throw std::invalid_argument("alpha = " + std::to_string(alpha) +
                                ": with shard: parameters a slot in bfloat16 is a copy (alpha 1); "
                                "use shard: gradients, or dtype float32");
  const auto found = slots_.find(slot);
  with_plan([&] {
    if (found != slots_.end()) return move_slot(found->second, alpha, slow);
    // A slot is there when it is whole: without memory for it the engine is as it was.
    Slot made = make_slot();
    move_slot(made, 1, slow);
    slots_.emplace(slot, std::move(made));
  });
}

void Engine::move_slot(Slot& slot, float alpha, bool slow) {
  if (weights_in_pieces()) {
    slot.parameters.release();
    return ops_.lerp(slot.pieces.flat(), pieces_.flat(), alpha);
  }
  ParameterStore& store = slot.parameters;
  if (slow) store.keep_masters();
  const Tensor values = store.flat(), all = parameters_.flat();
  for (const Trainable::Piece& p : trainable_.pieces())
    if (type_ == DType::bf16 && store.has_masters())
      // Up to seven elements between parameters are moved along: they are 0 and stay 0.
      ops_.mixed_lerp({store.weights(p.at), store.remainders(p.at),
                       parameters_.weights(p.parameter), parameters_.remainders(p.parameter),
                       (p.size + 7) / 8 * 8, alpha});
    else
      ops_.lerp(values.columns(p.at, p.size), all.columns(p.parameter, p.size), alpha);
}

Engine::Slot Engine::make_slot() {
  if (weights_in_pieces()) {
    const int64_t n = std::max<int64_t>(ranks_->held(), 1);
    return {ParameterStore(*device_, type_, 0, 0), *streamed_,
            ParameterStore(*device_, type_, n, n)};
  }
  const int64_t n = trainable_.total();
  ParameterStore run(*device_, type_, n, n);
  ModelView view(config_, layout_, options_.lora, locate(&run), type_, options_.precision);
  return {std::move(run), std::move(view), ParameterStore(*device_, type_, 0, 0)};
}

void Engine::parameters_changed(bool weights) {
  ++weights_made_;
  if (weights_in_pieces()) {
    if (parameters_.there()) take_pieces();
    forget_rooms();
  }
  if (weights) packed_.reset();
  if (weights && integers_) integers_->forget_head();
  if (session_) session_->scheduler.forget_prefixes();
}

}  // namespace kogrpo
