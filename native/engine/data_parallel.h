#pragma once
// Data-parallel training: ranks share the micro-batches of a step, and each holds, sums and
// (sharded) updates its pieces of the trained parameters (partition.h).
//
// The sum of gradients does not depend on the number of ranks, to the bit. Its unit is the
// micro-batch: a gradient is formed from zero, and micro-batches are added to the sum one by one in
// their order,  g = ((g_0 + g_1) + g_2) + …  They are handed out in turns. As soon as a block of
// the model has its gradient, all_to_all brings the pieces of its unit to their owners, who add
// them in the order of ranks, while the next block's backward runs. It costs what a ZeRO-2
// reduce-scatter a micro-batch costs: (size − 1)/size of the gradient sent by each rank. The norm
// is the sum of squares of fixed grains of the run, in their order. A micro-batch's gradient is
// sent as the device stores it (bf16 on a GPU); the sum is fp32 everywhere.
//
// What is sent goes through the device's lane (ops/lane.h): on a GPU a stream beside the
// backward's, ordered by events, and the host waits for nothing but the norm.
//
// Sharding (ZeRO, Rajbhandari et al. 2020, arXiv 1910.02054), each with what is before it:
//   none        every rank gets the whole sum and updates all parameters
//   optimizer   a rank holds the moments of its pieces only and updates these; then the parameters
//               are gathered
//   gradients   no rank has room for a whole gradient (Rooms): a block's is gone when it is sent
//   parameters  nor for whole weights while it trains: a block's are gathered when they are needed.
//               Of what is frozen ranks have pieces too, by a partition of its own

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "engine/partition.h"
#include "ops/device.h"
#include "ops/storage.h"

namespace kogrpo {

// Bytes of all ranks together that are under way at a time, in each direction.
constexpr int64_t kStaging = int64_t{32} << 20;

class DataParallel {
 public:
  // `type`: of gradients.
  DataParallel(std::unique_ptr<Communicator> communicator, Device& device, DType type,
               Partition partition, Shard shard);
  ~DataParallel();

  int rank() const { return communicator_->rank(); }
  int size() const { return communicator_->size(); }
  // When every exchange has ended; throws what one has failed with.
  Communicator& communicator();
  // Other parameters are trained from now on, between two steps; `frozen` are gathered beside them.
  void resize(Partition partition, Partition frozen);
  Shard shard() const { return shard_; }
  bool sharded() const { return shard_ >= Shard::optimizer; }
  const Partition& partition() const { return partition_; }
  const Partition& frozen() const { return frozen_; }
  // This rank's pieces, and their elements.
  const std::vector<Held>& own() const { return own_; }
  int64_t held() const { return held_; }

  // A turn: the first `contributors` ranks have a micro-batch. Each of them hands over every unit's
  // gradient, blocks in the order of the backward, units of a block in that of the run; `gradient`
  // is the unit's first element. It must stay until wait() for the number given back.
  void begin_turn(int contributors, const std::string& label);
  uint64_t exchange(size_t unit, const void* gradient);
  void wait(uint64_t exchange) { lane_->wait(exchange); }
  // Takes part in the exchanges that were not called for; when it returns the turn is in the sum.
  void end_turn();
  bool in_turn() const { return in_turn_; }
  // Throws std::invalid_argument within a turn, whose micro-batches `what` would leave out.
  void require_no_turn(const char* what) const;
  // Whether this rank has one of the turn's micro-batches.
  bool contributes() const { return communicator_->rank() < contributors_; }
  // A pass over the model outside of turns, whose weights are gathered ahead.
  void begin_pass(const std::string& label);
  // gather() in a turn or pass, beside what is computed; the number is for wait(). `mine` and
  // `whole` must stay until then.
  uint64_t gather_ahead(const Partition& of, size_t unit, const Tensor& mine, const Tensor& whole);

  // Norm of the sum, the same bits on every rank.
  double norm(const std::string& label);
  // The summed gradient of the own pieces [1, held]; before the first turn: zeros.
  Tensor sum();
  void clear();

  // whole[size of the unit] on every rank from everyone's piece, whose first elements the tensors
  // begin with; elements of any type, the same in both. `mine` may lie inside `whole`. `of`: one of
  // the two partitions.
  void gather(const Partition& of, size_t unit, const Tensor& mine, const Tensor& whole,
              const std::string& label);

  // Of the sum, and of what is on its way.
  int64_t bytes() const { return static_cast<int64_t>(sum_.bytes()); }

 private:
  // Units in the order of the backward.
  std::vector<size_t> backward_order() const;
  // Elements of a piece that are on their way at a time.
  int64_t chunk(DType type) const;
  void make_staging();
  void gather_now(const Partition& of, size_t unit, const Tensor& mine, const Tensor& whole,
                  const Label& label);
  void add(size_t unit, const void* gradient, const Label& label);

  std::unique_ptr<Communicator> communicator_;
  Device& device_;
  DType type_;
  Partition partition_, frozen_;
  std::vector<Held> own_;
  int64_t held_ = 0;
  Shard shard_;
  Storage sum_, send_, receive_;
  bool summed_ = false;

  bool in_turn_ = false;
  int contributors_ = 0;
  std::string label_;
  std::vector<size_t> order_;
  size_t next_ = 0;             // of order_
  uint64_t gathers_ = 0;        // of this turn
  std::unique_ptr<Lane> lane_;  // the last member: its jobs use the others
};

}  // namespace kogrpo
