// The matrix product's inner loops, one instruction set's copy (terms: cpu/matmul.h).
//
// Goto's scheme (Goto & van de Geijn 2008; BLIS): a tile of C, kMatmulMr rows × kMatmulNr columns,
// lives in registers over a block of at most kKc values of k. Its rows of A are copied together,
// stay in the near caches and are broadcast element by element; B streams by in panels. An element
// of C is one chain of fused multiply-adds over ascending k: blocks of k continue the chain from C
// itself, and nothing is ever summed in another order, so the blocking cannot be seen in the
// result.
//
// With bfloat16 operands (kernels/bf16.inl) all is the same but the element: a 32-bit word of two
// values of k. k then counts words, and packing rounds.

#include "cpu/kernels/transpose.inl"
#include "cpu/matmul.h"

namespace kogrpo::KOGRPO_ISA {

// Accumulators + one row of B + one broadcast of A fit the register file: AVX-512 has 32 vectors
// (28 + 2 + 1), AVX2 has 16 halves (12 + 2 + 1), NEON 32 quarters
// (20 + 4 + 1; with 24 sums the compiler, which loads the rows' values early, spills two).
#if defined(KOGRPO_SCALAR)
constexpr int kTileRows = 4, kTileVectors = 1;
#elif defined(__AVX512F__)
constexpr int kTileRows = 14, kTileVectors = 2;
#elif defined(KOGRPO_NEON)
constexpr int kTileRows = 5, kTileVectors = 1;
#else
constexpr int kTileRows = 6, kTileVectors = 1;
#endif
constexpr int64_t kMatmulMr = kTileRows, kMatmulNr = kTileVectors * kLanes;

// k per block. Measured, not derived: with long blocks C is read and written less often, which pays
// for streaming the panel of A (14 rows: 43 KB) from the second-level cache. Not a multiple of
// 1024, where the rows of a panel would fall on the same lines of the first-level cache.
constexpr int64_t kKc = 768;
// How far ahead memory is asked for: rows of a panel of B in the loop, k where B is transposed.
constexpr int64_t kAheadB = 16, kAheadPack = 128;
// A's block when k is not contiguous in memory: kMr values of m, padded, per k.
constexpr int64_t kInterleave = (kMatmulMr + 7) / 8 * 8;
constexpr int64_t kMatmulScratch =
    kKc * (kInterleave > kMatmulMr ? kInterleave : kMatmulMr) + kLanes;

// One tile: Rows × kTileVectors·16 of C over kc values of k. Element (m, k) of A's block is
// a[m·MStep + k·KStep]; `columns` of the tile exist in C.
template <bool Pairs, int Rows, int64_t MStep, int64_t KStep>
static void tile(int64_t kc, const float* a, const float* b, float* c, int64_t c_stride,
                 int64_t columns, bool load_c) {
  f32x16 sum[Rows][kTileVectors];
  const bool whole = columns >= kMatmulNr;
#pragma GCC unroll 16
  for (int m = 0; m < Rows; ++m)
#pragma GCC unroll 2
    for (int v = 0; v < kTileVectors; ++v) sum[m][v] = zero();
  if (load_c) {
    if (whole) {
#pragma GCC unroll 16
      for (int m = 0; m < Rows; ++m)
#pragma GCC unroll 2
        for (int v = 0; v < kTileVectors; ++v) sum[m][v] = load(c + m * c_stride + v * kLanes);
    } else {
#pragma GCC unroll 16
      for (int m = 0; m < Rows; ++m)
#pragma GCC unroll 2
        for (int v = 0; v < kTileVectors; ++v)
          sum[m][v] = load_first(int(columns) - v * kLanes, c + m * c_stride + v * kLanes);
    }
  }
  for (int64_t k = 0; k < kc; ++k) {
    f32x16 row[kTileVectors];
#pragma GCC unroll 2
    for (int v = 0; v < kTileVectors; ++v) row[v] = load(b + v * kLanes);
#pragma GCC unroll 2
    for (int v = 0; v < kTileVectors; ++v) __builtin_prefetch(b + kAheadB * kMatmulNr + v * kLanes);
#pragma GCC unroll 16
    for (int m = 0; m < Rows; ++m) {
      const f32x16 value = set1(a[m * MStep]);
#pragma GCC unroll 2
      for (int v = 0; v < kTileVectors; ++v)
        sum[m][v] = Pairs ? bf16_fma(value, row[v], sum[m][v]) : fma(value, row[v], sum[m][v]);
    }
    a += KStep;
    b += kMatmulNr;
  }
  if (whole) {
#pragma GCC unroll 16
    for (int m = 0; m < Rows; ++m)
#pragma GCC unroll 2
      for (int v = 0; v < kTileVectors; ++v) store(c + m * c_stride + v * kLanes, sum[m][v]);
  } else {
#pragma GCC unroll 16
    for (int m = 0; m < Rows; ++m)
#pragma GCC unroll 2
      for (int v = 0; v < kTileVectors; ++v)
        store_first(int(columns) - v * kLanes, c + m * c_stride + v * kLanes, sum[m][v]);
  }
}

using TileKernel = void (*)(int64_t, const float*, const float*, float*, int64_t, int64_t, bool);

template <bool Pairs, int Rows, int64_t MStep, int64_t KStep>
inline TileKernel tile_of(int64_t rows) {
  if constexpr (Rows == 1)
    return tile<Pairs, 1, MStep, KStep>;
  else
    return rows == Rows ? tile<Pairs, Rows, MStep, KStep>
                        : tile_of<Pairs, Rows - 1, MStep, KStep>(rows);
}

inline int64_t least_of(int64_t a, int64_t b) {
  return a < b ? a : b;
}

KOGRPO_INLINE const float* wide_at(const MatmulOperand& x, int64_t i, int64_t k) {
  return static_cast<const float*>(x.at(i, k));
}
KOGRPO_INLINE const uint16_t* narrow_at(const MatmulOperand& x, int64_t i, int64_t k) {
  return static_cast<const uint16_t*>(x.at(i, k));
}

// Up to 16 words from `left` values on.
KOGRPO_INLINE f32x16 words_from(const uint16_t* from, int64_t left) {
  return load_words(left, from);
}
KOGRPO_INLINE f32x16 words_from(const float* from, int64_t left) {
  if (left >= 2 * kLanes) return bf16_words(load(from), load(from + kLanes));
  return bf16_words(load_first(int(left), from),
                    left > kLanes ? load_first(int(left - kLanes), from + kLanes) : zero());
}

// As copy_a below, of `depth` values of k in memory; `k` and `kc` count words.
template <class T>
static void copy_words(const T* from, int64_t stride, int64_t left, int64_t rows, int64_t kc,
                       float* out) {
  // Whole vectors: what runs over is filled by the next row, or is scratch.
  for (int64_t m = 0; m < rows; ++m, from += stride)
    for (int64_t i = 0; i < kc; i += kLanes)
      store(out + m * kKc + i, words_from(from + 2 * i, left - 2 * i));
}

// The same of A whose k runs along rows of memory: words in order, as MatmulPack's.
static void interleave_words(const float* from, int64_t stride, int64_t left, int64_t rows,
                             int64_t kc, float* out) {
  const int64_t whole = least_of(kc, left / 2);
  for (int64_t i = 0; i < whole; ++i, from += 2 * stride)
    store(out + i * kInterleave,
          bf16_pairs(load_first(int(rows), from + stride), load_first(int(rows), from)));
  // −0 × 0 leaves every number of a chain as it is, −0 too.
  if (whole < kc)
    store(out + whole * kInterleave, bf16_pairs(set1(-0.0f), load_first(int(rows), from)));
}
static void interleave_words(const uint16_t* from, int64_t stride, int64_t left, int64_t rows,
                             int64_t kc, float* out) {
  const int64_t whole = least_of(kc, left / 2);
  // Sixteen lanes may run into the next row, if there is one.
  const int64_t within = stride >= kLanes ? least_of(whole, (left - 1) / 2) : 0;
  int64_t i = 0;
  for (; i < within; ++i, from += 2 * stride)
    store(out + i * kInterleave, bf16_joined(load(from + stride), load(from)));
  for (; i < whole; ++i, from += 2 * stride)
    store(out + i * kInterleave,
          bf16_joined(load_first(int(rows), from + stride), load_first(int(rows), from)));
  if (whole < kc)
    store(out + whole * kInterleave, bf16_joined(set1(-0.0f), load_first(int(rows), from)));
}

// A block of A in words; `depth` values of k are in memory.
template <class T>
KOGRPO_INLINE void words_of_a(const MatmulOperand& a, const T* from, int64_t left, int64_t rows,
                              int64_t kc, float* out) {
  if (a.k_contiguous)
    copy_words(from, a.stride, left, rows, kc, out);
  else
    interleave_words(from, a.stride, left, rows, kc, out);
}

// Rows [0, rows) × kc of A into the block that `tile` reads.
static void copy_a(const MatmulOperand& a, int64_t row, int64_t rows, int64_t k, int64_t kc,
                   float* out) {
  if (a.k_contiguous) {
    for (int64_t m = 0; m < rows; ++m) {
      const float* from = wide_at(a, row + m, k);
      float* to = out + m * kKc;
      int64_t i = 0;
      for (; i + kLanes <= kc; i += kLanes) store(to + i, load(from + i));
      if (i < kc) store_first(int(kc - i), to + i, load_first(int(kc - i), from + i));
    }
  } else {
    // A store of sixteen lanes may run into the next k's place, which is filled afterwards.
    const float* from = wide_at(a, row, k);
    for (int64_t i = 0; i < kc; ++i)
      store(out + i * kInterleave, load_first(int(rows), from + i * a.stride));
  }
}

// Asks for the memory of the next panel of A, a few lines between every two tiles: its copy would
// otherwise wait for each of the short rows.
struct AheadA {
  static constexpr int64_t kLine = 64;
  const char* at = nullptr;
  int64_t stride = 0, width = 0, lines = 0, line = 0, rows = 0;  // the first two in bytes

  AheadA(const MatmulOperand& a, int64_t row, int64_t count, int64_t k, int64_t kc) {
    width = (a.k_contiguous ? kc : count) * a.element_size();
    at = static_cast<const char*>(a.at(row, k));
    stride = a.stride * a.element_size();
    lines = (width + kLine - 1) / kLine;
    rows = a.k_contiguous ? count : kc;
  }
  KOGRPO_INLINE void step(int64_t n) {
    for (; n > 0 && rows > 0; --n) {
      const int64_t last = kLine * line + kLine - 1;
      __builtin_prefetch(at + (last < width ? last : width - 1), 0, 2);
      if (++line == lines) {
        line = 0;
        at += stride;
        --rows;
      }
    }
  }
};

template <bool Pairs>
[[gnu::noinline]] static void block_of(const MatmulBlock& op) {
  const int64_t rows = op.rows.end - op.rows.begin, panels = op.panels.end - op.panels.begin;
  if (rows <= 0 || panels <= 0) return;
  // Tiles of nearly equal height: 64 rows are 13+13+13+13+12.
  const int64_t count = (rows + kMatmulMr - 1) / kMatmulMr;
  const int64_t height = rows / count, taller = rows % count;
  const int64_t depth = op.ks.end - op.ks.begin, k_blocks = (depth + kKc - 1) / kKc;
  const int64_t k_step = ((depth + k_blocks - 1) / k_blocks + 15) / 16 * 16;
  for (int64_t k = op.ks.begin; k < op.ks.end; k += k_step) {
    const int64_t kc = op.ks.end - k < k_step ? op.ks.end - k : k_step;
    const bool load_c = op.load || k > op.ks.begin;
    int64_t row = op.rows.begin;
    for (int64_t i = 0; i < count; ++i) {
      const int64_t h = height + (i < taller);
      if constexpr (!Pairs)
        copy_a(op.a, row, h, k, kc, op.scratch);
      else if (op.a.narrow)
        words_of_a(op.a, narrow_at(op.a, row, 2 * k), op.depth - 2 * k, h, kc, op.scratch);
      else
        words_of_a(op.a, wide_at(op.a, row, 2 * k), op.depth - 2 * k, h, kc, op.scratch);
      const TileKernel kernel = op.a.k_contiguous ? tile_of<Pairs, kTileRows, kKc, 1>(h)
                                                  : tile_of<Pairs, kTileRows, 1, kInterleave>(h);
      const int64_t next_rows = i + 1 < count ? height + (i + 1 < taller) : 0;
      AheadA ahead(op.a, row + h, next_rows, Pairs ? 2 * k : k,
                   Pairs ? least_of(2 * kc, op.depth - 2 * k) : kc);
      const int64_t share = (ahead.lines * ahead.rows + panels - 1) / panels;
      float* c = op.c + row * op.c_stride + op.panels.begin * kMatmulNr;
      for (int64_t p = op.panels.begin; p < op.panels.end; ++p) {
        float* next = p + 1 < op.panels.end ? c + kMatmulNr
                      : i + 1 < count ? op.c + (row + h) * op.c_stride + op.panels.begin * kMatmulNr
                                      : c;
        for (int64_t m = 0; m < h; ++m)
          for (int v = 0; v < kTileVectors; ++v)
            __builtin_prefetch(next + m * op.c_stride + v * kLanes, 1);
        ahead.step(share);
        kernel(kc, op.scratch, op.b + p * op.panel_stride + (k - op.ks.begin) * kMatmulNr, c,
               op.c_stride, op.n - p * kMatmulNr, load_c);
        c = next;
      }
      row += h;
    }
  }
}

static void matmul_block(const MatmulBlock& op) {
  if (!op.bf16) return block_of<false>(op);
  const FlushDenormals flush;
  block_of<true>(op);
}

// Panel p's part, transposed: 16 columns of B at a time, whose memory runs along k.
static void pack_along_k(const MatmulPack& op, int64_t p) {
  const int64_t kc = op.ks.end - op.ks.begin;
  for (int v = 0; v < kTileVectors; ++v) {
    const int64_t column = p * kMatmulNr + v * kLanes, left = op.n - column;
    const int columns = left >= kLanes ? kLanes : left > 0 ? int(left) : 0;
    const float* from = wide_at(op.b, column, op.ks.begin);
    float* to = op.out + p * op.panel_stride + v * kLanes;
    for (int64_t k = 0; k < kc; k += kLanes) {
      const int depth = kc - k >= kLanes ? kLanes : int(kc - k);
      f32x16 r[16];
      if (columns == kLanes && depth == kLanes) {
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; ++i) {
          r[i] = load(from + i * op.b.stride + k);
          __builtin_prefetch(from + i * op.b.stride + k + kAheadPack, 0, 2);
        }
        transpose(r);
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; ++i) store(to + (k + i) * kMatmulNr, r[i]);
      } else {
        for (int i = 0; i < kLanes; ++i)
          r[i] = i < columns ? load_first(depth, from + i * op.b.stride + k) : zero();
        transpose(r);
        for (int i = 0; i < depth; ++i) store(to + (k + i) * kMatmulNr, r[i]);
      }
    }
  }
}

// The same in words.
static void pack_words_along_k(const MatmulPack& op, int64_t p) {
  const int64_t kc = op.ks.end - op.ks.begin;
  for (int v = 0; v < kTileVectors; ++v) {
    const int64_t column = p * kMatmulNr + v * kLanes;
    const float* from = wide_at(op.b, column, 0);
    float* to = op.out + p * op.panel_stride + v * kLanes;
    for (int64_t k = 0; k < kc; k += kLanes) {
      const int64_t at = 2 * (op.ks.begin + k);
      f32x16 r[16];
      for (int i = 0; i < kLanes; ++i)
        r[i] = column + i < op.n ? words_from(from + i * op.b.stride + at, op.depth - at) : zero();
      transpose(r);
      for (int i = 0; i < least_of(kLanes, kc - k); ++i) store(to + (k + i) * kMatmulNr, r[i]);
    }
  }
}

// Row k of B into its place in every panel.
static void pack_along_n(const MatmulPack& op, int64_t k) {
  const float* from = wide_at(op.b, 0, k);
  float* to = op.out + (k - op.ks.begin) * kMatmulNr;
  for (int64_t p = op.panels.begin; p < op.panels.end; ++p)
    for (int v = 0; v < kTileVectors; ++v) {
      const int64_t column = p * kMatmulNr + v * kLanes, left = op.n - column;
      store(to + p * op.panel_stride + v * kLanes, left >= kLanes ? load(from + column)
                                                   : left > 0 ? load_first(int(left), from + column)
                                                              : zero());
    }
}

KOGRPO_INLINE f32x16 pairs_of(float, f32x16 first, f32x16 second) {
  return bf16_pairs(first, second);
}
KOGRPO_INLINE f32x16 pairs_of(uint16_t, f32x16 first, f32x16 second) {
  return bf16_joined(first, second);
}

// Rows 2k and 2k + 1 of B, which begin at `first`, as words.
template <class T>
static void pack_words_along_n(const MatmulPack& op, const T* first, int64_t k) {
  const T* second = 2 * k + 1 < op.depth ? first + op.b.stride : nullptr;
  float* to = op.out + (k - op.ks.begin) * kMatmulNr;
  for (int64_t p = op.panels.begin; p < op.panels.end; ++p)
    for (int v = 0; v < kTileVectors; ++v) {
      const int64_t column = p * kMatmulNr + v * kLanes;
      const int n = int(least_of(op.n - column, kLanes));
      const f32x16 low = n > 0 ? load_up_to(n, first + column) : zero();
      const f32x16 high = n > 0 && second ? load_up_to(n, second + column) : zero();
      store(to + p * op.panel_stride + v * kLanes,
            op.in_order ? pairs_of(T{}, high, low) : pairs_of(T{}, low, high));
    }
}
static void pack_words_along_n(const MatmulPack& op, int64_t k) {
  if (op.b.narrow)
    pack_words_along_n(op, narrow_at(op.b, 0, 2 * k), k);
  else
    pack_words_along_n(op, wide_at(op.b, 0, 2 * k), k);
}

static void matmul_pack(const MatmulPack& op) {
  if (op.bf16) {
    if (op.b.k_contiguous)
      for (int64_t p = op.panels.begin; p < op.panels.end; ++p) pack_words_along_k(op, p);
    else
      for (int64_t k = op.ks.begin; k < op.ks.end; ++k) pack_words_along_n(op, k);
    return;
  }
  if (op.b.k_contiguous)
    for (int64_t p = op.panels.begin; p < op.panels.end; ++p) pack_along_k(op, p);
  else
    for (int64_t k = op.ks.begin; k < op.ks.end; ++k) pack_along_n(op, k);
}

// The tile's arithmetic without its memory: as many independent chains, operands in registers.
// Every lane starts elsewhere, or the compiler would compute equal chains once.
static float fma_peak(int64_t iterations) {
  float start[kTileRows * kTileVectors * kLanes];
  for (int i = 0; i < kTileRows * kTileVectors * kLanes; ++i) start[i] = float(i);
  f32x16 sum[kTileRows][kTileVectors];
#pragma GCC unroll 16
  for (int m = 0; m < kTileRows; ++m)
#pragma GCC unroll 2
    for (int v = 0; v < kTileVectors; ++v)
      sum[m][v] = load(start + (m * kTileVectors + v) * kLanes);
  const f32x16 factor = set1(0.999f), offset = set1(0.001f);
  for (int64_t i = 0; i < iterations; ++i)
#pragma GCC unroll 16
    for (int m = 0; m < kTileRows; ++m)
#pragma GCC unroll 2
      for (int v = 0; v < kTileVectors; ++v) sum[m][v] = fma(sum[m][v], factor, offset);
  f32x16 total = zero();
#pragma GCC unroll 16
  for (int m = 0; m < kTileRows; ++m)
#pragma GCC unroll 2
    for (int v = 0; v < kTileVectors; ++v) total = add(total, sum[m][v]);
  return kogrpo::KOGRPO_ISA::sum(total);
}

static float read_all(const float* x, int64_t n) {
  f32x16 total[8];
  for (f32x16& t : total) t = zero();
  int64_t i = 0;
  for (; i + 8 * kLanes <= n; i += 8 * kLanes)
#pragma GCC unroll 8
    for (int v = 0; v < 8; ++v) total[v] = add(total[v], load(x + i + v * kLanes));
  for (; i < n; i += kLanes) total[0] = add(total[0], load_up_to(lanes_left(n, i), x + i));
#pragma GCC unroll 8
  for (int v = 1; v < 8; ++v) total[0] = add(total[0], total[v]);
  return kogrpo::KOGRPO_ISA::sum(total[0]);
}

}  // namespace kogrpo::KOGRPO_ISA
