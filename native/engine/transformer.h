#pragma once
// The Qwen3 blocks over a packed batch: forward, and backward from ∂L/∂(final hidden states).
//
// Kept per token and layer for the backward: both residual inputs x0, x1 [H], raw qkv, rotated qk,
// attention output and lse, gate|up. Norm outputs and SwiGLU outputs are recomputed (they cost a
// pass over memory and no product). With `recompute`, only x0 is kept and the block runs again.

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "engine/config.h"
#include "engine/errors.h"
#include "engine/lora.h"
#include "engine/parameters.h"
#include "ops/ops.h"
#include "ops/storage.h"

namespace kogrpo {

// Sequences one behind the other: tokens[T], cu_seqlens[B+1]; positions restart with each sequence.
//
// The caller's sequences are whole. Where some begin like their root (the completions of one
// prompt), the rows of that prefix are computed once: of a sequence with prefixes[b] = p > 0 only
// the rows from position p on are in the batch, and row_of says where the caller's tokens are.
struct PackedBatch {
  std::vector<int32_t> tokens, cu_seqlens, positions;
  std::vector<int32_t> prefixes;  // [B]; empty: nothing is shared

  // The caller's view: its offsets, and the row of each of its tokens.
  std::vector<int32_t> whole_cu_seqlens, row_of;

  // Checks the arguments (names in messages are the JavaScript ones). `prefixes` may be empty.
  static PackedBatch make(std::span<const int32_t> tokens, std::span<const int32_t> cu_seqlens,
                          std::span<const int32_t> prefixes, int64_t vocab_size);
  int64_t size() const { return static_cast<int64_t>(tokens.size()); }
  size_t whole_size() const { return row_of.size(); }
  // Of each row, a hash of its sequence's tokens up to it: equal for equal beginnings.
  std::vector<uint64_t> identities() const;
  int64_t longest() const;  // positions in use
};

// cos and sin over positions, in the same single-precision steps as transformers'
// Qwen3RotaryEmbedding.
class RopeTable {
 public:
  RopeTable(Device& device, const ModelConfig& config)
      : device_(device), head_dim_(config.head_dim), theta_(config.rope_theta) {}
  // Makes rows [0, positions) available.
  void reserve(int64_t positions);
  Tensor cos() const { return cos_.view(DType::f32, rows_, head_dim_ / 2); }
  Tensor sin() const { return sin_.view(DType::f32, rows_, head_dim_ / 2); }

 private:
  Device& device_;
  int64_t head_dim_;
  double theta_;
  int64_t rows_ = 0;
  Storage cos_, sin_;
};

// Weights of one slot in the backend's streaming layout (see Ops::pack).
struct PackedModel {
  struct Layer {
    std::unique_ptr<PackedWeight> qkv, o, gate_up, down;
  };
  std::vector<Layer> layers;
  std::unique_ptr<PackedWeight> head;

  PackedModel(Ops& ops, const ModelView& weights);
  // Nothing packed, or not yet: products of fp32 and bf16 read the weights as they are, and give
  // the same bits.
  explicit PackedModel(size_t layers_without) : layers(layers_without) {}
  // Of everything that is packed; null weights (a backend that packs nothing) count as empty.
  uint64_t digest() const;
};

struct LayerActivations {
  Storage x0, rstd0, qkv, qk, attention, lse, x1, rstd1, gate_up;
};

struct Activations {
  bool recompute = false;
  LoraDropout dropout;                   // of the forward; the backward's is the same
  std::vector<LayerActivations> layers;  // with recompute: x0 only
  Storage x, rstd, normed;               // final residual, its norm's 1/rms, normed output
  Tensor hidden;                         // the normed output [T,H]
};

// Called after each layer with what it computed; `act` [T,I] is the input of its down projection,
// of the type that all activations have.
using LayerTap =
    std::function<void(size_t layer, const LayerActivations& activations, const Tensor& act)>;

// Told of the model's blocks (Parameter::block): before one is worked on, and when it is done.
struct BlockHooks {
  std::function<void(int64_t block)> before, after;
};

class Transformer {
 public:
  // `type` is that of weights, gradients and activations, but for those that nothing but products
  // reads: operands(). `precision` is that of products with the weights.
  Transformer(Device& device, const ModelConfig& config, DType type, Precision precision)
      : device_(device),
        ops_(device.ops()),
        config_(config),
        type_(type),
        attention_type_(device.operands(type, precision)),
        rope_(device, config),
        lora_(device) {}

  // Fills `state`; state.hidden [T,H] is the input of the LM head. `hooks` are told of every block,
  // the embedding first; of the last one the head is left to the caller.
  void forward(const ModelView& weights, const PackedModel* packed, const PackedBatch& batch,
               Activations& state, const BlockHooks& hooks, const AbortFlag& abort,
               const LayerTap& tap = {});

  // From dhidden [T,H] = ∂L/∂hidden; accumulates into `gradients`, where a tensor without data is
  // frozen: no product is made for it, and layers below the last trained one are not gone through.
  // `state` must be of the same weights. `hooks` are told of every block that is gone through,
  // the last one first (the caller has begun it), the embedding at the end.
  void backward(const ModelView& weights, const PackedModel* packed, const ModelView& gradients,
                const PackedBatch& batch, Activations& state, const Tensor& dhidden,
                const BlockHooks& hooks, const AbortFlag& abort);

  RopeTable& rope() { return rope_; }
  Lora& lora() { return lora_; }
  DType type() const { return type_; }
  // What attention's products take queries, keys and values for: so generation may store them.
  DType attention_type() const { return attention_type_; }
  // Of what nothing but products with `weight` reads.
  DType operands(const Tensor& weight) const { return device_.operands(type_, weight.precision); }

 private:
  void allocate(LayerActivations& layer, int64_t tokens);
  void layer_forward(const LayerView& w, const PackedModel::Layer* packed, const PackedBatch& batch,
                     LayerActivations& a, const LoraDropout& dropout, DType operands,
                     const Tensor& x2);
  void layer_backward(const LayerView& w, const PackedModel::Layer* packed, const LayerView& g,
                      const PackedBatch& batch, LayerActivations& a, const LoraDropout& dropout,
                      const Tensor& dx);

  // Of a layer's products: the adapters' dropout masks what otherwise they alone would read.
  DType operands(const LayerView& w, const LoraDropout& dropout) const {
    return dropout.p > 0 ? type_ : operands(w.qkv);
  }
  Precision attention_precision() const {
    return attention_type_ == DType::bf16 ? Precision::bf16 : Precision::f32;
  }
  // A gradient that is wanted, or a place for one that is not: the norms' backwards make it anyway.
  Tensor gradient(const Tensor& wanted, size_t place = 0);
  // dw += dyᵀ x unless w is frozen.
  void accumulate(const Tensor& dy, const Tensor& x, const Tensor& dw);

  Device& device_;
  Ops& ops_;
  const ModelConfig& config_;
  DType type_, attention_type_;
  RopeTable rope_;
  Lora lora_;
  LayerActivations recomputed_;
  std::array<Storage, 2> unwanted_;
  Storage h_, act_, dact_, dgate_up_, dh_, dattention_, dqk_, dqkv_, dx_, x2_;
};

}  // namespace kogrpo
