#pragma once
// The products of attention, blocks of query rows with a tile of keys, in registers. An element is
// one chain of fused multiply-adds, whatever block it is computed in; what a row does not see is
// left out by loop bounds, never multiplied by zero: what lies there may be NaN.

#include "cpu/kernels/attention_memory.inl"

namespace kogrpo::KOGRPO_ISA {
namespace attn {

// Register block of a product: rows × vectors of 16 columns.
#if defined(__AVX512F__)
constexpr int kRows = 6, kVectors = 4;
#elif defined(KOGRPO_NEON)
constexpr int kRows = 5, kVectors = 1;
#else
constexpr int kRows = 6, kVectors = 1;
#endif

// Memory that is wanted soon: at every step of a product `lines` cache lines from `at` on, which
// then moves by `step` floats. Null: nothing is.
struct Ahead {
  const float* at = nullptr;
  int64_t step = 0, lines = 0;
};

// c[r][·] = start + Σ_s a[r·a_row + s·a_step] · b[s·b_step + ·], s ascending.
struct Product {
  const float* a;
  int64_t a_row, a_step;
  const float* b;
  int64_t b_step;
  float* c;
  int64_t c_row;
  Ahead ahead = {};
};
// The chain's start: 0, c, or c·factor[r].
enum class Start { zero, accumulate, rescale };

template <int rows, int vectors, bool prefetch>
[[gnu::noinline]] static void product_tile(const Product& p, int64_t steps, Start start,
                                           const float* factor) {
  f32x16 acc[rows][vectors];
  const float* a[rows];
  KOGRPO_UNROLL
  for (int r = 0; r < rows; ++r) {
    a[r] = p.a + r * p.a_row;
    KOGRPO_UNROLL
    for (int v = 0; v < vectors; ++v)
      acc[r][v] = start == Start::zero ? zero() : load(p.c + r * p.c_row + 16 * v);
  }
  if (start == Start::rescale) {
    KOGRPO_UNROLL
    for (int r = 0; r < rows; ++r) {
      KOGRPO_UNROLL
      for (int v = 0; v < vectors; ++v) acc[r][v] = mul(acc[r][v], set1(factor[r]));
    }
  }
  const float *b = p.b, *ahead = p.ahead.at;
  const int64_t a_step = p.a_step, b_step = p.b_step;
  int64_t offset = 0;
  for (int64_t s = 0; s < steps; ++s) {
    f32x16 column[vectors];
    KOGRPO_UNROLL
    for (int v = 0; v < vectors; ++v) column[v] = load(b + 16 * v);
    if constexpr (prefetch) {
      for (int64_t i = 0; i < p.ahead.lines; ++i) __builtin_prefetch(ahead + 16 * i, 0, 2);
      ahead += p.ahead.step;
    }
    KOGRPO_UNROLL
    for (int r = 0; r < rows; ++r) {
      const f32x16 x = set1(a[r][offset]);
      KOGRPO_UNROLL
      for (int v = 0; v < vectors; ++v) acc[r][v] = fma(x, column[v], acc[r][v]);
    }
    offset += a_step;
    b += b_step;
  }
  KOGRPO_UNROLL
  for (int r = 0; r < rows; ++r) {
    KOGRPO_UNROLL
    for (int v = 0; v < vectors; ++v) store(p.c + r * p.c_row + 16 * v, acc[r][v]);
  }
}

template <int rows, int vectors>
static void product_of(const Product& p, int64_t steps, Start start, const float* factor) {
  if (p.ahead.at)
    product_tile<rows, vectors, true>(p, steps, start, factor);
  else
    product_tile<rows, vectors, false>(p, steps, start, factor);
}
template <int vectors>
static void product_rows(int64_t rows, const Product& p, int64_t steps, Start start,
                         const float* factor) {
  switch (rows) {
    case 1:
      return product_of<1, vectors>(p, steps, start, factor);
    case 2:
      return product_of<2, vectors>(p, steps, start, factor);
    case 3:
      return product_of<3, vectors>(p, steps, start, factor);
    case 4:
      return product_of<4, vectors>(p, steps, start, factor);
    case 5:
      return product_of<5, vectors>(p, steps, start, factor);
    default:
      return product_of<6, vectors>(p, steps, start, factor);
  }
}
// rows ≤ kRows, vectors ≤ kVectors
static void product(int64_t rows, int64_t vectors, const Product& p, int64_t steps, Start start,
                    const float* factor) {
  if constexpr (kVectors == 4) {
    if (vectors == 4) return product_rows<4>(rows, p, steps, start, factor);
    if (vectors == 3) return product_rows<3>(rows, p, steps, start, factor);
    if (vectors == 2) return product_rows<2>(rows, p, steps, start, factor);
  }
  return product_rows<1>(rows, p, steps, start, factor);
}

// s[r][key] = a[r] · bt[·][key] for the vectors of keys that row r's block sees. visible[r], the
// number of the tile's keys that row r sees, does not decrease.
static void scores(const float* a, int64_t rows, int64_t depth, const float* bt,
                   const int32_t* visible, float* s, Ahead ahead = {}) {
  for (int64_t v = 0; v < kTileVectors; v += kVectors)
    for (int64_t r = 0; r < rows; r += kRows) {
      const int64_t n = least(kRows, rows - r);
      const int64_t seen = (visible[r + n - 1] + 15) / 16 - v;
      if (seen > 0)
        product(n, least(seen, kVectors),
                {a + r * depth, depth, 1, bt + 16 * v, kTile, s + r * kTile + 16 * v, kTile, ahead},
                depth, Start::zero, nullptr);
      ahead = {};
    }
}

// c[r] = start + Σ_{key < visible[r]} p[r][key] · b[key]
static void weigh(const float* p, int64_t rows, const int32_t* visible, const float* b,
                  int64_t b_step, int64_t depth, float* c, Start start, const float* factor,
                  Ahead ahead = {}) {
  const int64_t all = depth / 16;
  for (int64_t v = 0; v < all; v += kVectors) {
    const int64_t vectors = least(kVectors, all - v);
    for (int64_t r = 0; r < rows; r += kRows) {
      const int64_t n = least(kRows, rows - r);
      const int64_t common = visible[r];
      product(n, vectors,
              {p + r * kTile, kTile, 1, b + 16 * v, b_step, c + r * depth + 16 * v, depth, ahead},
              common, start, factor ? factor + r : nullptr);
      ahead = {};
      for (int64_t i = r + 1; i < r + n; ++i)
        if (visible[i] > common)
          product(1, vectors,
                  {p + i * kTile + common, kTile, 1, b + common * b_step + 16 * v, b_step,
                   c + i * depth + 16 * v, depth},
                  visible[i] - common, Start::accumulate, nullptr);
    }
  }
}

// c[key] += Σ_{r ≥ from[key]} p[r][key] · b[r]; from[key] does not decrease and is ≤ rows.
static void gather(const float* p, int64_t rows, int64_t keys, const int32_t* from, const float* b,
                   int64_t depth, float* c) {
  const int64_t all = depth / 16;
  for (int64_t v = 0; v < all; v += kVectors) {
    const int64_t vectors = least(kVectors, all - v);
    for (int64_t key = 0; key < keys; key += kRows) {
      const int64_t n = least(kRows, keys - key);
      const int64_t common = from[key + n - 1];
      for (int64_t i = key; i < key + n; ++i)
        if (from[i] < common)
          product(1, vectors,
                  {p + from[i] * kTile + i, 1, kTile, b + from[i] * depth + 16 * v, depth,
                   c + i * depth + 16 * v, depth},
                  common - from[i], Start::accumulate, nullptr);
      product(n, vectors,
              {p + common * kTile + key, 1, kTile, b + common * depth + 16 * v, depth,
               c + key * depth + 16 * v, depth},
              rows - common, Start::accumulate, nullptr);
    }
  }
}

}  // namespace attn
}  // namespace kogrpo::KOGRPO_ISA
