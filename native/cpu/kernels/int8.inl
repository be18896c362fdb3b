// The int8 product's inner loops, one instruction set's copy (terms and formulas: cpu/int8.h). A
// tile is kInt8Mr rows of x, two sums each, by kInt8Nr columns over the whole of k: the sums are
// integers, so there is no chain to continue and nothing to order.

#include "cpu/int8.h"
#include "cpu/kernels/transpose.inl"

namespace kogrpo::KOGRPO_ISA {

// Registers: 28 sums + 2 of b + 2 of a with AVX-512; AVX2 has sixteen halves, NEON 32
// quarters, and both unpack bytes.
#if defined(KOGRPO_SCALAR)
constexpr int kInt8Rows = 2, kInt8Vectors = 1;
#elif defined(__AVX512F__)
constexpr int kInt8Rows = 7, kInt8Vectors = 2;
#else
constexpr int kInt8Rows = 2, kInt8Vectors = 1;
#endif
constexpr int64_t kInt8Mr = kInt8Rows, kInt8Nr = kInt8Vectors * kLanes;
// How far ahead a panel is asked for, in rows of it.
constexpr int64_t kInt8Ahead = 16;

// Per lane: sum + Σ of four products of unsigned bytes of `a` with signed bytes of `b`.
KOGRPO_INLINE i32x16 dot4(i32x16 a, i32x16 b, i32x16 sum) {
#if defined(KOGRPO_SCALAR)
  for (int i = 0; i < kLanes; ++i)
    for (int shift = 0; shift < 32; shift += 8)
      sum.v[i] +=
          int32_t(uint32_t(a.v[i]) >> shift & 255) * int8_t(uint32_t(b.v[i]) >> shift & 255);
  return sum;
#elif defined(__AVX512VNNI__)
  return {_mm512_dpbusd_epi32(sum.v, a.v, b.v)};
#elif defined(__AVX512F__)
  const __m512i even = _mm512_madd_epi16(_mm512_and_si512(a.v, _mm512_set1_epi16(255)),
                                         _mm512_srai_epi16(_mm512_slli_epi16(b.v, 8), 8));
  const __m512i odd = _mm512_madd_epi16(_mm512_srli_epi16(a.v, 8), _mm512_srai_epi16(b.v, 8));
  return {_mm512_add_epi32(sum.v, _mm512_add_epi32(even, odd))};
#elif defined(KOGRPO_NEON)
  const auto quad = [](int32x4_t x, int32x4_t y, int32x4_t s) {
    const uint8x16_t u = vreinterpretq_u8_s32(x);
    const int8x16_t v = vreinterpretq_s8_s32(y);
    const int16x8_t u0 = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(u))),
                    v0 = vmovl_s8(vget_low_s8(v));
    const int16x8_t u1 = vreinterpretq_s16_u16(vmovl_high_u8(u)), v1 = vmovl_high_s8(v);
    const int32x4_t p0 = vmull_s16(vget_low_s16(u0), vget_low_s16(v0)), p1 = vmull_high_s16(u0, v0);
    const int32x4_t p2 = vmull_s16(vget_low_s16(u1), vget_low_s16(v1)), p3 = vmull_high_s16(u1, v1);
    return vaddq_s32(s, vpaddq_s32(vpaddq_s32(p0, p1), vpaddq_s32(p2, p3)));
  };
  return {quad(a.a, b.a, sum.a), quad(a.b, b.b, sum.b), quad(a.c, b.c, sum.c),
          quad(a.d, b.d, sum.d)};
#else
  const auto half = [](__m256i x, __m256i y, __m256i s) {
    const __m256i even = _mm256_madd_epi16(_mm256_and_si256(x, _mm256_set1_epi16(255)),
                                           _mm256_srai_epi16(_mm256_slli_epi16(y, 8), 8));
    const __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16(x, 8), _mm256_srai_epi16(y, 8));
    return _mm256_add_epi32(s, _mm256_add_epi32(even, odd));
  };
  return {half(a.a, b.a, sum.a), half(a.b, b.b, sum.b)};
#endif
}

// The lowest byte of each lane, one behind the other.
KOGRPO_INLINE void store_bytes(uint8_t* to, i32x16 x) {
#if defined(KOGRPO_SCALAR)
  for (int i = 0; i < kLanes; ++i) to[i] = uint8_t(x.v[i]);
#elif defined(__AVX512F__)
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtepi32_epi8(x.v));
#elif defined(KOGRPO_NEON)
  const int16x8_t front = vcombine_s16(vmovn_s32(x.a), vmovn_s32(x.b));
  const int16x8_t back = vcombine_s16(vmovn_s32(x.c), vmovn_s32(x.d));
  vst1q_u8(to, vreinterpretq_u8_s8(vcombine_s8(vmovn_s16(front), vmovn_s16(back))));
#else
  const __m256i low = _mm256_set1_epi32(255);
  const __m256i words = _mm256_packus_epi32(_mm256_and_si256(x.a, low), _mm256_and_si256(x.b, low));
  const __m256i order = _mm256_permute4x64_epi64(words, 0xD8);
  _mm_storeu_si128(
      reinterpret_cast<__m128i*>(to),
      _mm_packus_epi16(_mm256_castsi256_si128(order), _mm256_extracti128_si256(order, 1)));
#endif
}

// What turns a row into integers up to `most`, and them back.
struct Int8Scale {
  float to_int = 0;  // 0 for a row of values below 2⁻¹⁰⁰, or with one that is not finite
  float scale = 0;   // NaN for the last
};
KOGRPO_INLINE Int8Scale int8_scale(const float* x, int64_t n, float most) {
  f32x16 largest = zero(), odd = zero();
  for (int64_t i = 0; i < n; i += kLanes) {
    const f32x16 v = load_up_to(lanes_left(n, i), x + i);
    largest = max(max(v, neg(v)), largest);
    odd = fma(v, zero(), odd);  // NaN of infinity and NaN
  }
  const float m = max_lane(largest), none = kogrpo::KOGRPO_ISA::sum(odd);
  if (none != none) return {0, none};
  if (m < 0x1p-100f) return {};
  return {most / m, m / most};
}

// 64 values from `left` floats on, as bytes.
KOGRPO_INLINE void weight_bytes(const float* w, int64_t left, f32x16 to_int, uint8_t* to) {
  for (int64_t i = 0; i < 64; i += kLanes) {
    const f32x16 v = left > i ? load_up_to(lanes_left(left, i), w + i) : zero();
    store_bytes(to + i, round_to_int(mul(v, to_int)));
  }
}

static void int8_pack(const Int8Pack& op) {
  for (int64_t first = op.panels.begin * kInt8Nr; first < op.panels.end * kInt8Nr;
       first += kLanes) {
    int32_t* to = op.out + first / kInt8Nr * kInt8Nr * op.words + first % kInt8Nr;
    float to_int[kLanes];
    for (int i = 0; i < kLanes; ++i) {
      const bool there = first + i < op.n;
      const Int8Scale s =
          there ? int8_scale(op.w + (first + i) * op.stride, op.k, 127.0f) : Int8Scale{};
      to_int[i] = s.to_int;
      op.scales[first + i] = s.scale;
    }
    i32x16 sums = iset1(0);
    for (int64_t word = 0; word < op.words; word += kLanes) {
      f32x16 r[16];
      for (int i = 0; i < kLanes; ++i) {
        alignas(64) uint8_t bytes[64];
        if (to_int[i] == 0)
          std::memset(bytes, 0, sizeof bytes);
        else
          weight_bytes(op.w + (first + i) * op.stride + 4 * word, op.k - 4 * word, set1(to_int[i]),
                       bytes);
        float words[kLanes];
        std::memcpy(words, bytes, sizeof words);
        r[i] = load(words);
      }
      transpose(r);
      for (int64_t i = 0; i < kLanes && word + i < op.words; ++i) {
        store(reinterpret_cast<float*>(to + (word + i) * kInt8Nr), r[i]);
        sums = dot4(iset1(0x01010101), bits(r[i]), sums);
      }
    }
    istore(op.sums + first, sums);
  }
}

static void int8_rows(const Int8Rows& op) {
  for (int64_t m = op.rows.begin; m < op.rows.end; ++m) {
    const float* x = op.x + m * op.stride;
    const Int8Scale s = int8_scale(x, op.k, 32767.0f);
    op.scales[m] = s.scale;
    auto* high = reinterpret_cast<uint8_t*>(op.out + 2 * m * op.words);
    uint8_t* low = high + 4 * op.words;
    for (int64_t i = 0; i < 4 * op.words; i += kLanes) {
      const bool there = i < op.k && s.to_int != 0;
      const f32x16 v = there ? load_up_to(lanes_left(op.k, i), x + i) : zero();
      const i32x16 u = iadd(round_to_int(mul(v, set1(s.to_int))), iset1(32768));
      store_bytes(high + i, shift_right<8>(u));
      store_bytes(low + i, u);
    }
  }
}

// Rows × kInt8Nr of y; columns from op.n on do not exist.
template <int Rows>
static void int8_tile(const Int8Block& op, int64_t row, int64_t panel) {
  i32x16 high[Rows][kInt8Vectors], low[Rows][kInt8Vectors];
#pragma GCC unroll 8
  for (int m = 0; m < Rows; ++m)
#pragma GCC unroll 2
    for (int v = 0; v < kInt8Vectors; ++v) high[m][v] = low[m][v] = iset1(0);
  const int32_t* a = op.a + 2 * row * op.a_words;
  const int32_t* b = op.b + panel * kInt8Nr * op.words;
  for (int64_t k = 0; k < op.words; ++k) {
    i32x16 q[kInt8Vectors];
#pragma GCC unroll 2
    for (int v = 0; v < kInt8Vectors; ++v) {
      q[v] = iload(b + v * kLanes);
      __builtin_prefetch(b + kInt8Ahead * kInt8Nr + v * kLanes);
    }
#pragma GCC unroll 8
    for (int m = 0; m < Rows; ++m) {
      const i32x16 h = iset1(a[2 * m * op.a_words + k]), l = iset1(a[(2 * m + 1) * op.a_words + k]);
#pragma GCC unroll 2
      for (int v = 0; v < kInt8Vectors; ++v) {
        high[m][v] = dot4(h, q[v], high[m][v]);
        low[m][v] = dot4(l, q[v], low[m][v]);
      }
    }
    b += kInt8Nr;
  }
#pragma GCC unroll 2
  for (int v = 0; v < kInt8Vectors; ++v) {
    const int64_t column = panel * kInt8Nr + v * kLanes;
    if (column >= op.n) break;
    const int n = lanes_left(op.n, column);
    // −128·Σ q, the part that the high bytes' offset adds.
    i32x16 sums = iload(op.sums + column);
    sums = shift_left<7>(iadd(ixor(sums, iset1(-1)), iset1(1)));
    const f32x16 scales = load(op.b_scales + column);
#pragma GCC unroll 8
    for (int m = 0; m < Rows; ++m) {
      float* y = op.y + (row + m) * op.y_stride + column;
      const f32x16 sum = fma(set1(256.0f), to_float(iadd(high[m][v], sums)), to_float(low[m][v]));
      const f32x16 scale = mul(set1(op.a_scales[row + m]), scales);
      store_up_to(n, y, op.accumulate ? fma(sum, scale, load_up_to(n, y)) : mul(sum, scale));
    }
  }
}

using Int8Tile = void (*)(const Int8Block&, int64_t, int64_t);
template <int Rows>
inline Int8Tile int8_tile_of(int64_t rows) {
  if constexpr (Rows == 1)
    return int8_tile<1>;
  else
    return rows == Rows ? int8_tile<Rows> : int8_tile_of<Rows - 1>(rows);
}

// A panel stays in the near caches while all of the block's rows pass it.
static void int8_block(const Int8Block& op) {
  const int64_t rows = op.rows.end - op.rows.begin, count = (rows + kInt8Mr - 1) / kInt8Mr;
  if (count == 0) return;
  const int64_t height = rows / count, taller = rows % count;
  for (int64_t p = op.panels.begin; p < op.panels.end; ++p) {
    int64_t row = op.rows.begin;
    for (int64_t i = 0; i < count; ++i) {
      const int64_t h = height + (i < taller);
      int8_tile_of<kInt8Rows>(h)(op, row, p);
      row += h;
    }
  }
}

}  // namespace kogrpo::KOGRPO_ISA
