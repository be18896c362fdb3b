#pragma once
// An order of the ids of a row: larger value first, then lower id.

#include "cuda/device.cuh"

namespace kogrpo::cuda {

// Value then id as one integer, larger first in the sorted order.
__device__ __forceinline__ uint64_t rank_of(float z, int id) {
  const uint32_t u = float_to_bits(z + 0.0f);  // −0 becomes 0
  const uint32_t ordered = u & 0x80000000u ? ~u : u | 0x80000000u;
  return uint64_t(ordered) << 32 | uint32_t(~uint32_t(id));
}

// Largest over a block; `shared` holds one value per warp. Every thread gets it.
__device__ __forceinline__ uint64_t block_max(uint64_t x, uint64_t* shared) {
  for (int d = kWarp / 2; d > 0; d /= 2) {
    const uint64_t other = shuffle_xor(x, d);
    x = other > x ? other : x;
  }
  if (lane() == 0) shared[warp()] = x;
  block_sync();
  for (int w = 0; w < int(blockDim.x) / kWarp; ++w) x = shared[w] > x ? shared[w] : x;
  block_sync();
  return x;
}

}  // namespace kogrpo::cuda
