#pragma once
// The products of attention, blocks of query rows with a tile of keys, in registers. An element is
// one chain of fused multiply-adds, whatever block it is computed in; what a row does not see is
// left out by loop bounds and masks, never multiplied by zero: what lies there may be NaN.

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

// c[r][·] = start + Σ_s a[r·a_row + s·a_step] · b[s·b_step + ·], s ascending; elements of a and b
// are floats or words.
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

template <bool Pairs, int rows, int vectors, bool prefetch>
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
      for (int v = 0; v < vectors; ++v) {
        acc[r][v] = Pairs ? bf16_fma(x, column[v], acc[r][v]) : fma(x, column[v], acc[r][v]);
      }
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

template <bool Pairs, int rows, int vectors>
static void product_of(const Product& p, int64_t steps, Start start, const float* factor) {
  if (p.ahead.at)
    product_tile<Pairs, rows, vectors, true>(p, steps, start, factor);
  else
    product_tile<Pairs, rows, vectors, false>(p, steps, start, factor);
}
template <bool Pairs, int vectors>
static void product_rows(int64_t rows, const Product& p, int64_t steps, Start start,
                         const float* factor) {
  switch (rows) {
    case 1:
      return product_of<Pairs, 1, vectors>(p, steps, start, factor);
    case 2:
      return product_of<Pairs, 2, vectors>(p, steps, start, factor);
    case 3:
      return product_of<Pairs, 3, vectors>(p, steps, start, factor);
    case 4:
      return product_of<Pairs, 4, vectors>(p, steps, start, factor);
    case 5:
      return product_of<Pairs, 5, vectors>(p, steps, start, factor);
    default:
      return product_of<Pairs, 6, vectors>(p, steps, start, factor);
  }
}
// rows ≤ kRows, vectors ≤ kVectors
template <bool Pairs>
static void product(int64_t rows, int64_t vectors, const Product& p, int64_t steps, Start start,
                    const float* factor) {
  if constexpr (kVectors == 4) {
    if (vectors == 4) return product_rows<Pairs, 4>(rows, p, steps, start, factor);
    if (vectors == 3) return product_rows<Pairs, 3>(rows, p, steps, start, factor);
    if (vectors == 2) return product_rows<Pairs, 2>(rows, p, steps, start, factor);
  }
  return product_rows<Pairs, 1>(rows, p, steps, start, factor);
}

// One key or row where a word has two: the other half becomes −0 × 0, which changes no number.
enum class Half { earlier, later };
[[gnu::noinline]] static void half_step(int64_t rows, int64_t vectors, const Product& p,
                                        Half half) {
  const bool upper = half == Half::earlier;
  const i32x16 kept = iset1(int32_t(upper ? 0xFFFF0000u : 0x0000FFFFu));
  const i32x16 minus_zero = iset1(int32_t(upper ? 0x00008000u : 0x80000000u));
  for (int64_t v = 0; v < vectors; ++v) {
    const f32x16 column = floats(iand(bits(load(p.b + 16 * v)), kept));
    for (int64_t r = 0; r < rows; ++r) {
      const f32x16 x = floats(ior(iand(bits(set1(p.a[r * p.a_row])), kept), minus_zero));
      float* c = p.c + r * p.c_row + 16 * v;
      store(c, bf16_fma(x, column, load(c)));
    }
  }
}

// Keys or rows [begin, end) of chains whose a and b are given from 0 on; begin is 0 but for
// Start::accumulate.
template <bool Pairs>
static void chain(int64_t rows, int64_t vectors, const Product& p, int64_t begin, int64_t end,
                  Start start, const float* factor) {
  const auto from = [&](int64_t element) {
    Product q = p;
    q.a += element * p.a_step;
    q.b += element * p.b_step;
    return q;
  };
  if constexpr (!Pairs) {
    product<false>(rows, vectors, from(begin), end - begin, start, factor);
  } else {
    const int64_t whole = (begin + 1) / 2, steps = end / 2 - whole;
    if (begin < end && begin % 2 != 0) half_step(rows, vectors, from(begin / 2), Half::later);
    if (steps > 0 || start != Start::accumulate)
      product<true>(rows, vectors, from(whole), steps, start, factor);
    if (begin < end && end % 2 != 0) half_step(rows, vectors, from(end / 2), Half::earlier);
  }
}

// While it lives the vector unit computes as the products at hand.
template <bool Pairs>
struct ProductMode {
  ProductMode() {}
};
template <>
struct ProductMode<true> : FlushDenormals {};

// s[r][key] = a[r] · bt[·][key] for the vectors of keys that row r's block sees. visible[r], the
// number of the tile's keys that row r sees, does not decrease.
template <bool Pairs>
static void scores(const float* a, int64_t rows, int64_t depth, const float* bt,
                   const int32_t* visible, float* s, Ahead ahead = {}) {
  const ProductMode<Pairs> mode;
  const int64_t steps = depth / kPer<Pairs>;
  for (int64_t v = 0; v < kTileVectors; v += kVectors)
    for (int64_t r = 0; r < rows; r += kRows) {
      const int64_t n = least(kRows, rows - r);
      const int64_t seen = (visible[r + n - 1] + 15) / 16 - v;
      if (seen > 0)
        product<Pairs>(
            n, least(seen, kVectors),
            {a + r * steps, steps, 1, bt + 16 * v, kTile, s + r * kTile + 16 * v, kTile, ahead},
            steps, Start::zero, nullptr);
      ahead = {};
    }
}

// c[r] = start + Σ_{key < visible[r]} p[r][key] · b[key]; of pairs, p holds words of keys.
template <bool Pairs>
static void weigh(const float* p, int64_t rows, const int32_t* visible, const float* b,
                  int64_t b_step, int64_t depth, float* c, Start start, const float* factor,
                  Ahead ahead = {}) {
  const ProductMode<Pairs> mode;
  const int64_t all = depth / 16;
  for (int64_t v = 0; v < all; v += kVectors) {
    const int64_t vectors = least(kVectors, all - v);
    for (int64_t r = 0; r < rows; r += kRows) {
      const int64_t n = least(kRows, rows - r);
      const int64_t common = visible[r] / kPer<Pairs> * kPer<Pairs>;
      chain<Pairs>(
          n, vectors,
          {p + r * kTile, kTile, 1, b + 16 * v, b_step, c + r * depth + 16 * v, depth, ahead}, 0,
          common, start, factor ? factor + r : nullptr);
      ahead = {};
      for (int64_t i = r; i < r + n; ++i)
        if (visible[i] > common)
          chain<Pairs>(1, vectors,
                       {p + i * kTile, kTile, 1, b + 16 * v, b_step, c + i * depth + 16 * v, depth},
                       common, visible[i], Start::accumulate, nullptr);
    }
  }
}

// c[key] += Σ_{r ≥ from[key]} p[r][key] · b[r]; from[key] does not decrease and is ≤ rows. Of
// pairs, p holds words of rows.
template <bool Pairs>
static void gather(const float* p, int64_t rows, int64_t keys, const int32_t* from, const float* b,
                   int64_t depth, float* c) {
  const ProductMode<Pairs> mode;
  const int64_t all = depth / 16;
  for (int64_t v = 0; v < all; v += kVectors) {
    const int64_t vectors = least(kVectors, all - v);
    for (int64_t key = 0; key < keys; key += kRows) {
      const int64_t n = least(kRows, keys - key);
      const int64_t common =
          least((from[key + n - 1] + kPer<Pairs> - 1) / kPer<Pairs> * kPer<Pairs>, rows);
      for (int64_t i = key; i < key + n; ++i)
        if (from[i] < common)
          chain<Pairs>(1, vectors,
                       {p + i, 1, kTile, b + 16 * v, depth, c + i * depth + 16 * v, depth}, from[i],
                       common, Start::accumulate, nullptr);
      chain<Pairs>(n, vectors,
                   {p + key, 1, kTile, b + 16 * v, depth, c + key * depth + 16 * v, depth}, common,
                   rows, Start::accumulate, nullptr);
    }
  }
}

}  // namespace attn
}  // namespace kogrpo::KOGRPO_ISA
