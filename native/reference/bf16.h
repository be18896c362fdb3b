#pragma once
// Rounding to bfloat16: to nearest, ties to even.

#include <bit>
#include <cmath>

#include "ops/ops.h"

namespace kogrpo {

// x, or x rounded where the precision asks for it; exact as a double.
inline double rounded(float x, Precision precision) {
  if (precision != Precision::bf16 || std::isnan(x)) return x;
  const auto u = std::bit_cast<uint32_t>(x);
  return std::bit_cast<float>((u + 0x7FFF + (u >> 16 & 1)) & 0xFFFF0000);
}

}  // namespace kogrpo
