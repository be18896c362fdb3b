#pragma once
// Data-parallel training: ranks share the micro-batches of a step, and each holds, sums and
// (sharded) updates a slice of the flat parameters.
//
// The sum of gradients does not depend on the number of ranks, to the bit. Its unit is the
// micro-batch: a gradient is formed from zero, and micro-batches are added to the sum one by one in
// their order,  g = ((g_0 + g_1) + g_2) + …  They are handed out in turns, so after every rank has
// done one, all_to_all brings the parts of a slice to its owner, who adds them in the order of
// ranks. It costs what a ZeRO-2 reduce-scatter a micro-batch costs: (size − 1)/size of the gradient
// sent by each rank, and the gradient's memory plus a slice. The norm is the sum of squares of
// fixed units of the flat parameters, in their order.
//
//   Shard::none       every rank gets the whole sum and updates all parameters
//   Shard::optimizer  every rank holds the moments of its slice only and updates it (ZeRO-1,
//                     Rajbhandari et al. 2020); then the parameters are gathered

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "ops/buffer.h"
#include "ops/ops.h"

namespace kogrpo {

enum class Shard { none, optimizer };

// Elements [begin, end) of the flat parameters.
struct Slice {
  int64_t begin = 0, end = 0;
  int64_t size() const { return end - begin; }
};

class DataParallel {
 public:
  // `total`: flat parameters.
  DataParallel(std::unique_ptr<Communicator> communicator, Ops& ops, int64_t total, Shard shard);

  Communicator& communicator() { return *communicator_; }
  // Other parameters are trained from now on, between two steps.
  void resize(int64_t total);
  bool sharded() const { return shard_ == Shard::optimizer; }
  Slice slice(int rank) const;
  Slice own() const { return slice(communicator_->rank()); }

  // One turn: the first `contributors` ranks have a micro-batch's gradient in gradient[total].
  void add(const float* gradient, int contributors, const std::string& label);
  // Norm of the sum, the same bits on every rank.
  double norm(const std::string& label);
  // The summed gradient of the own slice; absent before the first turn: zeros.
  const float* sum();
  void clear();

  // whole[total] on every rank from everyone's slice; `mine` may lie inside `whole`.
  void gather(const float* mine, float* whole, const std::string& label);
  // Everyone's slice in flat order, piece by piece, to each rank.
  void stream(const float* mine, const std::string& label,
              const std::function<void(const float*, int64_t)>& piece);

  int64_t bytes() const { return static_cast<int64_t>(sum_.size() * sizeof(float)); }

 private:
  std::unique_ptr<Communicator> communicator_;
  Ops& ops_;
  int64_t total_ = 0, unit_ = 0, units_ = 0, chunk_;
  Shard shard_;
  Buffer<float> sum_, send_, receive_;
  bool summed_ = false;
};

}  // namespace kogrpo
