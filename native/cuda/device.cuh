#pragma once
// The vocabulary that every kernel is written in: indices, barriers, shuffles, 16-byte and
// asynchronous copies, matrix fragments, a few functions. Two implementations stand behind it: PTX
// (device_ptx.cuh, under nvcc) and a host emulation (test/native/cuda_emulation), under which the
// same kernels run on a CPU, threads in lockstep, and are held against the reference. So a kernel
// uses nothing of CUDA that is not named here, except __global__, __device__, __shared__,
// threadIdx, blockIdx, blockDim, gridDim.
//
// Matrix fragments are those of mma.m16n8k16 (PTX ISA, "Matrix fragments for mma.m16n8k16"): lane l
// of a warp holds, with g = l/4 and t = l%4,
//   A (16×16 bf16, 4 words)  word 0: row g,   columns 2t, 2t+1;  word 1: row g+8;
//                            words 2, 3: the same rows, columns 2t+8, 2t+9
//   B (16×8 bf16, 2 words)   word 0: rows 2t, 2t+1 of column g;  word 1: rows 2t+8, 2t+9
//   C (16×8 fp32, 4 values)  c0, c1: row g, columns 2t, 2t+1;    c2, c3: row g+8
// so the C of one product, rounded to bf16 pairs, is the A of the next without any exchange.

#include <cstdint>

#include "ops/bf16.h"

#if defined(__CUDACC__)
#include "cuda/device_ptx.cuh"
#else
#include "cuda_emulation/device.h"
#endif

namespace kogrpo::cuda {

constexpr int kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffffu;

__device__ __forceinline__ int lane() {
  return int(threadIdx.x) % kWarp;
}
__device__ __forceinline__ int warp() {
  return int(threadIdx.x) / kWarp;
}

// N elements moved at once: 16 bytes where N · sizeof(T) is 16.
template <class T, int N>
struct alignas(sizeof(T) * N) Vec {
  T v[N];
};
template <int N, class T>
__device__ __forceinline__ Vec<T, N> load(const T* p) {
  return *reinterpret_cast<const Vec<T, N>*>(p);
}
template <class T, int N>
__device__ __forceinline__ void store(T* p, const Vec<T, N>& x) {
  *reinterpret_cast<Vec<T, N>*>(p) = x;
}
// Elements of T in 16 bytes.
template <class T>
constexpr int kWide = 16 / int(sizeof(T));

// Conversions between a storage type and the arithmetic's float.
__device__ __forceinline__ float to_float(float x) {
  return x;
}
__device__ __forceinline__ float to_float(bf16 x) {
  return bits_to_float(uint32_t(x.bits) << 16);
}
template <class T>
__device__ __forceinline__ T from_float(float x);
template <>
__device__ __forceinline__ float from_float<float>(float x) {
  return x;
}
template <>
__device__ __forceinline__ bf16 from_float<bf16>(float x) {
  return bf16{uint16_t(pack_bf16(x, 0.0f) & 0xffffu)};
}

// Sums and maxima over a warp in a fixed tree; every lane gets the result.
__device__ __forceinline__ float warp_sum(float x) {
  for (int d = kWarp / 2; d > 0; d /= 2) x += shuffle_xor(x, d);
  return x;
}
__device__ __forceinline__ double warp_sum(double x) {
  for (int d = kWarp / 2; d > 0; d /= 2) x += shuffle_xor(x, d);
  return x;
}
__device__ __forceinline__ float warp_max(float x) {
  for (int d = kWarp / 2; d > 0; d /= 2) x = fmaxf(x, shuffle_xor(x, d));
  return x;
}

// Sum over a block, warps in order; `shared` holds one value per warp. Every thread gets the sum.
// Ends with a barrier, so `shared` may be used again at once.
template <class T>
__device__ __forceinline__ T block_sum(T x, T* shared) {
  x = warp_sum(x);
  if (lane() == 0) shared[warp()] = x;
  block_sync();
  T total = shared[0];
  for (int w = 1; w < int(blockDim.x) / kWarp; ++w) total += shared[w];
  block_sync();
  return total;
}

}  // namespace kogrpo::cuda
