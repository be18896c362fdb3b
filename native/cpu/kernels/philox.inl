#pragma once
// Philox4x32-10 (ops/philox.h) of sixteen counters at a time: 64 words.

#include "cpu/simd.h"

namespace kogrpo::KOGRPO_ISA {

// The ten rounds' keys, as scalars: broadcast from memory they cost nothing.
struct PhiloxKeys {
  uint32_t k0[10], k1[10];
};
KOGRPO_INLINE PhiloxKeys philox_keys(uint64_t key) {
  PhiloxKeys keys;
  keys.k0[0] = uint32_t(key);
  keys.k1[0] = uint32_t(key >> 32);
  for (int round = 1; round < 10; ++round) {
    keys.k0[round] = keys.k0[round - 1] + 0x9E3779B9u;
    keys.k1[round] = keys.k1[round - 1] + 0xBB67AE85u;
  }
  return keys;
}

// Words w[0..3] of the sixteen counters (c0 + lane, c1, c2, c3).
KOGRPO_INLINE void philox16(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3,
                            const PhiloxKeys& keys, i32x16 w[4]) {
  static constexpr int32_t kLane[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  i32x16 x0 = iadd(iset1(int32_t(c0)), iload(kLane)), x1 = iset1(int32_t(c1));
  i32x16 x2 = iset1(int32_t(c2)), x3 = iset1(int32_t(c3));
  const i32x16 m0 = iset1(int32_t(0xD2511F53u)), m1 = iset1(int32_t(0xCD9E8D57u));
  for (int round = 0; round < 10; ++round) {
    i32x16 high0, low0, high1, low1;
    mul_wide(m0, x0, high0, low0);
    mul_wide(m1, x2, high1, low1);
    x0 = ixor(ixor(high1, x1), iset1(int32_t(keys.k0[round])));
    x1 = low1;
    x2 = ixor(ixor(high0, x3), iset1(int32_t(keys.k1[round])));
    x3 = low0;
  }
  w[0] = x0;
  w[1] = x1;
  w[2] = x2;
  w[3] = x3;
}

}  // namespace kogrpo::KOGRPO_ISA
