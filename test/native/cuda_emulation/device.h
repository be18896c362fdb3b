#pragma once
// The vocabulary of native/cuda/device.cuh on a CPU. Every thread of a block is a fiber; a barrier
// or a warp-wide operation is where fibers hand over. Made to find errors rather than to hide them:
//   * a warp-wide operation that not all lanes of the warp reach, at the same call, is an error,
//   and
//     so is a barrier that not all threads reach;
//   * threads and warps run in ascending order in even blocks, descending in odd ones, each as far
//     as it can: a missing barrier shows as a wrong result;
//   * an asynchronous copy happens as late as its wait allows;
//   * dynamic shared memory starts as NaN, and AddressSanitizer watches its end.

#include <cmath>
#include <cstdint>
#include <cstring>

#include "cuda_emulation/block.h"
#include "cuda_emulation/tensor_core.h"
#include "ops/bf16.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __shared__ static thread_local  // blocks of several GPUs run at a time, a thread each
#define threadIdx (::kogrpo::emulation::current().thread)
#define blockIdx (::kogrpo::emulation::current().block)
#define blockDim (::kogrpo::emulation::current().block_dim)
#define gridDim (::kogrpo::emulation::current().grid_dim)

namespace kogrpo::cuda {

inline char* dynamic_shared() {
  return emulation::current().shared;
}
inline void block_sync() {
  emulation::wait_block();
}
inline void warp_sync() {
  int nothing = 0;
  emulation::warp_collective(nothing, [](int* const*) {});
}

template <class T>
struct Exchange {
  T in, out;
  int lane;
};
template <class T>
T shuffle(T x, int source) {
  Exchange<T> e{x, x, source};
  emulation::warp_collective(e, [](Exchange<T>* const* all) {
    for (int l = 0; l < 32; ++l) all[l]->out = all[all[l]->lane & 31]->in;
  });
  return e.out;
}
template <class T>
T shuffle_xor(T x, int mask) {
  return shuffle(x, int(threadIdx.x % 32) ^ mask);
}

inline float bits_to_float(uint32_t u) {
  float f;
  std::memcpy(&f, &u, sizeof f);
  return f;
}
inline uint32_t float_to_bits(float x) {
  uint32_t u;
  std::memcpy(&u, &x, sizeof u);
  return u;
}
inline uint32_t pack_bf16(float low, float high) {
  return uint32_t(round_to_bf16(low).bits) | uint32_t(round_to_bf16(high).bits) << 16;
}
inline float exp2_fast(float x) {
  return emulation::exp2_approximate(x);
}

struct MatrixLoad {
  const bf16* row;
  uint32_t* out;
};
template <bool transposed>
void load_matrices_emulated(MatrixLoad* const* lanes) {
  for (int m = 0; m < 4; ++m)
    for (int l = 0; l < 32; ++l) {
      const int g = l / 4, t = l % 4;
      const auto at = [&](int row, int col) { return uint32_t(lanes[8 * m + row]->row[col].bits); };
      lanes[l]->out[m] = transposed ? at(2 * t, g) | at(2 * t + 1, g) << 16
                                    : at(g, 2 * t) | at(g, 2 * t + 1) << 16;
    }
}
inline void load_matrices(uint32_t (&m)[4], const bf16* row) {
  emulation::require(reinterpret_cast<uintptr_t>(row) % 16 == 0, "ldmatrix: row not on 16 bytes");
  MatrixLoad a{row, m};
  emulation::warp_collective(
      a, [](MatrixLoad* const* lanes) { load_matrices_emulated<false>(lanes); });
}
inline void load_matrices_transposed(uint32_t (&m)[4], const bf16* row) {
  emulation::require(reinterpret_cast<uintptr_t>(row) % 16 == 0, "ldmatrix: row not on 16 bytes");
  MatrixLoad a{row, m};
  emulation::warp_collective(a,
                             [](MatrixLoad* const* lanes) { load_matrices_emulated<true>(lanes); });
}

struct MatrixProduct {
  float* c;
  const uint32_t* a;
  uint32_t b[2];
};
inline void mma_emulated(MatrixProduct* const* lanes) {
  const auto half = [](uint32_t word, int i) {
    return bits_to_float(i ? word & 0xffff0000u : word << 16);
  };
  // Zeros for rows that the matrix lacks leave the sums as they are.
  uint32_t some = 0;
  bool finite_b = true;
  for (int l = 0; l < 32; ++l) {
    for (int w = 0; w < 4; ++w) some |= lanes[l]->a[w] & 0x7fff7fffu;
    for (int w = 0; w < 2; ++w)
      for (int i = 0; i < 2; ++i) finite_b &= std::isfinite(half(lanes[l]->b[w], i));
  }
  if (some == 0 && finite_b) return;
  float a[16][16], b[16][8];
  for (int l = 0; l < 32; ++l) {
    const int g = l / 4, t = l % 4;
    for (int w = 0; w < 4; ++w)
      for (int i = 0; i < 2; ++i)
        a[g + 8 * (w % 2)][2 * t + i + 8 * (w / 2)] = half(lanes[l]->a[w], i);
    for (int w = 0; w < 2; ++w)
      for (int i = 0; i < 2; ++i) b[2 * t + i + 8 * w][g] = half(lanes[l]->b[w], i);
  }
  const auto c = [&](int row, int col) -> float& {
    return lanes[row % 8 * 4 + col / 2]->c[row / 8 * 2 + col % 2];
  };
  for (int row = 0; row < 16; ++row) {
    float sums[8];  // a row at a time: vectors to the compiler
    for (int col = 0; col < 8; ++col) sums[col] = c(row, col);
    for (int k = 0; k < 16; k += 8) emulation::add_products(sums, a[row] + k, b + k);
    for (int col = 0; col < 8; ++col) c(row, col) = sums[col];
  }
}
inline void mma(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  MatrixProduct p{c, a, {b0, b1}};
  emulation::warp_collective(p, mma_emulated);
}

inline void copy_async16(void* shared, const void* global, bool valid) {
  emulation::require(reinterpret_cast<uintptr_t>(shared) % 16 == 0 &&
                         (!valid || reinterpret_cast<uintptr_t>(global) % 16 == 0),
                     "cp.async: an address is not on 16 bytes");
  emulation::current().copies.push_back({shared, valid ? global : nullptr, 0});
}
inline void copy_async_commit() {
  emulation::commit_copies();
}
template <int pending>
void copy_async_wait() {
  emulation::finish_copies(pending);
}

inline void atomic_add(uint32_t* p, uint32_t x) {
  *p += x;
}
inline void atomic_add(uint64_t* p, uint64_t x) {
  *p += x;
}
inline uint32_t multiply_high(uint32_t a, uint32_t b) {
  return uint32_t(uint64_t(a) * b >> 32);
}
inline float rsqrtf(float x) {
  return 1.0f / std::sqrt(x);
}
using ::expf;
using ::fabsf;
using ::fmaf;
using ::fmaxf;
using ::fminf;
using ::log1pf;
using ::logf;
using ::sqrtf;
using std::exp;

}  // namespace kogrpo::cuda
