#pragma once
// How attention lays out what its products read: tiles of 64 keys, a worker's scratch, copies and
// the transpose that makes a tile of keys out of rows.

#include "cpu/attention.h"

namespace kogrpo::KOGRPO_ISA {
namespace attn {

#if defined(__clang__)
#define KOGRPO_UNROLL _Pragma("unroll")
#else
#define KOGRPO_UNROLL _Pragma("GCC unroll 16")
#endif

constexpr int64_t kTile = kPageTokens;
constexpr int kTileVectors = int(kTile / 16);

inline int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}
inline int64_t most(int64_t a, int64_t b) {
  return a > b ? a : b;
}
inline void clear(float* p, int64_t n) {
  for (int64_t i = 0; i < n; i += 16) store(p + i, zero());
}
inline void copy(float* to, const float* from, int64_t n) {
  for (int64_t i = 0; i < n; i += 16) store(to + i, load(from + i));
}
inline void copy_times(float* to, const float* from, float factor, int64_t n) {
  for (int64_t i = 0; i < n; i += 16) store(to + i, mul(load(from + i), set1(factor)));
}

// Consecutive pieces of a worker's scratch, each on a cache line.
struct Arena {
  float* next;
  explicit Arena(float* start)
      : next(reinterpret_cast<float*>((reinterpret_cast<uintptr_t>(start) + 63) & ~uintptr_t(63))) {
  }
  float* floats(int64_t n) {
    float* p = next;
    next += (n + 15) / 16 * 16;
    return p;
  }
  int32_t* ints(int64_t n) { return reinterpret_cast<int32_t*>(floats(n)); }
};

// to[d·kTile + r] = from[r·stride + d] for r < rows, d < depth (a multiple of 16).
inline void transpose(const float* from, int64_t stride, int64_t rows, int64_t depth, float* to) {
  int64_t r = 0;
#if defined(KOGRPO_NEON)
  for (; r + 4 <= rows; r += 4)
    for (int64_t d = 0; d < depth; d += 4) {
      const float* f = from + r * stride + d;
      float32x4_t x[4];
      KOGRPO_UNROLL
      for (int i = 0; i < 4; ++i) x[i] = vld1q_f32(f + i * stride);
      transpose4(x[0], x[1], x[2], x[3]);
      KOGRPO_UNROLL
      for (int i = 0; i < 4; ++i) vst1q_f32(to + (d + i) * kTile + r, x[i]);
    }
#elif !defined(KOGRPO_SCALAR)
  for (; r + 8 <= rows; r += 8)
    for (int64_t d = 0; d < depth; d += 8) {
      const float* f = from + r * stride + d;
      __m256 x[8], y[8];
      KOGRPO_UNROLL
      for (int i = 0; i < 4; ++i) {  // row i's first half beside row i+4's
        const float* low = f + i * stride;
        const float* high = f + (i + 4) * stride;
        x[i] =
            _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(low)), _mm_loadu_ps(high), 1);
        x[i + 4] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(low + 4)),
                                        _mm_loadu_ps(high + 4), 1);
      }
      KOGRPO_UNROLL
      for (int h = 0; h < 8; h += 4) {
        const __m256 a = _mm256_unpacklo_ps(x[h], x[h + 1]);
        const __m256 b = _mm256_unpackhi_ps(x[h], x[h + 1]);
        const __m256 c = _mm256_unpacklo_ps(x[h + 2], x[h + 3]);
        const __m256 e = _mm256_unpackhi_ps(x[h + 2], x[h + 3]);
        y[h] = _mm256_shuffle_ps(a, c, 0x44);
        y[h + 1] = _mm256_shuffle_ps(a, c, 0xEE);
        y[h + 2] = _mm256_shuffle_ps(b, e, 0x44);
        y[h + 3] = _mm256_shuffle_ps(b, e, 0xEE);
      }
      KOGRPO_UNROLL
      for (int i = 0; i < 8; ++i) _mm256_storeu_ps(to + (d + i) * kTile + r, y[i]);
    }
#endif
  for (; r < rows; ++r)
    for (int64_t d = 0; d < depth; ++d) to[d * kTile + r] = from[r * stride + d];
}

}  // namespace attn
}  // namespace kogrpo::KOGRPO_ISA
