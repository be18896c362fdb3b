// Weights of which a rank holds its pieces only (shard: parameters, ZeRO-3). In a turn a block's
// weights are gathered into a room (Rooms) before they are used, the next block's meanwhile. So are
// they in every step of sampling and in passes that score, which ranks then make together. To
// evaluate, and to score and sample where there is room, they are gathered whole and kept until the
// next turn begins. The pieces are what is trained and what files are made of. Where a part of the
// model is trained, or adapters are, a rank has pieces of two runs: of what is trained, which it
// updates, and of what is frozen, which is gathered alike and has neither gradient nor moments.

#include <algorithm>
#include <stdexcept>

#include "engine/engine.h"
#include "ops/transfer.h"

namespace kogrpo {
bool Engine::weights_in_pieces() const {
  return ranks_ && ranks_->shard() == Shard::parameters;
}

void Engine::make_view() {
  policy_ = ModelView(config_, layout_, options_.lora, locate(nullptr), type_, options_.precision);
  if (base_)
    base_.emplace(config_, layout_, LoraConfig{}, locate(nullptr), type_, options_.precision);
}

std::array<Engine::WeightRun, 2> Engine::weight_runs() {
  const Partition& trained = ranks_->partition();
  return {{{trainable_, trained, pieces_, 0},
           {frozen_, ranks_->frozen(), frozen_pieces_, trained.units().size()}}};
}

Tensor Engine::weight_room(size_t room, int64_t n) const {
  return weight_rooms_.view(type_, 1, weight_places_.size).columns(weight_places_.at[room], n);
}

void Engine::cut_weights() {
  std::vector<Unit> units;
  for (const WeightRun& w : weight_runs()) {
    units.insert(units.end(), w.partition.units().begin(), w.partition.units().end());
    int64_t n = 1;
    for (const Held& mine : w.partition.held(ranks_->rank())) n = mine.at + mine.run.size();
    const bool masters =
        !w.run.pieces().empty() && parameters_.remainders(w.run.pieces().front().parameter);
    n = std::max<int64_t>(n, 1);
    w.pieces = ParameterStore(*device_, type_, n, masters ? 0 : n);
  }
  take_pieces();
  const bool tied = policy_.head.data == policy_.embed.data;
  weight_places_ = Rooms::in_turns(units, layout_.blocks(), tied);
  weight_rooms_.release();
  weight_rooms_.reserve(*device_, type_, 1, weight_places_.size);
  streamed_.emplace(
      config_, layout_, options_.lora,
      [&](const Parameter& p) -> void* {
        for (const WeightRun& w : weight_runs()) {
          const std::optional<int64_t> at = p.integers ? std::nullopt : w.run.find(p);
          if (!at) continue;
          const std::vector<Unit>& all = w.partition.units();
          size_t u = 0;
          while (all[u].run.end <= *at) ++u;
          return weight_room(w.first_room + u, all[u].run.size()).element(*at - all[u].run.begin);
        }
        return nullptr;  // integers
      },
      type_, options_.precision);
  weights_there_.assign(static_cast<size_t>(layout_.blocks()), 0);
}

void Engine::take_pieces() {
  for (const HeldWeights& mine : held_weights()) {
    const int64_t n = mine.parameters.size();
    copy(*device_, parameters_.flat().columns(mine.parameters.begin, n),
         mine.pieces->flat().columns(mine.at, n));
    if (mine.pieces->remainders(mine.at))
      copy(*device_, parameters_.rest(mine.parameters.begin, n), mine.pieces->rest(mine.at, n));
  }
}

std::vector<Engine::HeldWeights> Engine::held_weights() {
  std::vector<HeldWeights> all;
  for (const WeightRun& w : weight_runs())
    for (const Held& held : w.partition.held(ranks_->rank()))
      w.run.each_in(held.run, [&](int64_t begin, int64_t parameter, int64_t n) {
        const int64_t at = held.at + begin - held.run.begin;
        HeldWeights* const last = all.empty() ? nullptr : &all.back();
        if (last && last->pieces == &w.pieces && last->parameters.end == parameter &&
            last->at + last->parameters.size() == at)
          last->parameters.end += n;
        else
          all.push_back({{parameter, parameter + n}, at, &w.pieces});
      });
  std::sort(all.begin(), all.end(), [](const HeldWeights& a, const HeldWeights& b) {
    return a.parameters.begin < b.parameters.begin;
  });
  return all;
}

// Into the flat parameters: at once where the run is a stretch of them, else by way of its room.
void Engine::gather_unit(const WeightRun& w, size_t unit, const std::string& label) {
  const Slice run = w.partition.units()[unit].run;
  const Held mine = w.partition.held(ranks_->rank())[unit];
  const std::optional<int64_t> shift = w.run.shift();
  const auto gather = [&](const Tensor& piece, auto&& values) {
    const Tensor whole = shift ? values(*shift + run.begin, run.size())
                               : matrix(weight_room(w.first_room + unit, run.size()).data,
                                        piece.dtype, 1, run.size());
    ranks_->gather(w.partition, unit, piece, whole, label);
    if (shift) return;
    w.run.each_in(run, [&](int64_t at, int64_t parameter, int64_t n) {
      copy(*device_, whole.columns(at - run.begin, n), values(parameter, n));
    });
  };
  gather(w.pieces.flat().columns(mine.at, mine.run.size()),
         [&](int64_t at, int64_t n) { return parameters_.flat().columns(at, n); });
  if (w.pieces.remainders(0))
    gather(w.pieces.rest(mine.at, mine.run.size()),
           [&](int64_t at, int64_t n) { return parameters_.rest(at, n); });
}

void Engine::hold_weights(bool slots, const std::string& label) {
  if (!weights_in_pieces()) return;
  ranks_->require_no_turn("holdWeights");
  if (!parameters_.there()) {
    parameters_ = ParameterStore(*device_, type_, layout_.total(), parameters_.master_from());
    for (const WeightRun& w : weight_runs())
      for (size_t u = 0; u < w.partition.units().size(); ++u) gather_unit(w, u, label);
    most_gathered_ = std::max(most_gathered_, parameters_.bytes());
    forget_rooms();
    make_view();
  }
  const Partition& trained = ranks_->partition();
  for (auto& [name, slot] : slots_) {
    if (!slots || slot.parameters.there()) continue;
    const int64_t total = trainable_.total();
    slot.parameters = ParameterStore(*device_, type_, total, total);
    for (size_t u = 0; u < trained.units().size(); ++u) {
      const Slice run = trained.units()[u].run;
      const Held& mine = ranks_->own()[u];
      ranks_->gather(trained, u, slot.pieces.flat().columns(mine.at, mine.run.size()),
                     slot.parameters.flat().columns(run.begin, run.size()),
                     label + ", slot " + name);
    }
    slot.view = ModelView(config_, layout_, options_.lora, locate(&slot.parameters), type_,
                          options_.precision);
  }
}

void Engine::drop_weights() {
  if (!weights_in_pieces()) return;
  if (integers_ && parameters_.there()) integers_->packed();  // its head is packed from them
  packed_.reset();
  parameters_.release();
  for (auto& [name, slot] : slots_) slot.parameters.release();
}

void Engine::require_whole(const ParameterStore& parameters) const {
  if (!parameters.there())
    throw std::invalid_argument(
        "with shard: parameters this rank has pieces of the weights only: gather them on all ranks "
        "first (holdWeights)");
}

void Engine::forget_rooms() {
  weights_there_.assign(weights_there_.size(), 0);
}

// Whether two blocks have one room, so that the weights of one replace the other's.
bool Engine::share_room(int64_t a, int64_t b) const {
  if (room_of(a) != room_of(b)) return false;
  const bool tied = policy_.head.data == policy_.embed.data;
  return room_of(a) != 2 || !tied;
}

void Engine::want_weights(int64_t block) {
  uint64_t& there = weights_there_[static_cast<size_t>(block)];
  if (there) return;
  for (int64_t other = 0; other < layout_.blocks(); ++other)
    if (share_room(other, block)) weights_there_[static_cast<size_t>(other)] = 0;
  for (const WeightRun& w : weight_runs()) {
    const std::vector<Unit>& units = w.partition.units();
    const std::vector<Held> mine = w.partition.held(ranks_->rank());
    const bool slot = streamed_slot_ && w.first_room == 0;  // it has what is trained
    const ParameterStore& pieces = slot ? *streamed_slot_ : w.pieces;
    for (size_t u = 0; u < units.size(); ++u)
      if (units[u].block == block)
        there = ranks_->gather_ahead(w.partition, u,
                                     pieces.flat().columns(mine[u].at, mine[u].run.size()),
                                     weight_room(w.first_room + u, units[u].run.size()));
  }
}

void Engine::begin_weights(int64_t block, int64_t next) {
  want_weights(block);
  if (next > 0 && next < layout_.blocks()) want_weights(next);
  ranks_->wait(weights_there_[static_cast<size_t>(block)]);
}

BlockHooks Engine::weight_hooks() {
  return {[this](int64_t block) { begin_weights(block, block + 1); }, {}};
}

// When the head is in use, layers' rooms are free for the next step's. (Block 0 is not: an
// embedding that is no head shares the head's room.)
void Engine::stream_block(int64_t block) {
  begin_weights(block, block + 1 < layout_.blocks() ? block + 1 : 1);
}

TokenValues Engine::forward_streaming(const BatchArguments* arguments, const std::string& slot,
                                      const std::string& label, const AbortFlag& abort) {
  if (!weights_in_pieces() || ranks_->in_turn())
    throw std::invalid_argument(
        "scoring layer by layer: only with shard: parameters, and between turns");
  const auto held = slots_.find(slot);
  if (slot != "policy" && held == slots_.end())
    throw std::invalid_argument("slot: there is no parameter slot named '" + slot +
                                "' that ranks have in pieces");
  struct Source {
    Engine& engine;
    Source(Engine& e, const ParameterStore* pieces) : engine(e) { take(pieces); }
    ~Source() { take(nullptr); }
    void take(const ParameterStore* pieces) {
      engine.streamed_slot_ = pieces;
      engine.forget_rooms();
    }
  } const source(*this, slot == "policy" ? nullptr : &held->second.pieces);
  ranks_->begin_pass(label);
  const BlockHooks hooks = weight_hooks();
  TokenValues values(0);
  if (arguments)
    values = pass(*arguments, *streamed_, packed_of(slot), hooks, nullptr, AbortFlag());
  else
    for (int64_t block = 0; block < layout_.blocks(); ++block) hooks.before(block);
  abort.check();  // not before: the others need this rank's part of every block
  return values;
}

void Engine::idle_turn() {
  const int64_t last = layout_.blocks() - 1;
  int64_t lowest = last;  // that is trained: the backward of the others ends there
  for (const Unit& unit : ranks_->partition().units()) lowest = std::min(lowest, unit.block);
  const BlockHooks forward = weight_hooks(), backward = gradient_hooks();
  for (int64_t block = 0; block <= last; ++block) forward.before(block);
  begin_backward(backward);
  backward.after(last);
  for (int64_t block = last - 1; block >= lowest; --block) {
    backward.before(block);
    backward.after(block);
  }
}

}  // namespace kogrpo
