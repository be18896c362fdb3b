#pragma once
// How attention lays out what its products read: tiles of 64 keys, a worker's scratch, copies and
// the transpose that makes a tile of keys out of rows.
//
// Products in bfloat16 (template parameter Pairs) read 32-bit words of two values, kept as floats
// (kernels/bf16.inl): of two consecutive d, the first in the lower half; or of two consecutive keys
// or query rows, the earlier in the upper half, so that their chain is one of single steps and does
// not depend on which are paired.

#include "cpu/attention.h"
#include "cpu/kernels/bf16.inl"

namespace kogrpo::KOGRPO_ISA {
namespace attn {

#if defined(__clang__)
#define KOGRPO_UNROLL _Pragma("unroll")
#else
#define KOGRPO_UNROLL _Pragma("GCC unroll 16")
#endif

constexpr int64_t kTile = kPageTokens;
constexpr int kTileVectors = int(kTile / 16);

// Values in an element of what products read.
template <bool Pairs>
constexpr int64_t kPer = Pairs ? 2 : 1;

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

// from·factor as products read it along d: depth/2 words, or as it is.
template <bool Pairs>
inline void copy_operand(float* to, const float* from, float factor, int64_t depth) {
  if constexpr (!Pairs) {
    copy_times(to, from, factor, depth);
  } else {
    const f32x16 f = set1(factor);
    int64_t d = 0;
    for (; d + 32 <= depth; d += 32)
      store(to + d / 2, bf16_words(mul(load(from + d), f), mul(load(from + d + 16), f)));
    if (d < depth) store_first(8, to + d / 2, bf16_words(mul(load(from + d), f), zero()));
  }
}

// Words of two rows times `factor`; a later row that is null counts as 0.
inline void join_rows(float* to, const float* earlier, const float* later, float factor,
                      int64_t depth) {
  const f32x16 f = set1(factor);
  for (int64_t d = 0; d < depth; d += 16)
    store(to + d, bf16_pairs(later ? mul(load(later + d), f) : zero(), mul(load(earlier + d), f)));
}

// Words of 32 consecutive keys.
KOGRPO_INLINE f32x16 join_keys(f32x16 low, f32x16 high) {
  const i32x16 u = bits(bf16_words(low, high));
  return floats(ior(shift_left<16>(u), shift_right<16>(u)));
}

// n rows, the first `stride` floats before the next, as the keys `slot`, slot + 1, … of a tile that
// a chain over keys reads: [kTile][depth], or [kTile/2][depth] words.
template <bool Pairs>
inline void put_keys(float* tile, int64_t slot, const float* from, int64_t stride, int64_t n,
                     int64_t depth) {
  int64_t i = 0;
  if constexpr (!Pairs) {
    for (; i < n; ++i) copy(tile + (slot + i) * depth, from + i * stride, depth);
  } else {
    if (slot % 2 != 0 && n > 0) {  // beside the earlier one that is there
      float* words = tile + slot / 2 * depth;
      for (int64_t d = 0; d < depth; d += 16) {
        const i32x16 earlier = iand(bits(load(words + d)), iset1(int32_t(0xFFFF0000u)));
        store(words + d, floats(ior(earlier, shift_right<16>(bf16_operand(load(from + d))))));
      }
      i = 1;
    }
    for (; i < n; i += 2)
      join_rows(tile + (slot + i) / 2 * depth, from + i * stride,
                i + 1 < n ? from + (i + 1) * stride : nullptr, 1.0f, depth);
  }
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

// to[d·kTile + r] = from[r·stride + d] for r < rows, d < depth (a multiple of 8).
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

// The same of what products read along d: [depth][kTile], or [depth/2][kTile] words.
template <bool Pairs>
inline void transpose_operand(const float* from, int64_t stride, int64_t rows, int64_t depth,
                              float* to) {
  if constexpr (!Pairs) {
    transpose(from, stride, rows, depth, to);
  } else {
    constexpr int64_t kBlock = 8;
    float words[kBlock * kAttentionDepth / 2];
    for (int64_t r = 0; r < rows; r += kBlock) {
      const int64_t n = least(kBlock, rows - r);
      for (int64_t i = 0; i < n; ++i)
        copy_operand<true>(words + i * depth / 2, from + (r + i) * stride, 1.0f, depth);
      transpose(words, depth / 2, n, depth / 2, to + r);
    }
  }
}

}  // namespace attn
}  // namespace kogrpo::KOGRPO_ISA
