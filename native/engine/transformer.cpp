#include "engine/transformer.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

#include "ops/transfer.h"
#include "ops/xxh64.h"

namespace kogrpo {

namespace {

// Leading tokens of sequence b that are computed with its root's, checked.
int32_t shared_with_root(std::span<const int32_t> tokens, std::span<const int32_t> cu,
                         std::span<const int32_t> prefixes, size_t b, size_t root) {
  const int32_t shared = prefixes[b];
  const std::string name = "prefixes[" + std::to_string(b) + "] = " + std::to_string(shared);
  if (b == 0 && shared != 0)
    throw std::invalid_argument(name + ": the first sequence has none before it to share with");
  const int32_t length = cu[b + 1] - cu[b], most = cu[root + 1] - cu[root];
  if (shared < 0 || shared >= length || shared > most)
    throw std::invalid_argument(name + " must leave at least one of the sequence's " +
                                std::to_string(length) + " tokens, and sequence " +
                                std::to_string(root) + " has " + std::to_string(most));
  for (int32_t i = 0; i < shared; ++i)
    if (tokens[static_cast<size_t>(cu[b] + i)] != tokens[static_cast<size_t>(cu[root] + i)])
      throw std::invalid_argument(name + ", but token " + std::to_string(i) +
                                  " differs from that of sequence " + std::to_string(root));
  return shared;
}

}  // namespace

PackedBatch PackedBatch::make(std::span<const int32_t> tokens, std::span<const int32_t> cu_seqlens,
                              std::span<const int32_t> prefixes, int64_t vocab_size) {
  if (cu_seqlens.size() < 2 || cu_seqlens.front() != 0 ||
      cu_seqlens.back() != static_cast<int64_t>(tokens.size()))
    throw std::invalid_argument("cuSeqlens must start with 0 and end with tokens.length (" +
                                std::to_string(tokens.size()) + ")");
  if (!prefixes.empty() && prefixes.size() + 1 != cu_seqlens.size())
    throw std::invalid_argument("prefixes must have one element per sequence (" +
                                std::to_string(cu_seqlens.size() - 1) + "), not " +
                                std::to_string(prefixes.size()));
  for (size_t b = 0; b + 1 < cu_seqlens.size(); ++b)
    if (cu_seqlens[b + 1] <= cu_seqlens[b])
      throw std::invalid_argument("cuSeqlens[" + std::to_string(b + 1) +
                                  "] must be greater than its predecessor: no empty sequences");
  for (size_t t = 0; t < tokens.size(); ++t)
    if (tokens[t] < 0 || tokens[t] >= vocab_size)
      throw std::invalid_argument("tokens[" + std::to_string(t) +
                                  "] = " + std::to_string(tokens[t]) +
                                  " is outside the vocabulary of " + std::to_string(vocab_size));
  PackedBatch batch;
  batch.whole_cu_seqlens.assign(cu_seqlens.begin(), cu_seqlens.end());
  batch.prefixes.assign(prefixes.begin(), prefixes.end());
  batch.cu_seqlens.push_back(0);
  batch.row_of.resize(tokens.size());
  for (size_t b = 0, root = 0; b + 1 < cu_seqlens.size(); ++b) {
    const int32_t begin = cu_seqlens[b], length = cu_seqlens[b + 1] - begin;
    const int32_t shared =
        prefixes.empty() ? 0 : shared_with_root(tokens, cu_seqlens, prefixes, b, root);
    if (shared == 0) root = b;
    const int32_t root_row = batch.cu_seqlens[root], row = batch.cu_seqlens.back();
    for (int32_t i = 0; i < length; ++i)
      batch.row_of[static_cast<size_t>(begin + i)] = i < shared ? root_row + i : row + i - shared;
    for (int32_t i = shared; i < length; ++i) {
      batch.tokens.push_back(tokens[static_cast<size_t>(begin + i)]);
      batch.positions.push_back(i);
    }
    batch.cu_seqlens.push_back(row + length - shared);
  }
  return batch;
}

std::vector<uint64_t> PackedBatch::identities() const {
  std::vector<uint64_t> all(tokens.size());
  for (size_t b = 0; b + 1 < whole_cu_seqlens.size(); ++b) {
    const auto end = static_cast<size_t>(whole_cu_seqlens[b + 1]);
    uint64_t seen = 0;
    for (auto t = static_cast<size_t>(whole_cu_seqlens[b]); t < end; ++t) {
      const auto row = static_cast<size_t>(row_of[t]);
      const uint64_t link[] = {seen, static_cast<uint64_t>(tokens[row])};
      all[row] = seen = xxh64(link, sizeof link);
    }
  }
  return all;
}

int64_t PackedBatch::longest() const {
  return positions.empty() ? 0 : 1 + *std::max_element(positions.begin(), positions.end());
}

void RopeTable::reserve(int64_t positions) {
  if (positions <= rows_) return;
  const int64_t rows = (std::max(positions, 2 * rows_) + 255) / 256 * 256;
  rows_ = 0;  // until both tables are there
  const int64_t half = head_dim_ / 2;
  std::vector<float> cos(static_cast<size_t>(rows * half)), sin(cos.size());
  for (int64_t i = 0; i < half; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(head_dim_);
    const float inverse_frequency = 1.0f / std::pow(static_cast<float>(theta_), exponent);
    for (int64_t p = 0; p < rows; ++p) {
      const float angle = static_cast<float>(p) * inverse_frequency;
      cos[static_cast<size_t>(p * half + i)] = static_cast<float>(std::cos(double(angle)));
      sin[static_cast<size_t>(p * half + i)] = static_cast<float>(std::sin(double(angle)));
    }
  }
  to_device(device_, cos.data(), cos_.reserve(device_, DType::f32, rows, half));
  to_device(device_, sin.data(), sin_.reserve(device_, DType::f32, rows, half));
  rows_ = rows;
}

PackedModel::PackedModel(Ops& ops, const ModelView& weights) {
  for (const LayerView& w : weights.layers)
    layers.push_back({ops.pack(w.qkv), ops.pack(w.o), ops.pack(w.gate_up), ops.pack(w.down)});
  head = ops.pack(weights.head);
}

uint64_t PackedModel::digest() const {
  std::vector<uint64_t> parts;
  const auto add = [&](const std::unique_ptr<PackedWeight>& w) {
    parts.push_back(w ? w->digest() : 0);
  };
  for (const Layer& layer : layers)
    for (const auto* w : {&layer.qkv, &layer.o, &layer.gate_up, &layer.down}) add(*w);
  add(head);
  return xxh64(parts.data(), parts.size() * sizeof(uint64_t));
}

void Transformer::allocate(LayerActivations& a, int64_t t) {
  const int64_t q = config_.q_size(), kv = config_.kv_size();
  a.rstd0.reserve(device_, DType::f32, 1, t);
  a.qkv.reserve(device_, type_, t, q + 2 * kv);
  a.qk.reserve(device_, type_, t, q + kv);
  a.attention.reserve(device_, type_, t, q);
  a.lse.reserve(device_, DType::f32, t, config_.num_heads);
  a.x1.reserve(device_, type_, t, config_.hidden_size);
  a.rstd1.reserve(device_, DType::f32, 1, t);
  a.gate_up.reserve(device_, type_, t, 2 * config_.intermediate_size);
}

namespace {

Tensor prefixes_of(const PackedBatch& batch) {
  if (batch.prefixes.empty()) return {};
  return ints(const_cast<int32_t*>(batch.prefixes.data()),
              static_cast<int64_t>(batch.prefixes.size()));
}

}  // namespace

void Transformer::layer_forward(const LayerView& w, const PackedModel::Layer* packed,
                                const PackedBatch& batch, LayerActivations& a,
                                const LoraDropout& dropout, DType operands, const Tensor& x2) {
  const int64_t t = batch.size(), h = config_.hidden_size, i = config_.intermediate_size;
  const int64_t q = config_.q_size(), kv = config_.kv_size();
  const Tensor cu = ints(const_cast<int32_t*>(batch.cu_seqlens.data()),
                         static_cast<int64_t>(batch.cu_seqlens.size()));
  const Tensor positions = ints(const_cast<int32_t*>(batch.positions.data()), t);
  const Tensor x0 = a.x0.view(type_, t, h), x1 = a.x1.view(type_, t, h);
  const Tensor normed = h_.reserve(device_, operands, t, h);
  const Tensor qkv = a.qkv.view(type_, t, q + 2 * kv), qk = a.qk.view(type_, t, q + kv);
  const Tensor attention = a.attention.view(type_, t, q);
  const Tensor gate_up = a.gate_up.view(type_, t, 2 * i);
  const Tensor act = act_.reserve(device_, operands, t, i);

  ops_.rmsnorm_forward(
      {x0, w.input_norm, normed, a.rstd0.view(DType::f32, 1, t), config_.rms_norm_eps});
  ops_.linear({normed, w.qkv, qkv, packed ? packed->qkv.get() : nullptr, false});
  lora_.forward(w.lora_qkv, normed, qkv, dropout);
  ops_.qk_norm_rope_forward({qkv, w.q_norm, w.k_norm, positions, rope_.cos(), rope_.sin(), qk,
                             config_.num_heads, config_.num_kv_heads, config_.head_dim,
                             config_.rms_norm_eps});
  ops_.attention_forward({qk.columns(0, q), qk.columns(q, kv), qkv.columns(q + kv, kv), attention,
                          a.lse.view(DType::f32, t, config_.num_heads), cu, config_.num_heads,
                          config_.num_kv_heads, config_.head_dim,
                          1.0f / std::sqrt(static_cast<float>(config_.head_dim)),
                          prefixes_of(batch), !config_.bidirectional, attention_precision()});
  copy(device_, x0, x1);
  ops_.linear({attention, w.o, x1, packed ? packed->o.get() : nullptr, true});
  lora_.forward(w.lora_o, attention, x1, dropout);

  ops_.rmsnorm_forward(
      {x1, w.post_norm, normed, a.rstd1.view(DType::f32, 1, t), config_.rms_norm_eps});
  ops_.linear({normed, w.gate_up, gate_up, packed ? packed->gate_up.get() : nullptr, false});
  lora_.forward(w.lora_gate_up, normed, gate_up, dropout);
  ops_.swiglu_forward({gate_up, act});
  copy(device_, x1, x2);
  ops_.linear({act, w.down, x2, packed ? packed->down.get() : nullptr, true});
  lora_.forward(w.lora_down, act, x2, dropout);
}

void Transformer::forward(const ModelView& weights, const PackedModel* packed,
                          const PackedBatch& batch, Activations& state, const BlockHooks& hooks,
                          const AbortFlag& abort, const LayerTap& tap) {
  const int64_t t = batch.size(), h = config_.hidden_size;
  const auto before = [&](int64_t block) {
    if (hooks.before) hooks.before(block);
  };
  rope_.reserve(batch.longest());
  state.layers.resize(weights.layers.size());
  if (state.recompute) allocate(recomputed_, t);

  const Tensor ids = ints(const_cast<int32_t*>(batch.tokens.data()), t);
  const Tensor x = state.x.reserve(device_, type_, t, h);
  before(0);
  ops_.embedding_forward(
      {ids, weights.embed,
       state.layers.empty() ? x : state.layers[0].x0.reserve(device_, type_, t, h)});

  for (size_t l = 0; l < weights.layers.size(); ++l) {
    abort.check();
    before(static_cast<int64_t>(l) + 1);
    const bool last = l + 1 == weights.layers.size();
    const Tensor output = last ? x : state.layers[l + 1].x0.reserve(device_, type_, t, h);
    LayerActivations& a = state.layers[l];
    const DType operands = tap ? type_ : this->operands(weights.layers[l], state.dropout);
    if (!state.recompute) {
      allocate(a, t);
      layer_forward(weights.layers[l], packed ? &packed->layers[l] : nullptr, batch, a,
                    state.dropout, operands, output);
    } else {
      std::swap(recomputed_.x0, a.x0);
      layer_forward(weights.layers[l], packed ? &packed->layers[l] : nullptr, batch, recomputed_,
                    state.dropout, operands, output);
      std::swap(recomputed_.x0, a.x0);
    }
    if (tap)
      tap(l, state.recompute ? recomputed_ : a, act_.view(type_, t, config_.intermediate_size));
  }
  before(config_.num_layers + 1);
  state.hidden = state.normed.reserve(device_, operands(weights.head), t, h);
  ops_.rmsnorm_forward({x, weights.final_norm, state.hidden,
                        state.rstd.reserve(device_, DType::f32, 1, t), config_.rms_norm_eps});
}

Tensor Transformer::gradient(const Tensor& wanted, size_t place) {
  if (wanted.data) return wanted;
  return unwanted_[place].reserve(device_, type_, wanted.rows, wanted.cols);
}

void Transformer::accumulate(const Tensor& dy, const Tensor& x, const Tensor& dw) {
  if (dw.data) ops_.linear_backward_weight({dy, x, dw});
}

void Transformer::layer_backward(const LayerView& w, const PackedModel::Layer* packed,
                                 const LayerView& g, const PackedBatch& batch, LayerActivations& a,
                                 const LoraDropout& dropout, const Tensor& dx) {
  const int64_t t = batch.size(), h = config_.hidden_size, i = config_.intermediate_size;
  const int64_t q = config_.q_size(), kv = config_.kv_size();
  const auto scratch = [&](Storage& storage, int64_t cols) {
    return storage.reserve(device_, type_, t, cols);
  };
  const Tensor cu = ints(const_cast<int32_t*>(batch.cu_seqlens.data()),
                         static_cast<int64_t>(batch.cu_seqlens.size()));
  const Tensor positions = ints(const_cast<int32_t*>(batch.positions.data()), t);
  const Tensor x0 = a.x0.view(type_, t, h), x1 = a.x1.view(type_, t, h);
  const Tensor rstd0 = a.rstd0.view(DType::f32, 1, t), rstd1 = a.rstd1.view(DType::f32, 1, t);
  const Tensor qkv = a.qkv.view(type_, t, q + 2 * kv), qk = a.qk.view(type_, t, q + kv);
  const Tensor attention = a.attention.view(type_, t, q);
  const Tensor gate_up = a.gate_up.view(type_, t, 2 * i);
  const DType operands = this->operands(w, dropout);
  const Tensor normed = h_.reserve(device_, operands, t, h), dh = scratch(dh_, h);
  const Tensor act = act_.reserve(device_, operands, t, i);
  const Tensor dgate_up = dgate_up_.reserve(device_, operands, t, 2 * i);

  // Feed-forward: x2 = x1 + down(swiglu(gate_up(norm(x1)))).
  const Tensor dact = scratch(dact_, i);
  ops_.linear_backward_input({dx, w.down, dact, false, packed ? packed->down.get() : nullptr});
  if (!w.lora_down.targets.empty()) {
    ops_.swiglu_forward({gate_up, act});
    lora_.backward(w.lora_down, g.lora_down, act, dx, dact, dropout);
  }
  ops_.swiglu_backward({dact, gate_up, dgate_up, g.down.data ? act : Tensor{}});
  accumulate(dx, act, g.down);
  ops_.rmsnorm_forward({x1, w.post_norm, normed, rstd1, config_.rms_norm_eps});
  accumulate(dgate_up, normed, g.gate_up);
  ops_.linear_backward_input(
      {dgate_up, w.gate_up, dh, false, packed ? packed->gate_up.get() : nullptr});
  lora_.backward(w.lora_gate_up, g.lora_gate_up, normed, dgate_up, dh, dropout);
  ops_.rmsnorm_backward({dh, x1, w.post_norm, rstd1, dx, gradient(g.post_norm), true});

  // Attention: x1 = x0 + o(attention(rope(norm(qkv(norm(x0)))))).
  accumulate(dx, attention, g.o);
  const Tensor dattention = scratch(dattention_, q), dqk = scratch(dqk_, q + kv);
  const Tensor dqkv = scratch(dqkv_, q + 2 * kv);
  ops_.linear_backward_input({dx, w.o, dattention, false, packed ? packed->o.get() : nullptr});
  lora_.backward(w.lora_o, g.lora_o, attention, dx, dattention, dropout);
  ops_.attention_backward({dattention, qk.columns(0, q), qk.columns(q, kv), qkv.columns(q + kv, kv),
                           attention, a.lse.view(DType::f32, t, config_.num_heads), cu,
                           dqk.columns(0, q), dqk.columns(q, kv), dqkv.columns(q + kv, kv),
                           config_.num_heads, config_.num_kv_heads, config_.head_dim,
                           1.0f / std::sqrt(static_cast<float>(config_.head_dim)),
                           prefixes_of(batch), !config_.bidirectional, attention_precision()});
  ops_.qk_norm_rope_backward({dqk, qkv, w.q_norm, w.k_norm, positions, rope_.cos(), rope_.sin(),
                              dqkv, gradient(g.q_norm), gradient(g.k_norm, 1), config_.num_heads,
                              config_.num_kv_heads, config_.head_dim, config_.rms_norm_eps});
  ops_.rmsnorm_forward({x0, w.input_norm, normed, rstd0, config_.rms_norm_eps});
  accumulate(dqkv, normed, g.qkv);
  ops_.linear_backward_input({dqkv, w.qkv, dh, false, packed ? packed->qkv.get() : nullptr});
  lora_.backward(w.lora_qkv, g.lora_qkv, normed, dqkv, dh, dropout);
  ops_.rmsnorm_backward({dh, x0, w.input_norm, rstd0, dx, gradient(g.input_norm), true});
}

namespace {

bool trained(const LoraSite& g) {
  return g.a.data ||
         std::any_of(g.targets.begin(), g.targets.end(), [](const auto& t) { return t.b.data; });
}

bool trained(const LayerView& g) {
  return g.input_norm.data || g.qkv.data || g.q_norm.data || g.k_norm.data || g.o.data ||
         g.post_norm.data || g.gate_up.data || g.down.data || trained(g.lora_qkv) ||
         trained(g.lora_o) || trained(g.lora_gate_up) || trained(g.lora_down);
}

// The layer at which the backward may stop: nothing below it is trained.
size_t last_layer(const ModelView& g) {
  if (g.embed.data) return 0;
  size_t l = 0;
  while (l < g.layers.size() && !trained(g.layers[l])) ++l;
  return l;
}

}  // namespace

void Transformer::backward(const ModelView& weights, const PackedModel* packed,
                           const ModelView& gradients, const PackedBatch& batch, Activations& state,
                           const Tensor& dhidden, const BlockHooks& hooks, const AbortFlag& abort) {
  const int64_t t = batch.size(), h = config_.hidden_size;
  const auto before = [&](int64_t block) {
    if (hooks.before) hooks.before(block);
  };
  const auto after = [&](int64_t block) {
    if (hooks.after) hooks.after(block);
  };
  const Tensor dx = dx_.reserve(device_, type_, t, h);
  ops_.rmsnorm_backward({dhidden, state.x.view(type_, t, h), weights.final_norm,
                         state.rstd.view(DType::f32, 1, t), dx, gradient(gradients.final_norm),
                         false});
  after(config_.num_layers + 1);
  const size_t last = last_layer(gradients);
  for (size_t l = weights.layers.size(); l-- > last;) {
    abort.check();
    const auto block = static_cast<int64_t>(l) + 1;
    before(block);
    const PackedModel::Layer* own = packed ? &packed->layers[l] : nullptr;
    LayerActivations& a = state.layers[l];
    if (!state.recompute) {
      layer_backward(weights.layers[l], own, gradients.layers[l], batch, a, state.dropout, dx);
    } else {
      std::swap(recomputed_.x0, a.x0);
      layer_forward(weights.layers[l], own, batch, recomputed_, state.dropout,
                    operands(weights.layers[l], state.dropout), x2_.reserve(device_, type_, t, h));
      layer_backward(weights.layers[l], own, gradients.layers[l], batch, recomputed_, state.dropout,
                     dx);
      std::swap(recomputed_.x0, a.x0);
    }
    after(block);
  }
  if (gradients.embed.data) {
    before(0);
    ops_.embedding_backward(
        {ints(const_cast<int32_t*>(batch.tokens.data()), t), dx, gradients.embed});
    after(0);
  }
}

}  // namespace kogrpo
