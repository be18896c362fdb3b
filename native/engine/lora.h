#pragma once
// Products with low-rank adapters (LoRA, arXiv 2106.09685), beside those of the frozen weights:
//
//   forward   u = s·x Aᵀ,  y += u Bᵀ                        2·T·rank·(in + out) operations
//   backward  du = s·dy B,  dB += dyᵀ u,  dA += duᵀ x,  dx += du A
//
// u is computed again in the backward, which has x at hand. Every step is an operation of the table
// on rows, so sampling and training give the same bits, and every backend has adapters.
//
// With dropout (PEFT's lora_dropout) a training pass reads m∘x in x's place, every target with a
// mask m of its own that its backward makes again; dx += m∘(du A). A row's mask is of what the row
// sees: its Philox counter holds a hash of the row's tokens up to itself, so neither batch, order,
// threads nor ranks change it, and rows that sequences share are the same in each of them.

#include <cstdint>
#include <vector>

#include "engine/parameters.h"
#include "ops/ops.h"
#include "ops/storage.h"

namespace kogrpo {

// What a pass leaves out of the adapters' inputs: nothing where p is 0.
struct LoraDropout {
  double p = 0;
  uint64_t key = 0;                  // of the seed and the optimizer's step
  std::vector<uint64_t> identities;  // of the batch's rows
};

class Lora {
 public:
  explicit Lora(Device& device) : device_(device), ops_(device.ops()) {}

  // y [T,out] += the adapters' part of its product with x [T,in]. Nothing if the site has none.
  void forward(const LoraSite& site, const Tensor& x, const Tensor& y,
               const LoraDropout& dropout = {});
  // From dy [T,out]: dx [T,in] += the part through the adapters; their own gradients accumulate.
  // `dropout`: the forward's.
  void backward(const LoraSite& site, const LoraSite& gradient, const Tensor& x, const Tensor& dy,
                const Tensor& dx, const LoraDropout& dropout = {});

 private:
  // s·x Aᵀ of A's rows [begin, begin + count), in elements of `type`.
  Tensor project(const LoraSite& site, int64_t begin, int64_t count, const Tensor& x, DType type);
  // x *= s
  void scale(const Tensor& x, float s);
  // m∘x of one target.
  Tensor masked(const LoraSite::Target& target, const Tensor& x, const LoraDropout& dropout);

  void forward_masked(const LoraSite& site, const Tensor& x, const Tensor& y,
                      const LoraDropout& dropout);
  void backward_masked(const LoraSite& site, const LoraSite& gradient, const Tensor& x,
                       const Tensor& dy, const Tensor& dx, const LoraDropout& dropout);

  Device& device_;
  Ops& ops_;
  Storage u_, du_, factors_, masked_;
  std::vector<float> scales_;  // what factors_ holds
};

}  // namespace kogrpo
