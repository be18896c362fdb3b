#pragma once
// The sampler's noise: −log(−log u), u from Philox4x32-10 as ops/philox.h defines it.

#include "cuda/device.cuh"

namespace kogrpo::cuda {

struct Words {
  uint32_t w[4];
};
__device__ __forceinline__ Words philox_words(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3,
                                              uint64_t key) {
  uint32_t k0 = uint32_t(key), k1 = uint32_t(key >> 32);
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const uint32_t high0 = multiply_high(0xD2511F53u, c0), low0 = 0xD2511F53u * c0;
    const uint32_t high1 = multiply_high(0xCD9E8D57u, c2), low1 = 0xCD9E8D57u * c2;
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

// The noise of u = (word/2⁸ + ½)·2⁻²⁴. In the upper half, where it is largest, log u is taken from
// 1 − u, which is exact there; in the lower half u is.
__device__ __forceinline__ float gumbel(uint32_t word) {
  const uint32_t cell = word >> 8;
  float minus_log;
  if (cell & 0x800000u)
    minus_log = -log1pf(-((float(cell ^ 0xFFFFFFu) + 0.5f) * 0x1p-24f));
  else
    minus_log = -logf((float(cell) + 0.5f) * 0x1p-24f);
  return -logf(minus_log);
}

// The noise lies in (−2.86, 17.33).
constexpr float kGumbelHigh = 17.4f;

}  // namespace kogrpo::cuda
