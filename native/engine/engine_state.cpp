// The file that a run resumes from: parameters, moments, step count and slots, all fp32.

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

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

// What a state file says of itself, checked before anything of an engine changes: only what
// save_state writes is taken. Throws IoError naming the file.
struct StateFile {
  StateHeader header;
  std::vector<std::pair<std::string, int64_t>> slots;  // names, and where their parameters begin

  StateFile(const std::string& path, int64_t parameters, int64_t trained) {
    const auto refuse = [&](const std::string& why) { throw IoError("'" + path + "' " + why); };
    const int64_t size = file_size(path);
    if (size < static_cast<int64_t>(sizeof header)) refuse("is not a kogrpo optimizer state");
    read_tensor(path, 0, DType::f32, reinterpret_cast<float*>(&header),
                sizeof header / sizeof(float));
    if (std::memcmp(header.magic, StateHeader().magic, sizeof header.magic) != 0)
      refuse("is not a kogrpo optimizer state");
    if (header.parameters != parameters || header.trained != trained)
      refuse("holds " + std::to_string(header.parameters) + " parameters, " +
             std::to_string(header.trained) + " of them trained; this model has " +
             std::to_string(parameters) + ", " + std::to_string(trained) + " trained");
    if (header.step < 0 || header.has_moments < 0 || header.has_moments > 1 || header.slots < 0)
      refuse("is damaged: its header has numbers that no state has");
    constexpr auto kFloat = static_cast<int64_t>(sizeof(float));
    const int64_t slot_bytes = static_cast<int64_t>(sizeof(SlotName)) + trained * kFloat;
    int64_t at = static_cast<int64_t>(sizeof header) +
                 (parameters + (header.has_moments ? 2 * trained : 0)) * kFloat;
    if (at > size || (size - at) % slot_bytes != 0 || (size - at) / slot_bytes != header.slots)
      refuse("is damaged: it has " + std::to_string(size) +
             " bytes, which is not what its header describes");
    for (int64_t i = 0; i < header.slots; ++i, at += slot_bytes) {
      SlotName stored, canonical;
      read_tensor(path, at, DType::f32, reinterpret_cast<float*>(stored.text), kSlotNameFloats);
      const std::string name(stored.text, strnlen(stored.text, sizeof stored.text));
      name.copy(canonical.text, sizeof canonical.text);
      const bool in_order = slots.empty() || slots.back().first < name;
      if (name.empty() || name == "policy" || name == "base" || !in_order ||
          std::memcmp(stored.text, canonical.text, sizeof stored.text) != 0)
        refuse("is damaged: slot " + std::to_string(i) + " has a name that no slot has");
      slots.emplace_back(name, at + static_cast<int64_t>(sizeof(SlotName)));
    }
  }
};

}  // namespace

void Engine::stream_state(const StateSink& sink) {
  const bool gathers = ranks_ && ranks_->sharded();
  const bool writes = !ranks_ || ranks_->communicator().rank() == 0;
  const int64_t n = trainable_.total(), kept = adapters_begin();
  const auto put = [&](const void* data, size_t bytes) {
    if (writes) sink(data, bytes);
  };
  const auto put_floats = [&](const float* x, int64_t count) {
    put(x, static_cast<size_t>(count) * sizeof(float));
  };
  StateHeader header;
  header.parameters = layout_.total() - kept;
  header.trained = n;
  header.step = step_;
  header.has_moments = gathers ? step_ > 0 : !m_.empty();
  header.slots = static_cast<int64_t>(slots_.size());
  put(&header, sizeof header);
  put_floats(parameters_.data() + kept, header.parameters);
  if (header.has_moments) {
    for (const Buffer<float>* moment : {&m_, &v_}) {
      if (gathers)
        ranks_->stream(moment->data(), "moments for a saved state", put_floats);
      else
        put_floats(moment->data(), n);
    }
  }
  for (const auto& [slot, held] : slots_) {
    SlotName name;
    slot.copy(name.text, sizeof name.text);
    put(name.text, sizeof name.text);
    put_floats(held.parameters.data(), n);
  }
}

int64_t Engine::state_bytes() const {
  const bool has_moments = ranks_ && ranks_->sharded() ? step_ > 0 : !m_.empty();
  const auto slots = static_cast<int64_t>(slots_.size());
  const int64_t floats =
      layout_.total() - adapters_begin() + ((has_moments ? 2 : 0) + slots) * trainable_.total();
  return static_cast<int64_t>(sizeof(StateHeader)) + slots * int64_t{sizeof(SlotName)} +
         floats * int64_t{sizeof(float)};
}

void Engine::save_state(const std::string& path) {
  std::optional<TensorFileWriter> file;
  if (!ranks_ || ranks_->communicator().rank() == 0) file.emplace(path, std::span<uint8_t>());
  stream_state([&](const void* data, size_t bytes) { file->write(data, bytes); });
  if (file) file->finish();
}

std::vector<Buffer<uint8_t>> Engine::snapshot_state() {
  constexpr int64_t kBlock = int64_t{1} << 30;
  std::vector<Buffer<uint8_t>> blocks;
  if (!ranks_ || ranks_->communicator().rank() == 0)
    for (int64_t left = state_bytes(); left > 0; left -= std::min(left, kBlock))
      blocks.emplace_back(static_cast<size_t>(std::min(left, kBlock)));
  size_t block = 0, used = 0;
  stream_state([&](const void* data, size_t bytes) {
    const auto* p = static_cast<const uint8_t*>(data);
    while (bytes > 0) {
      const size_t n = std::min(bytes, blocks[block].size() - used);
      std::memcpy(blocks[block].data() + used, p, n);
      p += n;
      bytes -= n;
      used += n;
      if (used == blocks[block].size()) ++block, used = 0;
    }
  });
  return blocks;
}

void Engine::load_state(const std::string& path) {
  require_idle("loadState");
  const int64_t kept = adapters_begin(), parameters = layout_.total() - kept;
  const int64_t n = trainable_.total(), bytes = n * static_cast<int64_t>(sizeof(float));
  const StateFile file(path, parameters, n);
  auto begin = static_cast<int64_t>(sizeof(StateHeader));
  read_tensor(path, begin, DType::f32, parameters_.data() + kept, parameters);
  begin += parameters * static_cast<int64_t>(sizeof(float));
  reset_optimizer();
  if (file.header.has_moments) {
    const Slice mine = moments();
    const auto read = [&](Buffer<float>& moment, int64_t at) {
      read_tensor(path, at + mine.begin * static_cast<int64_t>(sizeof(float)), DType::f32,
                  moment.reserve(static_cast<size_t>(mine.size())), mine.size());
    };
    read(m_, begin);
    read(v_, begin + bytes);
  }
  slots_.clear();
  for (const auto& [slot, at] : file.slots)
    read_tensor(path, at, DType::f32, slot_parameters(slot), n);
  step_ = file.header.step;
  if (ranks_) ranks_->clear();
  zero_gradients();
  parameters_changed();
}

}  // namespace kogrpo
