#pragma once
// The product with 8-bit weights, y[M,N] (+)= x[M,K]·wᵀ, as integers:
//   w[n,k] ≈ q[n,k]·s[n]   q in [−127, 127], s[n] = max|w[n,·]| / 127
//   x[m,k] ≈ u[m,k]·t[m]   u in [−32767, 32767], t[m] = max|x[m,·]| / 32767, made in each call
//   y[m,n] = (Σ_k u·q)·t[m]·s[n]
// Both scales are symmetric and of one row alone, so a row's result is its own (ops.h). u has 16
// bits because the instruction that multiplies bytes (VPDPBUSD: unsigned by signed, four to a
// 32-bit sum) can have both of its bytes for the price of a bfloat16 product: u + 32768 = 256·high
// + low, and with 8 bits the rounding of x would be the larger error of the two. The sums are
// exact, in any order and on every instruction set:
//   Σ u·q = 256·(Σ high·q − 128·Σ q) + Σ low·q
//
// Four values of k are a 32-bit word; missing ones at the end are 0. A panel of w is int8_nr
// columns of words, k ascending, as in matmul.h.

#include "cpu/kernels.h"

namespace kogrpo {

// More would overflow a 32-bit sum of 255·127.
constexpr int64_t kInt8Depth = 65536;

// Rows [panel·nr, …) of w into panels of `words` words a column, with their scales and Σ q; those
// beyond `n` become zeros. A row with a value that is not finite gets the scale NaN.
struct Int8Pack {
  const float* w = nullptr;
  int64_t stride = 0, n = 0, k = 0, words = 0;
  Range panels;
  int32_t* out = nullptr;  // panel 0, 64-byte aligned
  float* scales = nullptr;
  int32_t* sums = nullptr;
};

// Rows of x into bytes: row m's high ones are out[2m·words …), its low ones out[(2m + 1)·words …).
struct Int8Rows {
  const float* x = nullptr;
  int64_t stride = 0, k = 0;
  Range rows;
  int64_t words = 0;  // a multiple of 16
  int32_t* out = nullptr;
  float* scales = nullptr;
};

// y's rows × panels' columns.
struct Int8Block {
  const int32_t *a = nullptr, *b = nullptr;  // of Int8Rows, of Int8Pack
  const float *a_scales = nullptr, *b_scales = nullptr;
  const int32_t* sums = nullptr;
  int64_t words = 0, a_words = 0;  // of a column of b, of a row of a
  float* y = nullptr;
  int64_t y_stride = 0, n = 0;  // n: columns of y
  Range rows, panels;
  bool accumulate = false;
};

}  // namespace kogrpo
