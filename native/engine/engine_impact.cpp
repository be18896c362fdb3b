// How much of a layer's output each neuron makes on a batch: what "activation impact" scores are of
// (2402.18815: the norm of the change when the neuron is removed). Root mean squares over tokens:
//
//   channel i of the feed-forward   rms(act_i) · ‖W_down[:,i]‖
//   row i of v                      rms(v_i) · ‖the columns of W_o that read it‖
//   row i of q, of k                rms(q_i) · rms(k_i): its part in the attention's scores, after
//                                   norm and rotation; a row of k meets all heads that read it
//
// Σ_t x[t,i]² is what RmsNormBackward leaves in dweight for dy = x and rstd = 1, so every backend
// has it; x may be activations (over tokens) or a weight (over its rows).

#include <cmath>

#include "engine/engine.h"

namespace kogrpo {
namespace {

constexpr int64_t kRows = 256;

class ColumnSquares {
 public:
  explicit ColumnSquares(Ops& ops) : ops_(ops) {}

  // Σ over the rows of x², by column.
  std::vector<float> operator()(const Tensor& x) {
    const auto n = static_cast<size_t>(x.cols);
    float* ones = filled(ones_, std::max(n, static_cast<size_t>(kRows)), 1.0f);
    float* sums = filled(sums_, n, 0.0f);
    float* unread = unread_.reserve(n * static_cast<size_t>(kRows));
    for (int64_t row = 0; row < x.rows; row += kRows) {
      const int64_t rows = std::min(kRows, x.rows - row);
      Tensor part = x.row_range(row, rows);
      part.precision = Precision::f32;
      ops_.rmsnorm_backward({part, part, vector(ones, x.cols), vector(ones, rows),
                             matrix(unread, rows, x.cols), vector(sums, x.cols), false});
    }
    return {sums, sums + n};
  }

 private:
  static float* filled(Buffer<float>& buffer, size_t n, float value) {
    float* p = buffer.reserve(n);
    std::fill_n(p, n, value);
    return p;
  }

  Ops& ops_;
  Buffer<float> ones_, sums_, unread_;
};

}  // namespace

std::vector<float> Engine::activation_impact(const BatchArguments& arguments,
                                             const AbortFlag& abort) {
  const PackedBatch batch = make_batch(arguments);
  const int64_t t = batch.size(), d = config_.head_dim;
  const int64_t q = config_.q_size(), kv = config_.kv_size(), wide = config_.intermediate_size;
  const int64_t group = config_.num_heads / config_.num_kv_heads;
  ColumnSquares squares(ops_);
  std::vector<float> scores;
  const auto tap = [&](size_t l, const LayerActivations& a, const Tensor& act) {
    const std::vector<float> qk = squares(matrix(const_cast<float*>(a.qk.data()), t, q + kv));
    const std::vector<float> v =
        squares(matrix(const_cast<float*>(a.qkv.data()), t, q + 2 * kv).columns(q + kv, kv));
    const std::vector<float> channels = squares(act);
    const std::vector<float> o = squares(policy_.layers[l].o);
    const std::vector<float> down = squares(policy_.layers[l].down);
    const auto at = [](const std::vector<float>& values, int64_t i) {
      return double(values[static_cast<size_t>(i)]);
    };
    const auto add = [&](double square, double tokens) {
      scores.push_back(static_cast<float>(std::sqrt(square) / tokens));
    };
    const auto rows = double(t);
    // Channel c of head h reads channel c of key/value head h / group.
    const auto sum_of_group = [&](const std::vector<float>& by_head, int64_t i) {
      double sum = 0;
      for (int64_t g = 0; g < group; ++g) sum += at(by_head, ((i / d) * group + g) * d + i % d);
      return sum;
    };
    for (int64_t i = 0; i < q; ++i) add(at(qk, i) * at(qk, q + i / d / group * d + i % d), rows);
    for (int64_t i = 0; i < kv; ++i) add(at(qk, q + i) * sum_of_group(qk, i), rows);
    for (int64_t i = 0; i < kv; ++i) add(at(v, i) / rows * sum_of_group(o, i), 1);
    for (int64_t i = 0; i < wide; ++i) add(at(channels, i) / rows * at(down, i), 1);
  };
  Activations state;
  state.recompute = true;
  transformer_.forward(policy_, packed_.get(), batch, state, abort, tap);
  return scores;
}

}  // namespace kogrpo
