#pragma once
// bfloat16 operands of a product: the upper half of a float, rounded to nearest, ties to
// even. Two consecutive values of k lie in one 32-bit word, the first in its lower half, and a step
// of a product's chain takes both:
//
//   c ← fma(a₁, b₁, c), then c ← fma(a₀, b₀, c), denormal inputs and results taken as zero
//
// which is what AVX512_BF16's VDPBF16PS does (Intel SDM, vol. 2; 20 million random words, denormals
// and infinities among them, agree on a Zen 4). Elsewhere it is computed so, and has the same bits.
// (One exception, of no account: the scalar path decides whether a result is denormal after
// rounding it as one, the vector units before, which differs within 2⁻²⁵ of the smallest normal
// number.)
//
// A chain over tokens must not depend on which of them are paired. So its words are the other way
// round, the earlier token in the upper half, and an odd one out is paired with −0 × 0.

#include "cpu/kernels/bf16_memory.inl"

namespace kogrpo::KOGRPO_ISA {

// Words of a lane's two values: the first in the lower half.
KOGRPO_INLINE f32x16 bf16_pairs(f32x16 first, f32x16 second) {
#if defined(__AVX512BF16__)
  const __m512i halves = __m512i(_mm512_cvtne2ps_pbh(second.v, first.v));
  const __m512i lanes = _mm512_setr_epi32(
      0x100000, 0x110001, 0x120002, 0x130003, 0x140004, 0x150005, 0x160006, 0x170007, 0x180008,
      0x190009, 0x1A000A, 0x1B000B, 0x1C000C, 0x1D000D, 0x1E000E, 0x1F000F);
  return {_mm512_castsi512_ps(_mm512_permutexvar_epi16(lanes, halves))};
#else
  return floats(ior(shift_right<16>(bf16_operand(first)), bf16_operand(second)));
#endif
}

// The same of values that are bfloat16 already.
KOGRPO_INLINE f32x16 bf16_joined(f32x16 first, f32x16 second) {
  return floats(ior(shift_right<16>(bits(first)), bits(second)));
}

#if defined(KOGRPO_AVX2)
// Of the sixteen values a, b: the first (0x88) or second (0xDD) of every two.
template <int which>
KOGRPO_INLINE __m256 every_other(__m256 a, __m256 b) {
  const __m256d mixed = _mm256_castps_pd(_mm256_shuffle_ps(a, b, which));  // within 128 bits
  return _mm256_castpd_ps(_mm256_permute4x64_pd(mixed, 0xD8));
}
#endif

// Words of 32 consecutive values, 0 … 15 in `low`, 16 … 31 in `high`.
KOGRPO_INLINE f32x16 bf16_words(f32x16 low, f32x16 high) {
#if defined(__AVX512BF16__)
  return {_mm512_castsi512_ps(__m512i(_mm512_cvtne2ps_pbh(high.v, low.v)))};
#else
#if defined(KOGRPO_SCALAR)
  f32x16 even, odd;
  for (int i = 0; i < 8; ++i) {
    even.v[i] = low.v[2 * i];
    odd.v[i] = low.v[2 * i + 1];
    even.v[8 + i] = high.v[2 * i];
    odd.v[8 + i] = high.v[2 * i + 1];
  }
#elif defined(__AVX512F__)
  const __m512i evens =
      _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const __m512i odds = _mm512_add_epi32(evens, _mm512_set1_epi32(1));
  const f32x16 even{_mm512_permutex2var_ps(low.v, evens, high.v)};
  const f32x16 odd{_mm512_permutex2var_ps(low.v, odds, high.v)};
#elif defined(KOGRPO_NEON)
  const f32x16 even{vuzp1q_f32(low.a, low.b), vuzp1q_f32(low.c, low.d), vuzp1q_f32(high.a, high.b),
                    vuzp1q_f32(high.c, high.d)};
  const f32x16 odd{vuzp2q_f32(low.a, low.b), vuzp2q_f32(low.c, low.d), vuzp2q_f32(high.a, high.b),
                   vuzp2q_f32(high.c, high.d)};
#else
  const f32x16 even{every_other<0x88>(low.a, low.b), every_other<0x88>(high.a, high.b)};
  const f32x16 odd{every_other<0xDD>(low.a, low.b), every_other<0xDD>(high.a, high.b)};
#endif
  return bf16_pairs(even, odd);
#endif
}

// Two steps of a chain. Denormals: see FlushDenormals.
KOGRPO_INLINE f32x16 bf16_fma(f32x16 a, f32x16 b, f32x16 c) {
#if defined(__AVX512BF16__)
  return {_mm512_dpbf16_ps(c.v, __m512bh(a.v), __m512bh(b.v))};
#else
  const i32x16 upper = iset1(int32_t(0xFFFF0000u));
  const f32x16 a0 = floats(shift_left<16>(bits(a))), a1 = floats(iand(bits(a), upper));
  const f32x16 b0 = floats(shift_left<16>(bits(b))), b1 = floats(iand(bits(b), upper));
#if defined(KOGRPO_SCALAR)
  const auto flush = [](f32x16 x) {
    for (float& v : x.v)
      if (__builtin_fabsf(v) < 0x1p-126f) v = __builtin_copysignf(0.0f, v);
    return x;
  };
  c = flush(fma(flush(a1), flush(b1), flush(c)));
  return flush(fma(flush(a0), flush(b0), c));
#else
  return fma(a0, b0, fma(a1, b1, c));
#endif
#endif
}

// While it lives, this thread's vector unit takes denormals as zero, as VDPBF16PS does by itself.
// Calls between must not be inlined, so that no arithmetic moves across its ends.
struct FlushDenormals {
#if defined(KOGRPO_NEON)
  const uint64_t saved = control();
  FlushDenormals() {
    control(saved | 1u << 24);
  }
  ~FlushDenormals() {
    control(saved);
  }
  static uint64_t control() {
    uint64_t fpcr;
    asm volatile("mrs %0, fpcr" : "=r"(fpcr));
    return fpcr;
  }
  static void control(uint64_t fpcr) {
    asm volatile("msr fpcr, %0" ::"r"(fpcr) : "memory");
  }
#elif !defined(KOGRPO_SCALAR) && !defined(__AVX512BF16__)
  const unsigned saved = _mm_getcsr();
  FlushDenormals() {
    _mm_setcsr(saved | 0x8040u);
  }
  ~FlushDenormals() {
    _mm_setcsr(saved);
  }
#else
  FlushDenormals() {}
#endif
  FlushDenormals(const FlushDenormals&) = delete;
};

// out[t] = table[ids[t]] rounded to bfloat16
inline void embedding_forward_bf16(const EmbeddingForward& a, Range tokens) {
  const int32_t* ids = a.ids.i32();
  for (int64_t t = tokens.begin; t < tokens.end; ++t) {
    const float* from = a.table.row(ids[t]);
    float* to = a.out.row(t);
    for (int64_t c = 0; c < a.table.cols; c += kLanes) {
      const int n = lanes_left(a.table.cols, c);
      store_up_to(n, to + c, bf16_round(load_up_to(n, from + c)));
    }
  }
}

}  // namespace kogrpo::KOGRPO_ISA
