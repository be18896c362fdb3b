// Weights of which a rank holds its pieces only (shard: parameters, ZeRO-3). In a turn a block's
// weights are gathered into a room (Rooms) before they are used, the next block's meanwhile. So are
// they in every step of sampling, which ranks then make together. To score, evaluate or save, and
// to sample where there is room, they are gathered whole and kept until the next turn begins. The
// pieces are what is trained and what a state is made of.

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
}

void Engine::cut_weights() {
  const int64_t n = std::max<int64_t>(ranks_->held(), 1);
  pieces_ = ParameterStore(*device_, type_, n, parameters_.remainders(0) ? 0 : n);
  take_pieces(parameters_, pieces_);
  weight_rooms_.reserve(*device_, type_, 1, gradient_rooms_.size);
  const Tensor room = weight_rooms_.view(type_, 1, gradient_rooms_.size);
  const std::vector<Unit>& units = ranks_->partition().units();
  streamed_.emplace(
      config_, layout_, options_.lora,
      [&](const Parameter& p) {
        size_t u = 0;
        while (units[u].run.end <= p.offset) ++u;
        return room.element(gradient_rooms_.at[u] + p.offset - units[u].run.begin);
      },
      type_, options_.precision);
  weights_there_.assign(static_cast<size_t>(layout_.blocks()), 0);
}

void Engine::take_pieces(const ParameterStore& whole, const ParameterStore& pieces) {
  for (const Held& mine : ranks_->own()) {
    const int64_t n = mine.run.size();
    if (n == 0) continue;
    copy(*device_, whole.flat().columns(mine.run.begin, n), pieces.flat().columns(mine.at, n));
    if (pieces.remainders(mine.at))
      copy(*device_, whole.rest(mine.run.begin, n), pieces.rest(mine.at, n));
  }
}

void Engine::gather_whole(const ParameterStore& pieces, ParameterStore& whole,
                          const std::string& label) {
  const int64_t total = layout_.total();
  const bool rests = pieces.remainders(0) != nullptr;
  whole = ParameterStore(*device_, type_, total, rests ? 0 : total);
  for (size_t u = 0; u < ranks_->own().size(); ++u) {
    const Held& mine = ranks_->own()[u];
    const Slice run = ranks_->partition().units()[u].run;
    ranks_->gather(u, pieces.flat().columns(mine.at, mine.run.size()),
                   whole.flat().columns(run.begin, run.size()), label);
    if (rests)
      ranks_->gather(u, pieces.rest(mine.at, mine.run.size()), whole.rest(run.begin, run.size()),
                     label);
  }
}

void Engine::hold_weights(bool slots, const std::string& label) {
  if (!weights_in_pieces()) return;
  if (ranks_->in_turn())
    throw std::invalid_argument("holdWeights: a turn is under way: accumulate first");
  if (!parameters_.there()) {
    gather_whole(pieces_, parameters_, label);
    make_view();
  }
  for (auto& [name, slot] : slots_) {
    if (!slots || slot.parameters.there()) continue;
    gather_whole(slot.pieces, slot.parameters, label + ", slot " + name);
    slot.view = ModelView(config_, layout_, options_.lora, locate(&slot.parameters), type_,
                          options_.precision);
  }
}

void Engine::drop_weights() {
  if (!weights_in_pieces()) return;
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
  const std::vector<Unit>& units = ranks_->partition().units();
  for (size_t u = 0; u < units.size(); ++u)
    if (units[u].block == block)
      there = ranks_->gather_ahead(
          u, pieces_.flat().columns(ranks_->own()[u].at, ranks_->own()[u].run.size()),
          weight_rooms_.view(type_, 1, gradient_rooms_.size)
              .columns(gradient_rooms_.at[u], units[u].run.size()));
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

void Engine::idle_turn() {
  const int64_t last = layout_.blocks() - 1;
  const BlockHooks forward = weight_hooks(), backward = gradient_hooks();
  for (int64_t block = 0; block <= last; ++block) forward.before(block);
  begin_backward(backward);
  backward.after(last);
  for (int64_t block = last - 1; block >= 0; --block) {
    backward.before(block);
    backward.after(block);
  }
}

}  // namespace kogrpo
