// The file that a run resumes from: parameters, moments, step count and slots, all fp32.

#include <cstring>
#include <optional>

#include "engine/engine.h"
#include "engine/tensor_file.h"

namespace kogrpo {
namespace {

struct StateHeader {
  char magic[8] = {'k', 'o', 'g', 'r', 'p', 'o', 's', '2'};
  int64_t total = 0, step = 0, has_moments = 0, slots = 0;
};

// Before the parameters of each slot; a multiple of a float long.
struct SlotName {
  alignas(float) char text[kMaxSlotName] = {};
};
constexpr int64_t kSlotNameFloats = sizeof(SlotName) / sizeof(float);

}  // namespace

void Engine::save_state(const std::string& path) {
  const bool gathers = ranks_ && ranks_->sharded();
  const bool writes = !ranks_ || ranks_->communicator().rank() == 0;
  const int64_t n = layout_.total();
  StateHeader header;
  header.total = n;
  header.step = step_;
  header.has_moments = gathers ? step_ > 0 : !m_.empty();
  header.slots = static_cast<int64_t>(slots_.size());
  std::optional<TensorFileWriter> file;
  if (writes) {
    file.emplace(path, std::span(reinterpret_cast<const uint8_t*>(&header), sizeof header));
    file->append(parameters_.data(), n, DType::f32);
  }
  if (header.has_moments) {
    for (const Buffer<float>* moment : {&m_, &v_}) {
      if (gathers)
        ranks_->stream(moment->data(), "moments for a saved state", [&](const float* x, int64_t k) {
          if (writes) file->append(x, k, DType::f32);
        });
      else if (writes)
        file->append(moment->data(), n, DType::f32);
    }
  }
  if (!writes) return;
  for (const auto& [slot, held] : slots_) {
    SlotName name;
    slot.copy(name.text, sizeof name.text);
    file->append(reinterpret_cast<const float*>(name.text), kSlotNameFloats, DType::f32);
    file->append(held.parameters.data(), layout_.total(), DType::f32);
  }
  file->finish();
}

void Engine::load_state(const std::string& path) {
  require_idle("loadState");
  StateHeader expected, header;
  constexpr int64_t kWords = sizeof header / sizeof(float);
  read_tensor(path, 0, DType::f32, reinterpret_cast<float*>(&header), kWords);
  if (std::memcmp(header.magic, expected.magic, sizeof header.magic) != 0)
    throw IoError("'" + path + "' is not a kogrpo optimizer state");
  if (header.total != layout_.total())
    throw IoError("'" + path + "' holds " + std::to_string(header.total) +
                  " parameters; this model has " + std::to_string(layout_.total()));
  const int64_t n = layout_.total(), bytes = n * static_cast<int64_t>(sizeof(float));
  const auto begin = static_cast<int64_t>(sizeof header);
  read_tensor(path, begin, DType::f32, parameters_.data(), n);
  reset_optimizer();
  if (header.has_moments) {
    const Slice mine = moments();
    const auto read = [&](Buffer<float>& moment, int64_t at) {
      read_tensor(path, at + mine.begin * static_cast<int64_t>(sizeof(float)), DType::f32,
                  moment.reserve(static_cast<size_t>(mine.size())), mine.size());
    };
    read(m_, begin + bytes);
    read(v_, begin + 2 * bytes);
  }
  slots_.clear();
  int64_t at = begin + bytes * (header.has_moments ? 3 : 1);
  for (int64_t i = 0; i < header.slots; ++i) {
    SlotName name;
    read_tensor(path, at, DType::f32, reinterpret_cast<float*>(name.text), kSlotNameFloats);
    at += static_cast<int64_t>(sizeof name);
    const std::string slot(name.text, strnlen(name.text, sizeof name.text));
    read_tensor(path, at, DType::f32, slot_parameters(slot), n);
    at += bytes;
  }
  step_ = header.step;
  if (ranks_) ranks_->clear();
  zero_gradients();
  parameters_changed();
}

}  // namespace kogrpo
