#pragma once
// What a tensor core's additions do to the last bits. An instruction's products are exact, but they
// are not added one by one: products and accumulator are shifted to the largest exponent among
// them, cut off (not rounded) a bit below fp32's last place there, added exactly, and the sum is
// cut off to fp32. So said by Fasi, Higham, Mikaitis and Pranesh, "Numerical behavior of NVIDIA
// tensor cores" (PeerJ Computer Science 2021), and for Hopper by Li et al., "FTTN" (arXiv
// 2403.00232): 8 (A100) or 16 (H100) products to an addition, at least 1 or 2 further bits. This is
// the coarser of each: a bound that holds here has room on a GPU. Every sum errs towards 0, and not
// as the host's chain does.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace kogrpo::emulation {

// 2^x as MUFU.EX2 gives it: within 2⁻²² of the value (PTX ISA, ex2.approx.ftz.f32), here by an
// error that the argument's bits choose; whole numbers exact, subnormal results 0.
inline float exp2_approximate(float x) {
  const float exact = std::exp2(x);
  if (exact < 0x1p-126f) return 0.0f;
  if (x == std::floor(x) || !std::isfinite(exact)) return exact;
  uint32_t u;
  std::memcpy(&u, &x, sizeof u);
  u = (u ^ u >> 15) * 0x2c1b3c6du;
  u = (u ^ u >> 12) * 0x297a2d39u;
  return float(double(exact) * (1 + (double(u >> 8) * 0x1p-23 - 1) * 0x1p-22));
}

// c[j] += Σ_k a[k]·b[k][j] over 8 of k.
inline void add_products(float (&c)[8], const float* a, const float (*b)[8]) {
  double products[8][8], largest[8];
  bool finite = true;
  for (int j = 0; j < 8; ++j) largest[j] = std::fabs(double(c[j]));
  for (int k = 0; k < 8; ++k)
    for (int j = 0; j < 8; ++j) {
      products[k][j] = double(a[k]) * double(b[k][j]);
      largest[j] = std::max(largest[j], std::fabs(products[k][j]));
      finite &= products[k][j] - products[k][j] == 0;
    }
  for (int j = 0; j < 8; ++j) finite &= double(c[j]) - double(c[j]) == 0;
  if (!finite) {
    for (int k = 0; k < 8; ++k)
      for (int j = 0; j < 8; ++j) c[j] = std::fma(a[k], b[k][j], c[j]);
    return;
  }
  for (int j = 0; j < 8; ++j) {
    // 2^exponent of the largest, by its bits; a unit is 2⁻²⁴ of that.
    uint64_t bits;
    std::memcpy(&bits, &largest[j], sizeof bits);
    bits &= uint64_t{0x7ff} << 52;
    double power;
    std::memcpy(&power, &bits, sizeof power);
    if (power < 0x1p-900) continue;  // all are 0
    const double unit = power * 0x1p-24, inverse = 1 / unit;
    double sum = std::trunc(double(c[j]) * inverse);
    for (int k = 0; k < 8; ++k) sum += std::trunc(products[k][j] * inverse);
    sum *= unit;
    float rounded = float(sum);
    if (std::fabs(double(rounded)) > std::fabs(sum)) rounded = std::nextafterf(rounded, 0.0f);
    c[j] = rounded;
  }
}

}  // namespace kogrpo::emulation
