#pragma once
// bfloat16 as a storage type: the upper half of a float. Arithmetic is in float; conversions are
// here for the host and in cuda/device.cuh for kernels.

#include <cstdint>
#include <cstring>

namespace kogrpo {

struct bf16 {
  uint16_t bits;
};

// Rounds to nearest, ties to even; NaN stays NaN.
inline bf16 round_to_bf16(float x) {
  uint32_t u;
  std::memcpy(&u, &x, sizeof u);
  if ((u & 0x7fffffffu) > 0x7f800000u) return {uint16_t((u >> 16) | 0x40u)};
  return {uint16_t((u + 0x7fffu + ((u >> 16) & 1u)) >> 16)};
}
inline float widen(bf16 x) {
  const uint32_t u = uint32_t(x.bits) << 16;
  float f;
  std::memcpy(&f, &u, sizeof f);
  return f;
}

}  // namespace kogrpo
