#pragma once
// The vocabulary of native/cuda/hopper.cuh on a CPU, after the PTX ISA's chapters "mbarrier", "Data
// Movement: tensor copies", "Asynchronous Warpgroup Level Matrix Instructions" (matrix fragments,
// shared memory layout, strides, descriptor) and "barrier". Shared-memory addresses are offsets
// into the block's dynamic shared memory. In the spirit of device.h:
//   * in odd blocks a product runs as late as its wait allows and a tensor copy only when no thread
//     of the block can go on; in even blocks both run at once. Reading early, overwriting a buffer
//     or a register too early, each shows as a wrong result in one or the other;
//   * a wait that nothing will end is an error that names the thread and what it waits for, and so
//     are a product that was never waited for and a barrier that was not initialised.
// Not checked: fences (wgmma.fence, fence.proxy.async), register budgets, bank conflicts.

#include <cuda.h>

#include "cuda_emulation/device.h"

#define __grid_constant__

namespace kogrpo::cuda {

using TensorMap = CUtensorMap;

inline uint32_t shared_address(const void* p) {
  return uint32_t(static_cast<const char*>(p) - emulation::current().shared);
}
inline char* shared_pointer(uint32_t address) {
  return emulation::current().shared + address;
}

void barrier_init(uint32_t barrier, int arrivals);
inline void barrier_init_fence() {}
void barrier_arrive(uint32_t barrier);
void barrier_arrive_expect(uint32_t barrier, int bytes);
void barrier_wait(uint32_t barrier, uint32_t parity);

void load_box(uint32_t to, const TensorMap& map, int column, int row, uint32_t barrier);
inline void prefetch(const TensorMap&) {}
inline void fence_async_proxy() {}

void named_sync(int id, int threads);
void named_arrive(int id, int threads);
template <int n>
void release_registers() {
  static_assert(n >= 24 && n <= 256 && n % 8 == 0);
}
template <int n>
void claim_registers() {
  static_assert(n >= 24 && n <= 256 && n % 8 == 0);
}

inline void wgmma_begin() {}
void wgmma_commit();
void wgmma_wait_groups(int pending);
template <int pending, int n>
void wgmma_wait(float (&)[n]) {
  wgmma_wait_groups(pending);
}
void wgmma_issue(const emulation::PendingProduct& product);
template <bool transpose_a, bool transpose_b, int n>
void wgmma(float (&d)[n], uint64_t a, uint64_t b, bool accumulate) {
  wgmma_issue({d, nullptr, a, b, 2 * n, transpose_a, transpose_b, accumulate, 0});
}
template <bool transpose_b, int n>
void wgmma(float (&d)[n], const uint32_t (&a)[4], uint64_t b) {
  wgmma_issue({d, a, 0, b, 2 * n, false, transpose_b, true, 0});
}

}  // namespace kogrpo::cuda
