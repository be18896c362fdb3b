#pragma once
// Products with low-rank adapters (LoRA, arXiv 2106.09685), beside those of the frozen weights:
//
//   forward   u = s·x Aᵀ,  y += u Bᵀ                        2·T·rank·(in + out) operations
//   backward  du = s·dy B,  dB += dyᵀ u,  dA += duᵀ x,  dx += du A
//
// u is computed again in the backward, which has x at hand. Every step is an operation of the table
// on rows, so sampling and training give the same bits, and every backend has adapters.

#include "engine/parameters.h"
#include "ops/ops.h"
#include "ops/storage.h"

namespace kogrpo {

class Lora {
 public:
  explicit Lora(Device& device) : device_(device), ops_(device.ops()) {}

  // y [T,out] += the adapters' part of its product with x [T,in]. Nothing if the site has none.
  void forward(const LoraSite& site, const Tensor& x, const Tensor& y);
  // From dy [T,out]: dx [T,in] += the part through the adapters; their own gradients accumulate.
  void backward(const LoraSite& site, const LoraSite& gradient, const Tensor& x, const Tensor& dy,
                const Tensor& dx);

 private:
  // s·x Aᵀ of all targets, side by side.
  Tensor project(const LoraSite& site, const Tensor& x);
  // x *= s
  void scale(const Tensor& x, float s);

  Device& device_;
  Ops& ops_;
  Storage u_, du_, factors_;
  std::vector<float> scales_;  // what factors_ holds
};

}  // namespace kogrpo
