#pragma once
// Values between host and device, as fp32 on the host whatever the device stores.

#include <vector>

#include "ops/bf16.h"
#include "ops/device.h"

namespace kogrpo {

// From a contiguous fp32 or bf16 tensor. Waits.
inline void to_host(Device& device, const Tensor& from, float* to) {
  const auto n = static_cast<size_t>(from.size());
  if (from.dtype == DType::f32) return device.download(to, from.data, n * sizeof(float));
  std::vector<bf16> bits(n);
  device.download(bits.data(), from.data, n * sizeof(bf16));
  for (size_t i = 0; i < n; ++i) to[i] = widen(bits[i]);
}
inline std::vector<float> to_host(Device& device, const Tensor& from) {
  std::vector<float> values(static_cast<size_t>(from.size()));
  to_host(device, from, values.data());
  return values;
}

// Into a contiguous fp32 or bf16 tensor, rounded to nearest.
inline void to_device(Device& device, const float* from, const Tensor& to) {
  const auto n = static_cast<size_t>(to.size());
  if (to.dtype == DType::f32) return device.upload(to.data, from, n * sizeof(float));
  std::vector<bf16> bits(n);
  for (size_t i = 0; i < n; ++i) bits[i] = round_to_bf16(from[i]);
  device.upload(to.data, bits.data(), n * sizeof(bf16));
}

inline void zero(Device& device, const Tensor& t) {
  device.zero(t.data, static_cast<size_t>(t.size()) * size_of(t.dtype));
}
inline void copy(Device& device, const Tensor& from, const Tensor& to) {
  device.copy(to.data, from.data, static_cast<size_t>(from.size()) * size_of(from.dtype));
}

}  // namespace kogrpo
