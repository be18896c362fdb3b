// Looking into a running engine: whether the sampler has the weights that are trained, and where a
// forward pass first leaves the finite numbers.

#include <algorithm>
#include <cmath>

#include "engine/engine.h"
#include "ops/transfer.h"
#include "ops/xxh64.h"

namespace kogrpo {

WeightDigests Engine::weight_digests() {
  require_whole(parameters_);
  std::vector<uint64_t> pieces;  // one where tensors lie in the host's memory
  parameters_.visit(0, layout_.total(), [&](const float* values, int64_t n) {
    pieces.push_back(xxh64(values, static_cast<size_t>(n) * sizeof(float)));
  });
  WeightDigests digests{.parameters = pieces.size() == 1
                                          ? pieces[0]
                                          : xxh64(pieces.data(), pieces.size() * sizeof(uint64_t))};
  if (integers_) {
    // They are what is trained over and what is sampled from.
    digests.sampler = digests.expected = integers_->packed().digest();
    const uint64_t both[] = {digests.parameters, digests.sampler};
    digests.parameters = xxh64(both, sizeof both);
  } else if (packed_) {
    digests.sampler = packed_->digest();
    digests.expected = PackedModel(ops_, policy_).digest();
  }
  return digests;
}

namespace {

// Of a matrix [rows, cols] of activations, by whichever of the caller's tokens has the row first.
std::optional<NonFinite> first_non_finite(const std::string& name, const float* x, int64_t rows,
                                          int64_t cols, std::span<const int32_t> row_of) {
  std::optional<NonFinite> found;
  for (int64_t i = 0; i < rows * cols; ++i) {
    if (std::isfinite(x[i])) continue;
    if (!found) {
      const int64_t row = i / cols;
      const auto token = std::find(row_of.begin(), row_of.end(), static_cast<int32_t>(row));
      found = NonFinite{name, token - row_of.begin(), i % cols, 0, x[i]};
    }
    ++found->count;
  }
  return found;
}

}  // namespace

std::optional<NonFinite> Engine::trace(const BatchArguments& arguments, const std::string& slot,
                                       const AbortFlag& abort) {
  const PackedBatch batch = make_batch(arguments);
  const ModelView& weights = view(slot);
  Activations state;
  transformer_.forward(weights, integers_ ? &integers_->packed() : nullptr, batch, state, {},
                       abort);
  const int64_t t = batch.size(), h = config_.hidden_size;
  const auto look_at = [&](const std::string& name, const Tensor& x) {
    return first_non_finite(name, to_host(*device_, x).data(), t, x.cols, batch.row_of);
  };
  const auto look = [&](const std::string& name, const Storage& x, int64_t cols) {
    return look_at(name, x.view(cols == 1 ? DType::f32 : type_, t, cols));  // 1/rms: fp32
  };
  for (size_t l = 0; l < state.layers.size(); ++l) {
    const LayerActivations& a = state.layers[l];
    const std::string before =
        l == 0 ? "model.embed_tokens" : "model.layers." + std::to_string(l - 1) + ".mlp.down_proj";
    const std::string layer = "model.layers." + std::to_string(l) + ".";
    if (auto found = look(before + " (residual stream)", a.x0, h)) return found;
    if (auto found = look(layer + "input_layernorm (1/rms)", a.rstd0, 1)) return found;
    if (auto found = look(layer + "self_attn.qkv_proj", a.qkv, config_.qkv_size())) return found;
    if (auto found = look(layer + "self_attn.q_norm, k_norm and rotary embedding", a.qk,
                          config_.q_size() + config_.kv_size()))
      return found;
    if (auto found = look(layer + "self_attn.attention", a.attention, config_.q_size()))
      return found;
    if (auto found = look(layer + "self_attn.o_proj (residual stream)", a.x1, h)) return found;
    if (auto found = look(layer + "post_attention_layernorm (1/rms)", a.rstd1, 1)) return found;
    if (auto found =
            look(layer + "mlp.gate_proj and up_proj", a.gate_up, 2 * config_.intermediate_size))
      return found;
  }
  const std::string last =
      "model.layers." + std::to_string(int64_t(state.layers.size()) - 1) + ".mlp.down_proj";
  if (auto found = look(last + " (residual stream)", state.x, h)) return found;
  return look_at("model.norm", state.hidden);
}

}  // namespace kogrpo
