// The engine's parameters: making, reading, writing, saving and loading them, and the slots that
// follow them.

#include <algorithm>
#include <stdexcept>

#include "engine/engine.h"
#include "engine/tensor_file.h"

namespace kogrpo {

void Engine::initialize(const InitOptions& options, bool adapters) {
  require_idle("initialize");
  for (const Parameter& p : layout_.all()) {
    if (p.adapter != adapters) continue;
    float* out = parameters_.data() + p.offset;
    constexpr int64_t kBlock = 4096;
    ops_.pool().run(p.size(), kBlock, [&](Range range, int) {
      kogrpo::initialize(p, options, out, range.begin, range.end);
    });
  }
  parameters_changed();
}

void Engine::load_parameter(const std::string& name, const std::string& path, int64_t offset,
                            DType dtype) {
  require_idle("loadParameters");
  const Parameter& p = layout_.find(name);
  read_tensor(path, offset, dtype, parameters_.data() + p.offset, p.size());
  parameters_changed();
}

void Engine::save_parameters(const std::string& path, std::span<const uint8_t> header,
                             const std::vector<std::string>& names, DType dtype) {
  TensorFileWriter file(path, header);
  for (const std::string& name : names) {
    const Parameter& p = layout_.find(name);
    file.append(parameters_.data() + p.offset, p.size(), dtype);
  }
  file.finish();
}

std::vector<float> Engine::read_parameter(const std::string& name) const {
  const Parameter& p = layout_.find(name);
  return {parameters_.data() + p.offset, parameters_.data() + p.offset + p.size()};
}

void Engine::write_parameter(const std::string& name, std::span<const float> values) {
  require_idle("writeParameter");
  const Parameter& p = layout_.find(name);
  if (static_cast<int64_t>(values.size()) != p.size())
    throw std::invalid_argument("values: '" + name + "' has " + std::to_string(p.size()) +
                                " elements, not " + std::to_string(values.size()));
  std::copy(values.begin(), values.end(), parameters_.data() + p.offset);
  parameters_changed();
}
std::vector<float> Engine::read_gradient(const std::string& name) const {
  const Parameter& p = layout_.find(name);
  const std::optional<int64_t> at = trainable_.find(p);
  if (!at)
    throw std::invalid_argument("readGradient: '" + name + "' is frozen, it has no gradient");
  if (gradients_.empty()) return std::vector<float>(static_cast<size_t>(p.size()), 0.0f);
  return {gradients_.data() + *at, gradients_.data() + *at + p.size()};
}

void Engine::update_slot(const std::string& slot, float alpha) {
  if (slot == "policy" || slot == "base" || slot.empty())
    throw std::invalid_argument("slot: a name other than 'policy' and 'base' is needed");
  if (!(alpha >= 0.0f && alpha <= 1.0f))
    throw std::invalid_argument("alpha must be in [0, 1], not " + std::to_string(alpha));
  if (slot.size() > kMaxSlotName)
    throw std::invalid_argument("slot: a name of at most " + std::to_string(kMaxSlotName) +
                                " bytes is needed");
  const bool fresh = !slots_.contains(slot);
  float* values = slot_parameters(slot);
  for (const Trainable::Piece& p : trainable_.pieces())
    ops_.lerp(values + p.at, parameters_.data() + p.parameter, p.size, fresh ? 1.0f : alpha);
}

float* Engine::slot_parameters(const std::string& slot) {
  Slot& target = slots_[slot];
  float* p = target.parameters.reserve(static_cast<size_t>(trainable_.total()));
  if (!target.view)
    target.view =
        std::make_unique<ModelView>(config_, layout_, options_.lora, locate(p), options_.precision);
  return p;
}

void Engine::parameters_changed(bool weights) {
  if (weights) packed_.reset();
  if (session_) session_->scheduler.forget_prefixes();
}

}  // namespace kogrpo
