#pragma once
// Small floating-point codes of optimizer moments, relative to a scale s (the block's largest
// magnitude). A code of E exponent and M mantissa bits counts upwards through
//   exponent 0:        mantissa / 2^M · 2^(1−bias)            (subnormal, 0 is exact)
//   exponent e ≥ 1:    (1 + mantissa / 2^M) · 2^(e−bias)
// with bias chosen so that the largest code is just above 1 = s. Values grow with the code, so
// stochastic rounding is: take the code below, and the next one with the probability of how far the
// value lies between the two.

#include "cuda/device.cuh"

namespace kogrpo::cuda {

__device__ __forceinline__ uint32_t random_byte(uint32_t r0, uint32_t r1, int k) {
  return ((k < 4 ? r0 : r1) >> (8 * (k % 4))) & 255u;
}

template <int M>
struct MiniFloat {
  // 16 exponents: 0 subnormal, 15 the top. The largest code is (2 − 2^−M)·2^0: with the scale
  // mapped to 1.75 every magnitude up to s has a code at or above it.
  static constexpr float kTop = 1.75f;

  static __device__ __forceinline__ float value(uint32_t code) {
    const uint32_t exponent = code >> M, mantissa = code & ((1u << M) - 1);
    const uint32_t e = exponent == 0 ? 1 : exponent;  // 2^(e − 15)
    const float unit = bits_to_float((e + 112u - uint32_t(M)) << 23);
    return float(exponent == 0 ? mantissa : mantissa + (1u << M)) * unit;
  }
  // x in [0, 1.75]; u in (0, 1).
  static __device__ __forceinline__ uint32_t encode(float x, float u) {
    const uint32_t bits = float_to_bits(x);
    const int exponent = int(bits >> 23) - 127 + 15;  // of 2^(e − 15)
    uint32_t below;
    if (exponent < 1)
      below = uint32_t(x * bits_to_float(uint32_t(127 + 14 + M) << 23));
    else
      below = uint32_t(exponent) << M | (bits >> (23 - M) & ((1u << M) - 1));
    const float low = value(below), step = value(below + 1) - low;
    return below + ((x - low) > u * step ? 1u : 0u);
  }
};

// A sign and a 7-bit magnitude: of first moments.
struct SignedCode {
  using Magnitude = MiniFloat<3>;
  static __device__ __forceinline__ float magnitude(float x) { return fabsf(x); }
  static __device__ __forceinline__ float decode(uint8_t code, float scale) {
    const float x = Magnitude::value(code & 127u) * (scale / Magnitude::kTop);
    return code & 128u ? -x : x;
  }
  static __device__ __forceinline__ uint8_t encode(float x, float scale, float u) {
    if (!(scale > 0.0f)) return 0;
    const float relative = fminf(fabsf(x) / scale, 1.0f) * Magnitude::kTop;
    return uint8_t(Magnitude::encode(relative, u) | (x < 0.0f ? 128u : 0u));
  }
};

// Second moments, by their square root (half the range). The odds of rounding up are taken on v
// itself, so that v is what is unbiased; and what is not 0 never becomes 0: the update divides by
// √v, and the smallest code of m over the smallest of √v is about the ratio of their blocks'
// largest.
struct SquareCode {
  using Magnitude = MiniFloat<4>;
  static __device__ __forceinline__ float magnitude(float v) { return v; }
  static __device__ __forceinline__ float decode(uint8_t code, float scale) {
    const float root = Magnitude::value(code) * (1.0f / Magnitude::kTop);
    return root * root * scale;
  }
  static __device__ __forceinline__ uint8_t encode(float v, float scale, float u) {
    if (!(scale > 0.0f)) return 0;
    const float square = fminf(v / scale, 1.0f) * (Magnitude::kTop * Magnitude::kTop);
    const uint32_t below = Magnitude::encode(sqrtf(square), 1.0f);
    if (below == 0) return v > 0.0f ? 1 : 0;
    const float low = Magnitude::value(below), high = Magnitude::value(below + 1);
    return uint8_t(below + (square - low * low > u * (high * high - low * low) ? 1u : 0u));
  }
};

}  // namespace kogrpo::cuda
