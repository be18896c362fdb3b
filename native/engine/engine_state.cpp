// What a run resumes from: parameters, moments, step count and slots. Parameters and slots are fp32
// whatever the device stores; moments are as they are stored, so that nothing is lost. Ranks write
// a part each (state_file.h), without a word to each other; the whole is the same under any number
// of them and any sharding, and any other ones read it.

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/blocks.h"
#include "engine/engine.h"
#include "engine/state_file.h"
#include "engine/tensor_file.h"
#include "ops/transfer.h"

namespace kogrpo {
namespace {

struct StateHeader {
  char magic[8] = {'k', 'o', 'g', 'r', 'p', 'o', 's', '3'};
  // Of a model with adapters the file holds these only: the rest never changes.
  int64_t parameters = 0, trained = 0, step = 0, moments = 0 /* Optimizer::form */, slots = 0;
};

// Before the parameters of each slot; a multiple of a float long.
struct SlotName {
  alignas(float) char text[kMaxSlotName] = {};
};
constexpr int64_t kSlotNameFloats = sizeof(SlotName) / sizeof(float);

constexpr auto kWord = static_cast<int64_t>(sizeof(float));

// A stretch of a run, without what its alignment adds.
struct Stretch {
  int64_t begin = 0, size = 0;
};
using Stretches = std::vector<Stretch>;

int64_t elements(const Stretches& stretches) {
  int64_t n = 0;
  for (const Stretch& s : stretches) n += s.size;
  return n;
}

// The parameters from element `from` on, as few stretches as possible.
Stretches stretches_of(const ParameterLayout& layout, int64_t from) {
  Stretches all;
  for (const Parameter& p : layout.all()) {
    if (p.offset < from || p.integers) continue;
    if (!all.empty() && all.back().begin + all.back().size == p.offset)
      all.back().size += p.size();
    else
      all.push_back({p.offset, p.size()});
  }
  return all;
}
// f(place in the file, in words behind the first stretch; begin, count in the run) for what `of`
// has of the stretches.
template <class F>
void for_each_in(const Stretches& stretches, Slice of, F&& f) {
  int64_t file = 0;
  for (const Stretch& s : stretches) {
    const int64_t begin = std::max(of.begin, s.begin), end = std::min(of.end, s.begin + s.size);
    if (begin < end) f(file + begin - s.begin, begin, end - begin);
    file += s.size;
  }
}

Stretches stretches_of(const Trainable& trainable) {
  Stretches all;
  for (const Trainable::Piece& p : trainable.pieces()) all.push_back({p.at, p.size});
  return all;
}

// From byte `at` of the state on.
void read(const StateReader& state, int64_t at, const Stretches& stretches, ParameterStore& store) {
  for (const Stretch& s : stretches) {
    store.fill(s.begin, s.size, [&](float* out, int64_t first, int64_t count) {
      state.read(at + first * kWord, out, count);
    });
    at += s.size * kWord;
  }
}

// The parameters of a slot: one that followed slowly holds more than bf16 does.
void read_slot(const StateReader& state, int64_t at, const Stretches& stretches,
               ParameterStore& store) {
  const int64_t begin = at;
  for (const Stretch& s : stretches) {
    bool more = false;
    store.fill(s.begin, s.size, [&](float* out, int64_t first, int64_t count) {
      state.read(at + first * kWord, out, count);
      more = more || (!store.has_masters() && std::any_of(out, out + count, [](float x) {
               return (std::bit_cast<uint32_t>(x) & 0xffff) != 0;
             }));
    });
    if (more) {
      store.keep_masters();
      return read(state, begin, stretches, store);
    }
    at += s.size * kWord;
  }
}

constexpr int64_t kPiece = int64_t{1} << 22;  // words

// The words of an array of moments that a file has: fp32 ones lie like the parameters, so what the
// alignment of a device adds is left out, and another device may go on with them.
Stretches stretches_of(const Tensor& moments, MomentType type, const Stretches& trained) {
  return type == MomentType::f32 ? trained : Stretches{{0, moments.cols}};
}
int64_t moment_words(const Optimizer& optimizer, int64_t total, const Stretches& trained) {
  int64_t words = 0;
  for (const Tensor& array : optimizer.arrays(total))
    words += elements(stretches_of(array, optimizer.moments(), trained));
  return words;
}

const char* form_name(int64_t form) {
  static constexpr const char* kNames[] = {"no", "fp32", "bf16", "8-bit"};
  return kNames[form];
}

// What a state is held against: elements without what alignment adds, the form of the moments and
// the words that a whole one takes.
struct Expected {
  int64_t parameters = 0, trained = 0, moments = 0, moment_words = 0;
  std::string device;
};

// What a state file says of itself, checked before anything of an engine changes: only what
// save_state writes is taken. Throws IoError naming the file.
struct StateFile {
  StateHeader header;
  std::vector<std::pair<std::string, int64_t>> slots;  // names, and where their parameters begin

  StateFile(const StateReader& state, const std::string& path, const Expected& e) {
    const auto refuse = [&](const std::string& why) { throw IoError("'" + path + "' " + why); };
    const int64_t size = state.size();
    if (size < static_cast<int64_t>(sizeof header)) refuse("is not a kogrpo optimizer state");
    state.read(0, reinterpret_cast<float*>(&header), sizeof header / sizeof(float));
    if (std::memcmp(header.magic, StateHeader().magic, sizeof header.magic) != 0)
      refuse("is not a kogrpo optimizer state");
    if (header.parameters != e.parameters || header.trained != e.trained)
      refuse("holds " + std::to_string(header.parameters) + " parameters, " +
             std::to_string(header.trained) + " of them trained; this model has " +
             std::to_string(e.parameters) + ", " + std::to_string(e.trained) + " trained");
    if (header.step < 0 || header.moments < 0 || header.moments > 3 || header.slots < 0)
      refuse("is damaged: its header has numbers that no state has");
    if (header.moments != 0 && header.moments != e.moments)
      refuse(std::string("holds ") + form_name(header.moments) + " moments; " + e.device +
             " keeps " + form_name(e.moments) +
             " ones here: resume with the device, dtype and moments that the run began with");
    const int64_t slot_bytes = static_cast<int64_t>(sizeof(SlotName)) + e.trained * kWord;
    int64_t at = static_cast<int64_t>(sizeof header) +
                 (e.parameters + (header.moments ? e.moment_words : 0)) * kWord;
    if (at > size || (size - at) % slot_bytes != 0 || (size - at) / slot_bytes != header.slots)
      refuse("is damaged: it has " + std::to_string(size) + " bytes, and its header describes " +
             std::to_string(at) + " and " + std::to_string(header.slots) + " slots of " +
             std::to_string(slot_bytes));
    for (int64_t i = 0; i < header.slots; ++i, at += slot_bytes) {
      SlotName stored, canonical;
      state.read(at, reinterpret_cast<float*>(stored.text), kSlotNameFloats);
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

// What this rank writes, in the order of the state: of what it holds in pieces those, of what all
// ranks hold an equal share.
std::vector<Engine::StatePiece> Engine::state_pieces(int64_t& whole) {
  if (ranks_) ranks_->communicator();  // what is under way arrives first
  const int rank = ranks_ ? ranks_->rank() : 0, size = ranks_ ? ranks_->size() : 1;
  const bool sharded = ranks_ && ranks_->sharded();
  const Stretches kept = stretches_of(layout_, adapters_begin()),
                  trained = stretches_of(trainable_);
  std::vector<StatePiece> pieces;
  int64_t at = 0;
  const auto put_small = [&](const void* data, size_t bytes) {
    const auto* p = static_cast<const uint8_t*>(data);
    if (rank == 0)
      pieces.push_back({{at, static_cast<int64_t>(bytes)},
                        [copy = std::vector<uint8_t>(p, p + bytes)](const StateSink& sink) {
                          sink(copy.data(), copy.size());
                        }});
    at += static_cast<int64_t>(bytes);
  };
  const auto put_words = [&](int64_t place, int64_t n, auto&& see) {
    pieces.push_back(
        {{at + place * kWord, n * kWord}, [see](const StateSink& sink) {
           see([&](const float* x, int64_t count) { sink(x, static_cast<size_t>(count * kWord)); });
         }});
  };
  using Put = std::function<void(const float*, int64_t)>;
  // see(begin, n, put) hands over elements of a run of which the state has the stretches.
  const auto put_held = [&](const Stretches& stretches, const std::vector<Held>& held, int64_t each,
                            auto&& see) {
    for (const Held& h : held)
      for_each_in(stretches, {h.run.begin / each, h.run.end / each},
                  [&](int64_t place, int64_t begin, int64_t n) {
                    const int64_t from = h.at / each + begin - h.run.begin / each;
                    put_words(place, n, [see, from, n](const Put& put) { see(from, n, put); });
                  });
    at += elements(stretches) * kWord;
  };
  const auto put_share = [&](const Stretches& stretches, auto&& see) {
    const int64_t words = elements(stretches);
    const int64_t first = words * rank / size, last = words * (rank + 1) / size;
    int64_t place = 0;
    for (const Stretch& s : stretches) {
      const int64_t begin = std::max(first, place), end = std::min(last, place + s.size);
      const int64_t from = s.begin + begin - place, n = end - begin;
      if (n > 0) put_words(begin, n, [see, from, n](const Put& put) { see(from, n, put); });
      place += s.size;
    }
    at += words * kWord;
  };
  const auto values_of = [](const ParameterStore& store) {
    return [&store](int64_t from, int64_t n, const Put& put) { store.visit(from, n, put); };
  };
  const auto words_of = [this](const Tensor& array) {
    return [this, array](int64_t from, int64_t n, const Put& put) {
      for (int64_t done = 0; done < n; done += kPiece) {
        const int64_t count = std::min(kPiece, n - done);
        put(to_host(*device_, array.columns(from + done, count)).data(), count);
      }
    };
  };

  StateHeader header;
  header.parameters = elements(kept);
  header.trained = elements(trained);
  header.step = optimizer_.steps();
  // A rank without a piece has no moments, and the state may have.
  header.moments = !sharded ? optimizer_.form() : header.step > 0 ? optimizer_.form_of_these() : 0;
  header.slots = static_cast<int64_t>(slots_.size());
  put_small(&header, sizeof header);
  if (weights_in_pieces()) {
    for (const HeldWeights& mine : held_weights())
      for_each_in(kept, mine.parameters, [&](int64_t place, int64_t begin, int64_t n) {
        const int64_t from = mine.at + begin - mine.parameters.begin;
        put_words(place, n,
                  [see = values_of(*mine.pieces), from, n](const Put& put) { see(from, n, put); });
      });
    at += elements(kept) * kWord;
  } else {
    put_share(kept, values_of(parameters_));
  }
  if (header.moments) {
    const std::vector<Tensor> arrays = optimizer_.arrays(moment_count());
    for (size_t i = 0; i < arrays.size(); ++i) {
      const int64_t each = optimizer_.elements_per_word()[i];
      if (sharded) {
        const Stretches all{{0, trainable_.total() / each}};
        put_held(optimizer_.moments() == MomentType::f32 ? trained : all, ranks_->own(), each,
                 words_of(arrays[i]));
      } else {
        put_share(stretches_of(arrays[i], optimizer_.moments(), trained), words_of(arrays[i]));
      }
    }
  }
  for (const auto& [slot, held] : slots_) {
    SlotName name;
    slot.copy(name.text, sizeof name.text);
    put_small(name.text, sizeof name.text);
    if (weights_in_pieces())
      put_held(trained, ranks_->own(), 1, values_of(held.pieces));
    else
      put_share(trained, values_of(held.parameters));
  }
  whole = at;
  return pieces;
}

void Engine::write_state(const std::function<StateSink(int64_t bytes)>& open) {
  int64_t whole = 0;
  const std::vector<StatePiece> pieces = state_pieces(whole);
  const bool part = ranks_ && ranks_->size() > 1;
  std::vector<StateRange> ranges;
  int64_t bytes = 0;
  for (const StatePiece& p : pieces) {
    ranges.push_back(p.range);
    bytes += p.range.bytes;
  }
  const std::vector<uint8_t> header =
      part ? part_header(whole, optimizer_.steps(), ranges) : std::vector<uint8_t>();
  const StateSink sink = open(bytes + static_cast<int64_t>(header.size()));
  sink(header.data(), header.size());
  for (const StatePiece& p : pieces) p.write(sink);
}

void Engine::save_state(const std::string& path) {
  const bool part = ranks_ && ranks_->size() > 1;
  const std::string own = part ? part_path(path, ranks_->rank(), ranks_->size()) : path;
  TensorFileWriter file(own, {});
  write_state([&](int64_t) -> StateSink {
    return [&](const void* data, size_t bytes) { file.write(data, bytes); };
  });
  file.finish();
}

std::vector<Buffer<uint8_t>> Engine::snapshot_state() {
  std::optional<Blocks> blocks;
  write_state([&](int64_t whole) -> StateSink {
    blocks.emplace(whole);
    return [&](const void* data, size_t bytes) { blocks->write(data, bytes); };
  });
  return blocks->take();
}

void Engine::load_state(const std::string& path) {
  require_idle("loadState");
  const Stretches kept = stretches_of(layout_, adapters_begin()),
                  trained = stretches_of(trainable_);
  const int64_t n = elements(trained);
  const StateReader state(path);
  const StateFile file(state, path,
                       {elements(kept), n, optimizer_.form_of_these(),
                        moment_words(optimizer_, trainable_.total(), trained), device_->name()});
  auto at = static_cast<int64_t>(sizeof(StateHeader));
  // What `of` has of the stretches, which begin at byte `from`, to element `to` on.
  const auto read_piece = [&](int64_t from, const Stretches& stretches, Slice of,
                              ParameterStore& pieces, int64_t to) {
    for_each_in(stretches, of, [&](int64_t place, int64_t begin, int64_t n) {
      pieces.fill(to + begin - of.begin, n, [&](float* out, int64_t first, int64_t count) {
        state.read(from + (place + first) * kWord, out, count);
      });
    });
  };
  if (weights_in_pieces()) {
    drop_weights();
    forget_rooms();
    for (const HeldWeights& mine : held_weights())
      read_piece(at, kept, mine.parameters, *mine.pieces, mine.at);
  } else {
    read(state, at, kept, parameters_);
  }
  at += file.header.parameters * kWord;
  reset_optimizer();
  if (file.header.moments) {
    optimizer_.make_arrays(moment_count());
    const std::vector<Tensor> arrays = optimizer_.arrays(moment_count());
    for (size_t i = 0; i < arrays.size(); ++i) {
      const Tensor& array = arrays[i];
      const int64_t each = optimizer_.elements_per_word()[i];
      std::vector<float> words(static_cast<size_t>(std::min(kPiece, array.cols)));
      const Stretches whole{{0, trainable_.total() / each}};
      const Stretches& in_file = optimizer_.moments() == MomentType::f32 ? trained : whole;
      for (const Held& held : moments())
        for_each_in(in_file, {held.run.begin / each, held.run.end / each},
                    [&](int64_t place, int64_t begin, int64_t n) {
                      const int64_t to = held.at / each + begin - held.run.begin / each;
                      for (int64_t done = 0; done < n; done += kPiece) {
                        const int64_t count = std::min(kPiece, n - done);
                        state.read(at + (place + done) * kWord, words.data(), count);
                        to_device(*device_, words.data(), array.columns(to + done, count));
                      }
                    });
      at += elements(in_file) * kWord;
    }
  }
  slots_.clear();
  for (const auto& [name, begin] : file.slots) {
    Slot slot = make_slot();
    if (weights_in_pieces())
      for (const Held& held : ranks_->own())
        read_piece(begin, trained, held.run, slot.pieces, held.at);
    else
      read_slot(state, begin, trained, slot.parameters);
    slots_.emplace(name, std::move(slot));
  }
  optimizer_.set_steps(file.header.step);
  zero_gradients();
  parameters_changed(options_.lora.rank == 0);
}

}  // namespace kogrpo
