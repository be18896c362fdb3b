// The file that a run resumes from: parameters, moments, step count and slots, all fp32.

#include <cstring>
#include <optional>

#include "engine/engine.h"
#include "engine/tensor_file.h"

namespace kogrpo {
namespace {

struct StateHeader {
  char magic[8] = {'k', 'o', 'g', 'r', 'p', 'o', 's', '3'};
  // Of a model with adapters the file holds these only: the rest never changes.
  int64_t parameters = 0, trained = 0, step = 0, has_moments = 0, slots = 0;
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
  const int64_t n = trainable_.total(), kept = adapters_begin();
  StateHeader header;
  header.parameters = layout_.total() - kept;
  header.trained = n;
  header.step = step_;
  header.has_moments = gathers ? step_ > 0 : !m_.empty();
  header.slots = static_cast<int64_t>(slots_.size());
  std::optional<TensorFileWriter> file;
  if (writes) {
    file.emplace(path, std::span(reinterpret_cast<const uint8_t*>(&header), sizeof header));
    file->append(parameters_.data() + kept, header.parameters, DType::f32);
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
    file->append(held.parameters.data(), n, DType::f32);
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
  const int64_t kept = adapters_begin(), parameters = layout_.total() - kept;
  if (header.parameters != parameters || header.trained != trainable_.total())
    throw IoError("'" + path + "' holds " + std::to_string(header.parameters) + " parameters, " +
                  std::to_string(header.trained) + " of them trained; this model has " +
                  std::to_string(parameters) + ", " + std::to_string(trainable_.total()) +
                  " trained");
  const int64_t n = trainable_.total(), bytes = n * static_cast<int64_t>(sizeof(float));
  auto begin = static_cast<int64_t>(sizeof header);
  read_tensor(path, begin, DType::f32, parameters_.data() + kept, parameters);
  begin += parameters * static_cast<int64_t>(sizeof(float));
  reset_optimizer();
  if (header.has_moments) {
    const Slice mine = moments();
    const auto read = [&](Buffer<float>& moment, int64_t at) {
      read_tensor(path, at + mine.begin * static_cast<int64_t>(sizeof(float)), DType::f32,
                  moment.reserve(static_cast<size_t>(mine.size())), mine.size());
    };
    read(m_, begin);
    read(v_, begin + bytes);
  }
  slots_.clear();
  int64_t at = begin + (header.has_moments ? 2 * bytes : 0);
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
