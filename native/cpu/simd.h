#pragma once
// f32x16: sixteen floats on any instruction set, with the same bits from each.
//
// Kernels (cpu/kernels/*.inl) are written once in this vocabulary and compiled once per instruction
// set by cpu/kernels_<isa>.cpp. Every operation here is an IEEE operation on independent lanes,
// fused multiply-adds are explicit, and lane sums run in one fixed tree, so AVX-512, AVX2 and the
// scalar path agree bit for bit. Include only from those files: the namespace carries the
// instruction set's name, and nothing in here may be shared between them.

#include <cstdint>
#include <cstring>

#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include <immintrin.h>
#if defined(__AVX512BF16__)
#define KOGRPO_ISA avx512bf16
#elif defined(__AVX512VNNI__)
#define KOGRPO_ISA avx512vnni
#else
#define KOGRPO_ISA avx512
#endif
#elif defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#define KOGRPO_ISA avx2
#else
#define KOGRPO_ISA scalar
#define KOGRPO_SCALAR 1
#endif

#define KOGRPO_INLINE [[gnu::always_inline]] inline

namespace kogrpo::KOGRPO_ISA {

constexpr int kLanes = 16;

#if defined(KOGRPO_SCALAR)

// The specification: plain lanes. A mask is a bit per lane.
struct f32x16 {
  float v[16];
};
struct i32x16 {
  int32_t v[16];
};

#define KOGRPO_LANES for (int i = 0; i < 16; ++i)
KOGRPO_INLINE f32x16 set1(float x) {
  f32x16 r;
  KOGRPO_LANES r.v[i] = x;
  return r;
}
KOGRPO_INLINE f32x16 zero() {
  return set1(0.0f);
}
KOGRPO_INLINE f32x16 load(const float* p) {
  f32x16 r;
  std::memcpy(r.v, p, 64);
  return r;
}
KOGRPO_INLINE void store(float* p, f32x16 a) {
  std::memcpy(p, a.v, 64);
}
KOGRPO_INLINE f32x16 add(f32x16 a, f32x16 b) {
  KOGRPO_LANES a.v[i] += b.v[i];
  return a;
}
KOGRPO_INLINE f32x16 sub(f32x16 a, f32x16 b) {
  KOGRPO_LANES a.v[i] -= b.v[i];
  return a;
}
KOGRPO_INLINE f32x16 mul(f32x16 a, f32x16 b) {
  KOGRPO_LANES a.v[i] *= b.v[i];
  return a;
}
KOGRPO_INLINE f32x16 div(f32x16 a, f32x16 b) {
  KOGRPO_LANES a.v[i] /= b.v[i];
  return a;
}
// a·b + c, rounded once
KOGRPO_INLINE f32x16 fma(f32x16 a, f32x16 b, f32x16 c) {
  KOGRPO_LANES a.v[i] = __builtin_fmaf(a.v[i], b.v[i], c.v[i]);
  return a;
}
KOGRPO_INLINE f32x16 sqrt(f32x16 a) {
  KOGRPO_LANES a.v[i] = __builtin_sqrtf(a.v[i]);
  return a;
}
// x86 semantics: the second operand if either is NaN or both are zeros
KOGRPO_INLINE f32x16 max(f32x16 a, f32x16 b) {
  KOGRPO_LANES a.v[i] = a.v[i] > b.v[i] ? a.v[i] : b.v[i];
  return a;
}
KOGRPO_INLINE f32x16 min(f32x16 a, f32x16 b) {
  KOGRPO_LANES a.v[i] = a.v[i] < b.v[i] ? a.v[i] : b.v[i];
  return a;
}
// Lanes < n from a, the others from b.
KOGRPO_INLINE f32x16 first(int n, f32x16 a, f32x16 b) {
  KOGRPO_LANES a.v[i] = i < n ? a.v[i] : b.v[i];
  return a;
}
// mask bit set where a > b (ordered)
KOGRPO_INLINE uint32_t greater(f32x16 a, f32x16 b) {
  uint32_t m = 0;
  KOGRPO_LANES m |= uint32_t(a.v[i] > b.v[i]) << i;
  return m;
}
KOGRPO_INLINE f32x16 select(uint32_t mask, f32x16 a, f32x16 b) {
  KOGRPO_LANES a.v[i] = (mask >> i) & 1 ? a.v[i] : b.v[i];
  return a;
}
KOGRPO_INLINE i32x16 iset1(int32_t x) {
  i32x16 r;
  KOGRPO_LANES r.v[i] = x;
  return r;
}
KOGRPO_INLINE i32x16 iload(const int32_t* p) {
  i32x16 r;
  std::memcpy(r.v, p, 64);
  return r;
}
KOGRPO_INLINE void istore(int32_t* p, i32x16 a) {
  std::memcpy(p, a.v, 64);
}
KOGRPO_INLINE i32x16 iadd(i32x16 a, i32x16 b) {
  KOGRPO_LANES a.v[i] = int32_t(uint32_t(a.v[i]) + uint32_t(b.v[i]));
  return a;
}
KOGRPO_INLINE i32x16 ixor(i32x16 a, i32x16 b) {
  KOGRPO_LANES a.v[i] ^= b.v[i];
  return a;
}
KOGRPO_INLINE i32x16 iand(i32x16 a, i32x16 b) {
  KOGRPO_LANES a.v[i] &= b.v[i];
  return a;
}
KOGRPO_INLINE i32x16 ior(i32x16 a, i32x16 b) {
  KOGRPO_LANES a.v[i] |= b.v[i];
  return a;
}
template <int n>
KOGRPO_INLINE i32x16 shift_left(i32x16 a) {
  KOGRPO_LANES a.v[i] = int32_t(uint32_t(a.v[i]) << n);
  return a;
}
template <int n>
KOGRPO_INLINE i32x16 shift_right(i32x16 a) {
  KOGRPO_LANES a.v[i] = int32_t(uint32_t(a.v[i]) >> n);
  return a;
}
// High and low 32 bits of the unsigned 32×32 products.
KOGRPO_INLINE void mul_wide(i32x16 a, i32x16 b, i32x16& high, i32x16& low) {
  KOGRPO_LANES {
    const uint64_t p = uint64_t(uint32_t(a.v[i])) * uint32_t(b.v[i]);
    high.v[i] = int32_t(p >> 32);
    low.v[i] = int32_t(uint32_t(p));
  }
}
KOGRPO_INLINE i32x16 bits(f32x16 a) {
  i32x16 r;
  std::memcpy(r.v, a.v, 64);
  return r;
}
KOGRPO_INLINE f32x16 floats(i32x16 a) {
  f32x16 r;
  std::memcpy(r.v, a.v, 64);
  return r;
}
// Nearest integer, ties to even; |a| < 2³¹.
KOGRPO_INLINE i32x16 round_to_int(f32x16 a) {
  i32x16 r;
  KOGRPO_LANES r.v[i] = int32_t(__builtin_nearbyintf(a.v[i]));
  return r;
}
KOGRPO_INLINE f32x16 to_float(i32x16 a) {
  f32x16 r;
  KOGRPO_LANES r.v[i] = float(a.v[i]);
  return r;
}
// Lanes < n from memory, the rest 0; nothing beyond is touched.
KOGRPO_INLINE f32x16 load_first(int n, const float* p) {
  f32x16 r = zero();
  for (int i = 0; i < n && i < 16; ++i) r.v[i] = p[i];
  return r;
}
KOGRPO_INLINE void store_first(int n, float* p, f32x16 a) {
  for (int i = 0; i < n && i < 16; ++i) p[i] = a.v[i];
}
// ((x0+x8)+(x4+x12)) + … : halves folded onto each other, 16 → 8 → 4 → 2 → 1.
KOGRPO_INLINE float sum(f32x16 a) {
  for (int half = 8; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) a.v[i] += a.v[i + half];
  return a.v[0];
}
KOGRPO_INLINE float max_lane(f32x16 a) {
  for (int half = 8; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) a.v[i] = a.v[i] > a.v[i + half] ? a.v[i] : a.v[i + half];
  return a.v[0];
}
#undef KOGRPO_LANES

#elif !defined(__AVX512F__)

struct f32x16 {
  __m256 a, b;
};
struct i32x16 {
  __m256i a, b;
};
KOGRPO_INLINE f32x16 set1(float x) {
  const __m256 v = _mm256_set1_ps(x);
  return {v, v};
}
KOGRPO_INLINE f32x16 zero() {
  return {_mm256_setzero_ps(), _mm256_setzero_ps()};
}
KOGRPO_INLINE f32x16 load(const float* p) {
  return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
KOGRPO_INLINE void store(float* p, f32x16 x) {
  _mm256_storeu_ps(p, x.a);
  _mm256_storeu_ps(p + 8, x.b);
}
KOGRPO_INLINE f32x16 add(f32x16 x, f32x16 y) {
  return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)};
}
KOGRPO_INLINE f32x16 sub(f32x16 x, f32x16 y) {
  return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)};
}
KOGRPO_INLINE f32x16 mul(f32x16 x, f32x16 y) {
  return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)};
}
KOGRPO_INLINE f32x16 div(f32x16 x, f32x16 y) {
  return {_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)};
}
KOGRPO_INLINE f32x16 fma(f32x16 x, f32x16 y, f32x16 z) {
  return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
}
KOGRPO_INLINE f32x16 sqrt(f32x16 x) {
  return {_mm256_sqrt_ps(x.a), _mm256_sqrt_ps(x.b)};
}
KOGRPO_INLINE f32x16 max(f32x16 x, f32x16 y) {
  return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)};
}
KOGRPO_INLINE f32x16 min(f32x16 x, f32x16 y) {
  return {_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)};
}
KOGRPO_INLINE __m256i lane_mask(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
KOGRPO_INLINE __m256i bit_mask(uint32_t m) {
  const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  return _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(int(m)), bit), bit);
}
KOGRPO_INLINE f32x16 first(int n, f32x16 x, f32x16 y) {
  return {_mm256_blendv_ps(y.a, x.a, _mm256_castsi256_ps(lane_mask(n))),
          _mm256_blendv_ps(y.b, x.b, _mm256_castsi256_ps(lane_mask(n - 8)))};
}
KOGRPO_INLINE uint32_t greater(f32x16 x, f32x16 y) {
  return uint32_t(_mm256_movemask_ps(_mm256_cmp_ps(x.a, y.a, _CMP_GT_OQ))) |
         uint32_t(_mm256_movemask_ps(_mm256_cmp_ps(x.b, y.b, _CMP_GT_OQ))) << 8;
}
KOGRPO_INLINE f32x16 select(uint32_t m, f32x16 x, f32x16 y) {
  return {_mm256_blendv_ps(y.a, x.a, _mm256_castsi256_ps(bit_mask(m & 255))),
          _mm256_blendv_ps(y.b, x.b, _mm256_castsi256_ps(bit_mask(m >> 8)))};
}
KOGRPO_INLINE i32x16 iset1(int32_t x) {
  const __m256i v = _mm256_set1_epi32(x);
  return {v, v};
}
KOGRPO_INLINE i32x16 iload(const int32_t* p) {
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 8))};
}
KOGRPO_INLINE void istore(int32_t* p, i32x16 x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x.a);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 8), x.b);
}
KOGRPO_INLINE i32x16 iadd(i32x16 x, i32x16 y) {
  return {_mm256_add_epi32(x.a, y.a), _mm256_add_epi32(x.b, y.b)};
}
KOGRPO_INLINE i32x16 ixor(i32x16 x, i32x16 y) {
  return {_mm256_xor_si256(x.a, y.a), _mm256_xor_si256(x.b, y.b)};
}
KOGRPO_INLINE i32x16 iand(i32x16 x, i32x16 y) {
  return {_mm256_and_si256(x.a, y.a), _mm256_and_si256(x.b, y.b)};
}
KOGRPO_INLINE i32x16 ior(i32x16 x, i32x16 y) {
  return {_mm256_or_si256(x.a, y.a), _mm256_or_si256(x.b, y.b)};
}
template <int n>
KOGRPO_INLINE i32x16 shift_left(i32x16 x) {
  return {_mm256_slli_epi32(x.a, n), _mm256_slli_epi32(x.b, n)};
}
template <int n>
KOGRPO_INLINE i32x16 shift_right(i32x16 x) {
  return {_mm256_srli_epi32(x.a, n), _mm256_srli_epi32(x.b, n)};
}
KOGRPO_INLINE void mul_wide_half(__m256i a, __m256i b, __m256i& high, __m256i& low) {
  const __m256i even = _mm256_mul_epu32(a, b);
  const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32));
  low = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
  high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
}
KOGRPO_INLINE void mul_wide(i32x16 x, i32x16 y, i32x16& high, i32x16& low) {
  mul_wide_half(x.a, y.a, high.a, low.a);
  mul_wide_half(x.b, y.b, high.b, low.b);
}
KOGRPO_INLINE i32x16 bits(f32x16 x) {
  return {_mm256_castps_si256(x.a), _mm256_castps_si256(x.b)};
}
KOGRPO_INLINE f32x16 floats(i32x16 x) {
  return {_mm256_castsi256_ps(x.a), _mm256_castsi256_ps(x.b)};
}
KOGRPO_INLINE i32x16 round_to_int(f32x16 x) {
  return {_mm256_cvtps_epi32(x.a), _mm256_cvtps_epi32(x.b)};
}
KOGRPO_INLINE f32x16 to_float(i32x16 x) {
  return {_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)};
}
KOGRPO_INLINE f32x16 load_first(int n, const float* p) {
  return {_mm256_maskload_ps(p, lane_mask(n)), _mm256_maskload_ps(p + 8, lane_mask(n - 8))};
}
KOGRPO_INLINE void store_first(int n, float* p, f32x16 x) {
  _mm256_maskstore_ps(p, lane_mask(n), x.a);
  _mm256_maskstore_ps(p + 8, lane_mask(n - 8), x.b);
}
KOGRPO_INLINE float sum(f32x16 x) {
  const __m256 eight = _mm256_add_ps(x.a, x.b);
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
KOGRPO_INLINE float max_lane(f32x16 x) {
  const __m256 eight = _mm256_max_ps(x.a, x.b);
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

#else

struct f32x16 {
  __m512 v;
};
struct i32x16 {
  __m512i v;
};
KOGRPO_INLINE __mmask16 lane_mask(int n) {
  return n >= 16 ? __mmask16(0xFFFF) : n <= 0 ? __mmask16(0) : __mmask16((1u << n) - 1);
}
KOGRPO_INLINE f32x16 set1(float x) {
  return {_mm512_set1_ps(x)};
}
KOGRPO_INLINE f32x16 zero() {
  return {_mm512_setzero_ps()};
}
KOGRPO_INLINE f32x16 load(const float* p) {
  return {_mm512_loadu_ps(p)};
}
KOGRPO_INLINE void store(float* p, f32x16 x) {
  _mm512_storeu_ps(p, x.v);
}
KOGRPO_INLINE f32x16 add(f32x16 x, f32x16 y) {
  return {_mm512_add_ps(x.v, y.v)};
}
KOGRPO_INLINE f32x16 sub(f32x16 x, f32x16 y) {
  return {_mm512_sub_ps(x.v, y.v)};
}
KOGRPO_INLINE f32x16 mul(f32x16 x, f32x16 y) {
  return {_mm512_mul_ps(x.v, y.v)};
}
KOGRPO_INLINE f32x16 div(f32x16 x, f32x16 y) {
  return {_mm512_div_ps(x.v, y.v)};
}
KOGRPO_INLINE f32x16 fma(f32x16 x, f32x16 y, f32x16 z) {
  return {_mm512_fmadd_ps(x.v, y.v, z.v)};
}
KOGRPO_INLINE f32x16 sqrt(f32x16 x) {
  return {_mm512_sqrt_ps(x.v)};
}
KOGRPO_INLINE f32x16 max(f32x16 x, f32x16 y) {
  return {_mm512_max_ps(x.v, y.v)};
}
KOGRPO_INLINE f32x16 min(f32x16 x, f32x16 y) {
  return {_mm512_min_ps(x.v, y.v)};
}
KOGRPO_INLINE f32x16 first(int n, f32x16 x, f32x16 y) {
  return {_mm512_mask_blend_ps(lane_mask(n), y.v, x.v)};
}
KOGRPO_INLINE uint32_t greater(f32x16 x, f32x16 y) {
  return _mm512_cmp_ps_mask(x.v, y.v, _CMP_GT_OQ);
}
KOGRPO_INLINE f32x16 select(uint32_t m, f32x16 x, f32x16 y) {
  return {_mm512_mask_blend_ps(__mmask16(m), y.v, x.v)};
}
KOGRPO_INLINE i32x16 iset1(int32_t x) {
  return {_mm512_set1_epi32(x)};
}
KOGRPO_INLINE i32x16 iload(const int32_t* p) {
  return {_mm512_loadu_si512(p)};
}
KOGRPO_INLINE void istore(int32_t* p, i32x16 x) {
  _mm512_storeu_si512(p, x.v);
}
KOGRPO_INLINE i32x16 iadd(i32x16 x, i32x16 y) {
  return {_mm512_add_epi32(x.v, y.v)};
}
KOGRPO_INLINE i32x16 ixor(i32x16 x, i32x16 y) {
  return {_mm512_xor_si512(x.v, y.v)};
}
KOGRPO_INLINE i32x16 iand(i32x16 x, i32x16 y) {
  return {_mm512_and_si512(x.v, y.v)};
}
KOGRPO_INLINE i32x16 ior(i32x16 x, i32x16 y) {
  return {_mm512_or_si512(x.v, y.v)};
}
template <int n>
KOGRPO_INLINE i32x16 shift_left(i32x16 x) {
  return {_mm512_slli_epi32(x.v, n)};
}
template <int n>
KOGRPO_INLINE i32x16 shift_right(i32x16 x) {
  return {_mm512_srli_epi32(x.v, n)};
}
KOGRPO_INLINE void mul_wide(i32x16 x, i32x16 y, i32x16& high, i32x16& low) {
  const __m512i even = _mm512_mul_epu32(x.v, y.v);
  const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(x.v, 32), _mm512_srli_epi64(y.v, 32));
  low.v = _mm512_mask_blend_epi32(0xAAAA, even, _mm512_slli_epi64(odd, 32));
  high.v = _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 32), odd);
}
KOGRPO_INLINE i32x16 bits(f32x16 x) {
  return {_mm512_castps_si512(x.v)};
}
KOGRPO_INLINE f32x16 floats(i32x16 x) {
  return {_mm512_castsi512_ps(x.v)};
}
KOGRPO_INLINE i32x16 round_to_int(f32x16 x) {
  return {_mm512_cvtps_epi32(x.v)};
}
KOGRPO_INLINE f32x16 to_float(i32x16 x) {
  return {_mm512_cvtepi32_ps(x.v)};
}
KOGRPO_INLINE f32x16 load_first(int n, const float* p) {
  return {_mm512_maskz_loadu_ps(lane_mask(n), p)};
}
KOGRPO_INLINE void store_first(int n, float* p, f32x16 x) {
  _mm512_mask_storeu_ps(p, lane_mask(n), x.v);
}
KOGRPO_INLINE float sum(f32x16 x) {
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(x.v), _mm512_extractf32x8_ps(x.v, 1));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
KOGRPO_INLINE float max_lane(f32x16 x) {
  const __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(x.v), _mm512_extractf32x8_ps(x.v, 1));
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

#endif

KOGRPO_INLINE f32x16 neg(f32x16 a) {
  return floats(ixor(bits(a), iset1(INT32_MIN)));
}

// eˣ to 1 ulp or so: x = n·ln2 + r, |r| ≤ ln2/2, degree-6 polynomial (Cephes' expf), scaled by 2ⁿ
// in two steps so that results down to the smallest denormal are right. x > 88.7 gives +inf; −inf
// gives 0.
KOGRPO_INLINE f32x16 exp(f32x16 x) {
  const f32x16 clamped = min(max(x, set1(-104.0f)), set1(89.0f));
  const i32x16 n = round_to_int(mul(clamped, set1(1.44269504088896341f)));
  const f32x16 nf = to_float(n);
  f32x16 r = fma(nf, set1(-0.693359375f), clamped);
  r = fma(nf, set1(2.12194440e-4f), r);
  f32x16 p = set1(1.9875691500e-4f);
  p = fma(p, r, set1(1.3981999507e-3f));
  p = fma(p, r, set1(8.3334519073e-3f));
  p = fma(p, r, set1(4.1665795894e-2f));
  p = fma(p, r, set1(1.6666665459e-1f));
  p = fma(p, r, set1(5.0000001201e-1f));
  p = add(fma(p, mul(r, r), r), set1(1.0f));
  // 2ⁿ = 2^(n/2) · 2^(n − n/2), halves rounded toward −∞ by the arithmetic shift of n + 512.
  const i32x16 half = iadd(shift_right<1>(iadd(n, iset1(512))), iset1(-256));
  const i32x16 rest = iadd(n, iadd(ixor(half, iset1(-1)), iset1(1)));
  const f32x16 s1 = floats(shift_left<23>(iadd(half, iset1(127))));
  const f32x16 s2 = floats(shift_left<23>(iadd(rest, iset1(127))));
  return mul(mul(p, s1), s2);
}

// ln x for finite x > 0 (normal), Cephes' logf; used on uniforms and sums of exponentials.
KOGRPO_INLINE f32x16 log(f32x16 x) {
  const i32x16 raw = bits(x);
  f32x16 e = to_float(iadd(iand(shift_right<23>(raw), iset1(255)), iset1(-126)));
  f32x16 m = floats(ior(iand(raw, iset1(0x007FFFFF)), iset1(0x3F000000)));  // in [0.5, 1)
  const uint32_t small = greater(set1(0.707106781186547524f), m);
  e = select(small, sub(e, set1(1.0f)), e);
  m = sub(select(small, add(m, m), m), set1(1.0f));
  const f32x16 z = mul(m, m);
  f32x16 p = set1(7.0376836292e-2f);
  p = fma(p, m, set1(-1.1514610310e-1f));
  p = fma(p, m, set1(1.1676998740e-1f));
  p = fma(p, m, set1(-1.2420140846e-1f));
  p = fma(p, m, set1(1.4249322787e-1f));
  p = fma(p, m, set1(-1.6668057665e-1f));
  p = fma(p, m, set1(2.0000714765e-1f));
  p = fma(p, m, set1(-2.4999993993e-1f));
  p = fma(p, m, set1(3.3333331174e-1f));
  p = mul(mul(p, m), z);
  p = fma(e, set1(-2.12194440e-4f), p);
  p = fma(z, set1(-0.5f), p);
  return fma(e, set1(0.693359375f), add(m, p));
}
// Lane 0 of the vector function, so that scalars and vectors agree.
KOGRPO_INLINE float lane0(f32x16 a) {
  float t[16];
  store(t, a);
  return t[0];
}
KOGRPO_INLINE float exp1(float x) {
  return lane0(exp(set1(x)));
}
KOGRPO_INLINE float log1(float x) {
  return lane0(log(set1(x)));
}

}  // namespace kogrpo::KOGRPO_ISA
