#pragma once
// Which parameters training moves. Gradients, AdamW's moments, the sums over ranks and parameter
// slots exist for these alone, in a run of their own: the trained parameters in the order of the
// flat ones, one behind the other. A matrix that is read jointly with others (q, k, v; gate, up) is
// in the run whole when one of them is trained. Both runs have the layout's alignment.
//
// Of a trained matrix some rows or columns alone may be trained ("neurons"). Then the gradient of
// the others is cleared, so their moments stay 0 and AdamW moves them by exactly nothing; decay is
// applied to the trained ones only.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/parameters.h"
#include "engine/partition.h"
#include "ops/buffer.h"
#include "ops/ops.h"
#include "ops/storage.h"

namespace kogrpo {

// The rows or the columns of a matrix that are trained, one of the two; ascending indices.
struct TrainedPart {
  std::string name;
  std::vector<int32_t> rows, columns;
};

class Trainable {
 public:
  Trainable() = default;  // nothing
  // Everything; of a model with adapters, these.
  explicit Trainable(const ParameterLayout& layout);
  // `names`, whole but for the `parts` of some. Throws std::invalid_argument.
  Trainable(const ParameterLayout& layout, std::span<const std::string> names,
            std::span<const TrainedPart> parts);

  // What this one has not: the frozen parameters, in a run of their own. Nothing of it is trained;
  // ranks divide it as they do this one (shard: parameters).
  Trainable rest(const ParameterLayout& layout) const;

  // Elements of the run, with what the alignment adds.
  int64_t total() const { return total_; }

  // A stretch that is consecutive in both runs, with or without decay.
  struct Piece {
    int64_t parameter = 0;  // first element in the flat parameters
    int64_t at = 0;         // and in the run
    int64_t size = 0;
    bool decay = true;
    int part = -1;  // of parts_, or the whole is trained
  };
  const std::vector<Piece>& pieces() const { return pieces_; }
  // Where a parameter begins in the run; none: it is frozen.
  std::optional<int64_t> find(const Parameter& parameter) const;
  // f(at, parameter, n) for the stretches of a part of the run, and where they are in the
  // parameters.
  template <class F>
  void each_in(Slice part, F&& f) const {
    for (const Piece& p : pieces_) {
      const int64_t begin = std::max(p.at, part.begin), end = std::min(p.at + p.size, part.end);
      if (begin < end) f(begin, p.parameter + begin - p.at, end - begin);
    }
  }
  // The run by blocks of the model, without gaps.
  std::vector<Unit> units(const ParameterLayout& layout) const;
  // parameter − at, where it is the same of all pieces: the run is a stretch of the parameters.
  std::optional<int64_t> shift() const;

  bool has_parts() const { return !parts_.empty(); }
  // Clears the gradient of rows and columns that are not trained, of the parameters within `of`;
  // gradient[0] is of the first element there.
  void clear_frozen(Device& device, Slice of, const Tensor& gradient) const;
  // Elements [begin, end) of a piece that lie in `values`, with their `remainder` where they are
  // masters of bf16: the trained ones *= factor.
  void decay(Device& device, const Piece& piece, int64_t begin, int64_t end, const Tensor& values,
             int16_t* remainder, float factor) const;

 private:
  struct Part {
    int64_t rows = 0, cols = 0;
    std::vector<uint8_t> row_trained;     // [rows], or empty
    std::vector<uint8_t> column_trained;  // [cols], or empty
    mutable Storage mask{};  // of the two, the one there is; on a device with memory of its own
  };
  void build(const ParameterLayout& layout, std::span<const uint8_t> trained,
             std::span<const int> parts);
  // x[begin, end) of the part: trained elements *= yes, the others *= no.
  static void scale(Device& device, const Part& part, int64_t begin, int64_t end,
                    const Tensor& values, int16_t* remainder, float yes, float no);
  static void scale_on_host(Ops& ops, const Part& part, int64_t begin, int64_t end, float* values,
                            float yes, float no);

  int64_t total_ = 0;
  std::vector<Piece> pieces_;
  std::vector<int64_t> at_;      // by parameter of the run, −1: frozen
  std::vector<int64_t> offset_;  // of each of these, to find it again
  std::vector<Part> parts_;
};

}  // namespace kogrpo
