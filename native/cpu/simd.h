#pragma once
// f32x16: sixteen floats on any instruction set, with the same bits from each.
//
// Kernels (cpu/kernels/*.inl) are written once in this vocabulary and compiled once per instruction
// set by cpu/kernels_<isa>.cpp. Every operation is an IEEE operation on independent lanes, fused
// multiply-adds are explicit, and lane sums run in one fixed tree, so AVX-512, AVX2, NEON and the
// scalar path (simd/scalar.h, the specification) agree bit for bit. Include only from those files:
// the namespace carries the instruction set's name, and nothing in here may be shared between them.
//
// kernels_scalar.cpp asks for plain lanes by KOGRPO_SCALAR; else the compiler's target decides.

#include <cstdint>
#include <cstring>

#if defined(KOGRPO_SCALAR)
#define KOGRPO_ISA scalar
#elif defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512BW__) && \
    defined(__AVX512VL__)
#if defined(__AVX512BF16__)
#define KOGRPO_ISA avx512bf16
#elif defined(__AVX512VNNI__)
#define KOGRPO_ISA avx512vnni
#else
#define KOGRPO_ISA avx512
#endif
#elif defined(__AVX2__) && defined(__FMA__)
#define KOGRPO_ISA avx2
#define KOGRPO_AVX2 1
#elif defined(__aarch64__) && defined(__ARM_NEON)
#define KOGRPO_ISA neon
#define KOGRPO_NEON 1
#else
#error "no vocabulary for this target: compile with KOGRPO_SCALAR"
#endif

#define KOGRPO_INLINE [[gnu::always_inline]] inline

namespace kogrpo::KOGRPO_ISA {

constexpr int kLanes = 16;

}  // namespace kogrpo::KOGRPO_ISA

#if defined(KOGRPO_SCALAR)
#include "cpu/simd/scalar.h"
#elif defined(KOGRPO_NEON)
#include "cpu/simd/neon.h"
#elif defined(__AVX512F__)
#include "cpu/simd/avx512.h"
#else
#include "cpu/simd/avx2.h"
#endif

namespace kogrpo::KOGRPO_ISA {

KOGRPO_INLINE f32x16 neg(f32x16 a) {
  return floats(ixor(bits(a), iset1(INT32_MIN)));
}

// eˣ to 1 ulp or so: x = n·ln2 + r, |r| ≤ ln2/2, degree-6 polynomial (Cephes' expf), scaled by 2ⁿ
// in two steps so that results down to the smallest denormal are right. x > 88.7 gives +inf, −inf
// gives 0; NaN counts as −104, so that a NaN must show in what the result is multiplied with.
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
KOGRPO_INLINE float log1(float x) {
  return lane0(log(set1(x)));
}

}  // namespace kogrpo::KOGRPO_ISA
