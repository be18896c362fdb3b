#pragma once
// Loads and stores of up to sixteen floats. Masked memory operations are slow (AVX2 stores
// especially, and no store-to-load forwarding), so whole vectors take the plain ones.

#include "cpu/simd.h"

namespace kogrpo::KOGRPO_ISA {

// How many of the lanes from i on lie below n.
KOGRPO_INLINE int lanes_left(int64_t n, int64_t i) {
  return n - i < kLanes ? int(n - i) : kLanes;
}
KOGRPO_INLINE f32x16 load_up_to(int k, const float* p) {
  return k == kLanes ? load(p) : load_first(k, p);
}
KOGRPO_INLINE void store_up_to(int k, float* p, f32x16 x) {
  if (k == kLanes)
    store(p, x);
  else
    store_first(k, p, x);
}

}  // namespace kogrpo::KOGRPO_ISA
