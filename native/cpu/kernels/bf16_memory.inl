#pragma once
// bfloat16 in memory: what an operation writes that only products of bfloat16 weights read. They
// would round it anyway, to nearest with ties to even and denormals as zero, so nothing shows but
// half the bytes. Copies are of bytes, for a gradient may lie over the floats it was made of.
// Kernels that write either type are templates of what they write: float or uint16_t, the upper
// half of a float.

#include "cpu/kernels/partial.inl"

namespace kogrpo::KOGRPO_ISA {

// The lanes rounded to bfloat16, as floats. NaN stays NaN.
KOGRPO_INLINE f32x16 bf16_round(f32x16 x) {
  const f32x16 infinity = set1(__builtin_inff());
  const uint32_t ordered = greater(x, neg(infinity)) | greater(zero(), x);
  const i32x16 u = bits(x);
  const i32x16 half = iadd(iand(shift_right<16>(u), iset1(1)), iset1(0x7FFF));
  const i32x16 upper = iset1(int32_t(0xFFFF0000u));
  return select(ordered, floats(iand(iadd(u, half), upper)),
                floats(ior(iand(u, upper), iset1(0x00400000))));
}

// The same as a product's operand: denormals are zero before they are rounded, as the instructions
// of AVX512_BF16 take them.
KOGRPO_INLINE i32x16 bf16_operand(f32x16 x) {
  const f32x16 magnitude = floats(iand(bits(x), iset1(INT32_MAX)));
  const f32x16 signed_zero = floats(iand(bits(x), iset1(INT32_MIN)));
  return bits(bf16_round(select(greater(set1(0x1p-126f), magnitude), signed_zero, x)));
}

// Sixteen values as floats.
KOGRPO_INLINE f32x16 load(const uint16_t* p) {
#if defined(KOGRPO_SCALAR)
  f32x16 x;
  for (int i = 0; i < kLanes; ++i) {
    const uint32_t u = uint32_t(p[i]) << 16;
    std::memcpy(&x.v[i], &u, sizeof u);
  }
  return x;
#elif defined(__AVX512F__)
  const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return floats(shift_left<16>(i32x16{_mm512_cvtepu16_epi32(halves)}));
#elif defined(KOGRPO_NEON)
  const uint16x8_t low = vld1q_u16(p), high = vld1q_u16(p + 8);
  return floats(i32x16{vreinterpretq_s32_u32(vshll_n_u16(vget_low_u16(low), 16)),
                       vreinterpretq_s32_u32(vshll_n_u16(vget_high_u16(low), 16)),
                       vreinterpretq_s32_u32(vshll_n_u16(vget_low_u16(high), 16)),
                       vreinterpretq_s32_u32(vshll_n_u16(vget_high_u16(high), 16))});
#else
  const auto* from = reinterpret_cast<const __m128i*>(p);
  const i32x16 halves{_mm256_cvtepu16_epi32(_mm_loadu_si128(from)),
                      _mm256_cvtepu16_epi32(_mm_loadu_si128(from + 1))};
  return floats(shift_left<16>(halves));
#endif
}

// Rounds as a product's operand.
KOGRPO_INLINE void store(uint16_t* p, f32x16 x) {
#if defined(__AVX512BF16__)
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), __m256i(_mm512_cvtneps_pbh(x.v)));
#else
  const i32x16 halves = shift_right<16>(bf16_operand(x));
#if defined(KOGRPO_SCALAR)
  uint16_t values[kLanes];
  for (int i = 0; i < kLanes; ++i) values[i] = uint16_t(halves.v[i]);
  std::memcpy(p, values, sizeof values);
#elif defined(__AVX512F__)
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(halves.v));
#elif defined(KOGRPO_NEON)
  const auto narrow = [](int32x4_t a, int32x4_t b) {
    return vcombine_u16(vmovn_u32(vreinterpretq_u32_s32(a)), vmovn_u32(vreinterpretq_u32_s32(b)));
  };
  vst1q_u16(p, narrow(halves.a, halves.b));
  vst1q_u16(p + 8, narrow(halves.c, halves.d));
#else
  const __m256i mixed = _mm256_packus_epi32(halves.a, halves.b);  // within 128 bits
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permute4x64_epi64(mixed, 0xD8));
#endif
#endif
}

// Lanes < n; nothing beyond is touched, and reads as 0.
KOGRPO_INLINE f32x16 load_first(int n, const uint16_t* p) {
#if defined(__AVX512F__) && !defined(KOGRPO_SCALAR)
  return floats(
      shift_left<16>(i32x16{_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lane_mask(n), p))}));
#else
  uint16_t values[kLanes] = {};
  for (int i = 0; i < n && i < kLanes; ++i) values[i] = p[i];
  return load(values);
#endif
}
KOGRPO_INLINE void store_first(int n, uint16_t* p, f32x16 x) {
  uint16_t values[kLanes];
  store(values, x);
  std::memcpy(p, values, size_t(n < kLanes ? n : kLanes) * sizeof *values);
}
KOGRPO_INLINE f32x16 load_up_to(int k, const uint16_t* p) {
  return k == kLanes ? load(p) : load_first(k, p);
}

// 32 values as they lie there: sixteen words of two.
KOGRPO_INLINE f32x16 load_words(const uint16_t* p) {
#if defined(KOGRPO_SCALAR)
  f32x16 x;
  std::memcpy(x.v, p, sizeof x.v);
  return x;
#elif defined(__AVX512F__)
  return floats(i32x16{_mm512_loadu_si512(p)});
#elif defined(KOGRPO_NEON)
  return {vreinterpretq_f32_u16(vld1q_u16(p)), vreinterpretq_f32_u16(vld1q_u16(p + 8)),
          vreinterpretq_f32_u16(vld1q_u16(p + 16)), vreinterpretq_f32_u16(vld1q_u16(p + 24))};
#else
  const auto* from = reinterpret_cast<const __m256i*>(p);
  return floats(i32x16{_mm256_loadu_si256(from), _mm256_loadu_si256(from + 1)});
#endif
}

// Up to 32, of `left`; the rest 0.
KOGRPO_INLINE f32x16 load_words(int64_t left, const uint16_t* p) {
  if (left >= 2 * kLanes) return load_words(p);
  uint16_t values[2 * kLanes] = {};
  for (int64_t i = 0; i < left; ++i) values[i] = p[i];
  return load_words(values);
}

template <class T>
KOGRPO_INLINE T* row_of(const Tensor& t, int64_t r) {
  return static_cast<T*>(t.data) + r * t.stride;
}

}  // namespace kogrpo::KOGRPO_ISA
