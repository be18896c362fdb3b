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

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "engine/engine.h"
#include "ops/transfer.h"

namespace kogrpo {
namespace {

constexpr int64_t kRows = 256;

class ColumnSquares {
 public:
  explicit ColumnSquares(Device& device) : device_(device) {}

  // Σ over the rows of x², by column.
  std::vector<float> operator()(const Tensor& x) {
    const std::vector<float> ones(static_cast<size_t>(std::max(x.cols, kRows)), 1.0f);
    const Tensor weight = weight_.reserve(device_, x.dtype, 1, x.cols);
    const Tensor rstd = rstd_.reserve(device_, DType::f32, 1, kRows);
    const Tensor sums = sums_.reserve(device_, x.dtype, 1, x.cols);
    to_device(device_, ones.data(), weight);
    to_device(device_, ones.data(), rstd);
    zero(device_, sums);
    for (int64_t row = 0; row < x.rows; row += kRows) {
      const int64_t rows = std::min(kRows, x.rows - row);
      Tensor part = x.row_range(row, rows);
      part.precision = Precision::f32;
      device_.ops().rmsnorm_backward({part, part, weight, rstd.columns(0, rows),
                                      unread_.reserve(device_, x.dtype, rows, x.cols), sums,
                                      false});
    }
    return to_host(device_, sums);
  }

 private:
  Device& device_;
  Storage weight_, rstd_, sums_, unread_;
};

}  // namespace

std::vector<float> Engine::activation_impact(const BatchArguments& arguments,
                                             const AbortFlag& abort) {
  const PackedBatch batch = make_batch(arguments);
  const int64_t t = batch.size(), d = config_.head_dim;
  const int64_t q = config_.q_size(), kv = config_.kv_size(), wide = config_.intermediate_size;
  const int64_t group = config_.num_heads / config_.num_kv_heads;
  ColumnSquares squares(*device_);
  std::vector<float> scores;
  const auto tap = [&](size_t l, const LayerActivations& a, const Tensor& act) {
    const std::vector<float> qk = squares(a.qk.view(type_, t, q + kv));
    const std::vector<float> v = squares(a.qkv.view(type_, t, q + 2 * kv).columns(q + kv, kv));
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
  if (integers_)
    throw std::invalid_argument(
        "activationImpact: reads the weights, which are 8-bit integers here; open the model in "
        "float32");
  Activations state;
  state.recompute = true;
  transformer_.forward(view("policy"), packed_of("policy"), batch, state, {}, abort, tap);
  return scores;
}

}  // namespace kogrpo
