#pragma once
// A product of two tiles of hopper.cuh by one warpgroup, for its tests, on a GPU and in the
// emulation.

#include "cuda/hopper.cuh"
#include "cuda/runtime.h"
#include "cuda/tensor_map.h"

namespace kogrpo::cuda {

constexpr int kProductBarrier = 2 * SwizzledTile<128>::bytes;
constexpr size_t kProductBytes = kProductBarrier + 64 + 1024;

// Both tiles by TMA, then one warpgroup: d [64,128] of rows 64 … 127 of A's tile.
//   0  A·Bᵀ, both K-major          1  A·B, B MN-major
//   2  Aᵀ·B, columns 64 … 127 of A as rows of the product      3  as 1, A from registers
// Without `wait` it does not wait for its tiles.
template <int form>
__global__ void __launch_bounds__(128)
    hopper_product(const __grid_constant__ TensorMap a_map, const __grid_constant__ TensorMap b_map,
                   const bf16* a, bool wait, float* d) {
#if KOGRPO_SM90A
  const uint32_t base = (shared_address(dynamic_shared()) + 1023u) & ~1023u;
  const uint32_t barrier = base + kProductBarrier;
  const SwizzledTile<128> ta{base}, tb{base + SwizzledTile<128>::bytes};
  if (threadIdx.x == 0) {
    barrier_init(barrier, 1);
    barrier_init_fence();
  }
  block_sync();
  if (threadIdx.x == 0) {
    barrier_arrive_expect(barrier, 2 * SwizzledTile<128>::bytes);
    load_tile(ta, a_map, 0, 0, barrier);
    load_tile(tb, b_map, 0, 0, barrier);
  }
  if (wait) barrier_wait(barrier, 0);
  float c[64] = {};
  const int row = 64 + warp() * 16 + lane() / 4;
  uint32_t words[8][4] = {};
  if constexpr (form == 3) {
#pragma unroll
    for (int k = 0; k < 128; k += 16)
#pragma unroll
      for (int w = 0; w < 4; ++w) {
        const bf16* x = a + (row + w % 2 * 8) * 128 + k + lane() % 4 * 2 + w / 2 * 8;
        words[k / 16][w] = uint32_t(x[0].bits) | uint32_t(x[1].bits) << 16;
      }
  }
  warp_sync();
  wgmma_begin();
#pragma unroll
  for (int k = 0; k < 128; k += 16) {
    if constexpr (form == 0) wgmma<false, false>(c, ta.k_major(64, k), tb.k_major(0, k), k > 0);
    if constexpr (form == 1) wgmma<false, true>(c, ta.k_major(64, k), tb.mn_major(k, 0), k > 0);
    if constexpr (form == 2) wgmma<true, true>(c, ta.mn_major(k, 64), tb.mn_major(k, 0), k > 0);
    if constexpr (form == 3) wgmma<true>(c, words[k / 16], tb.mn_major(k, 0));
  }
  wgmma_commit();
  wgmma_wait<0>(c);
#pragma unroll
  for (int n = 0; n < 16; ++n)
#pragma unroll
    for (int j = 0; j < 4; ++j)
      d[(row - 64 + j / 2 * 8) * 128 + 8 * n + lane() % 4 * 2 + j % 2] = c[4 * n + j];
#endif
}

}  // namespace kogrpo::cuda
