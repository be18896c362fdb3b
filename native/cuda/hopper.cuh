#pragma once
// The vocabulary of the sm_90a kernels, on top of device.cuh: tiles that the tensor memory
// accelerator (TMA) copies, mbarriers, warpgroup products (wgmma), named barriers, a warpgroup's
// register budget. As with device.cuh two implementations stand behind it: PTX (hopper_ptx.cuh) and
// a host emulation (test/native/cuda_emulation/hopper.h) in which the kernels run on a CPU.
//
// Every tile is R rows × 128 columns of bf16, as two halves of 64 columns, [half][R][64]: rows of
// 128 bytes, whose eight 16-byte chunks are permuted, chunk c of row r standing at c ^ (r % 8) (the
// 128-byte swizzle of TMA and wgmma alike). A tile begins on 1,024 bytes.
//
// wgmma reads shared memory through 64-bit descriptors (PTX ISA, "Asynchronous Warpgroup Level
// Matrix Shared Memory Layout"): start address, leading and stride byte offsets, all in units of 16
// bytes, and the swizzle (1: 128 bytes). The same tile serves as an operand in two ways:
//   k_major    rows are M or N, columns are K:  stride = 8 rows; leading is not used
//   mn_major   rows are K, columns are M or N:  stride = 8 rows of K; leading = 64 columns of M or
//   N
//
// Fragments: warp w of a warpgroup holds rows 16w … 16w+15 of the 64-row result, in them like the C
// of mma.m16n8k16 (device.cuh), value 4n+j of a lane being value j of the n-th 16×8 tile; A from
// registers is the same instruction's A.

#include <cuda.h>

#include "cuda/device.cuh"

#if defined(__CUDACC__)
#include "cuda/hopper_ptx.cuh"
#else
#include "cuda_emulation/hopper.h"
#endif

// Kernels that use this vocabulary are empty in code for other architectures.
#if !defined(__CUDA_ARCH__) || defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define KOGRPO_SM90A 1
#else
#define KOGRPO_SM90A 0
#pragma nv_diag_suppress 177  // what only those kernels call is not called there
#endif

namespace kogrpo::cuda {

constexpr int kWarpgroup = 4 * kWarp;

// A tile of R rows in shared memory, see above; base is a shared-memory address.
template <int R>
struct SwizzledTile {
  static constexpr int bytes = R * 256, half = R * 128;
  uint32_t base;

  __device__ __forceinline__ static uint64_t descriptor(uint32_t address, uint32_t leading) {
    return uint64_t((address & 0x3ffff) >> 4) | uint64_t(leading >> 4) << 16 |
           uint64_t(1024 >> 4) << 32 | uint64_t(1) << 62;
  }
  // Rows from `row` (a multiple of 8), 16 columns from k on.
  __device__ __forceinline__ uint64_t k_major(int row, int k) const {
    return descriptor(base + uint32_t(k / 64 * half + row * 128 + k % 64 * 2), 16);
  }
  // 16 rows from k on (a multiple of 8), columns from n (a multiple of 64).
  __device__ __forceinline__ uint64_t mn_major(int k, int n) const {
    return descriptor(base + uint32_t(n / 64 * half + k * 128), half);
  }
  // Where the 16 bytes of row r, columns 8c … 8c+7 stand, from the tile's begin.
  __device__ __forceinline__ static int chunk(int r, int c) {
    return c / 8 * half + r * 128 + ((c % 8) ^ (r % 8)) * 16;
  }
};

// Copies a tile of R rows from `row`, 128 columns from `column` of the map's matrix; rows that the
// matrix lacks become 0. Completes `bytes` of the barrier's transactions. By one thread.
template <int R>
__device__ __forceinline__ void load_tile(const SwizzledTile<R>& to, const TensorMap& map,
                                          int column, int row, uint32_t barrier) {
  load_box(to.base, map, column, row, barrier);
  load_box(to.base + SwizzledTile<R>::half, map, column + 64, row, barrier);
}

// The stages of a ring of `count` buffers: which one, and in which phase of its barriers.
template <int count>
struct Ring {
  int stage = 0;
  uint32_t phase = 0;
  __device__ __forceinline__ void advance() {
    if (++stage == count) {
      stage = 0;
      phase ^= 1;
    }
  }
};

}  // namespace kogrpo::cuda
