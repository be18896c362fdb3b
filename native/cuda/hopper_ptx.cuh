#pragma once
// The vocabulary of hopper.cuh in PTX, sm_90a. See there for tiles, descriptors and fragments.

#include <cuda.h>

#include <cstdint>

#include "cuda/device_ptx.cuh"

namespace kogrpo::cuda {

using TensorMap = CUtensorMap;

// Where a shared-memory address (shared_address) points.
__device__ __forceinline__ char* shared_pointer(uint32_t address) {
  return static_cast<char*>(__cvta_shared_to_generic(address));
}

// ---- mbarriers, by shared-memory address

__device__ __forceinline__ void barrier_init(uint32_t barrier, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}
// After the last barrier_init and before a block_sync: TMA sees the barriers.
__device__ __forceinline__ void barrier_init_fence() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}
__device__ __forceinline__ void barrier_arrive(uint32_t barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}
// Arrives, and the phase ends only after `bytes` more have been copied.
__device__ __forceinline__ void barrier_arrive_expect(uint32_t barrier, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes)
               : "memory");
}
// Until the phase of this parity has ended. The phase before the first counts as one of parity 1.
__device__ __forceinline__ void barrier_wait(uint32_t barrier, uint32_t parity) {
  uint32_t done = 0;
  while (!done)
    asm volatile(
        "{\n.reg .pred p;\nmbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
        "selp.u32 %0, 1, 0, p;\n}"
        : "=r"(done)
        : "r"(barrier), "r"(parity)
        : "memory");
}

// ---- TMA

// Half a tile: the map's box at (column, row), 128-byte swizzle.
__device__ __forceinline__ void load_box(uint32_t to, const TensorMap& map, int column, int row,
                                         uint32_t barrier) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], "
      "[%1, {%2, %3}], [%4];" ::"r"(to),
      "l"(&map), "r"(column), "r"(row), "r"(barrier)
      : "memory");
}
__device__ __forceinline__ void prefetch(const TensorMap& map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory");
}
// What this thread wrote to shared memory by other means may be read by wgmma and TMA.
__device__ __forceinline__ void fence_async_proxy() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

// ---- warps and warpgroups

// Barriers 1 … 15 of `threads` threads in all; arriving does not wait.
__device__ __forceinline__ void named_sync(int id, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
__device__ __forceinline__ void named_arrive(int id, int threads) {
  asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
// The warpgroup gives registers back, or waits until it has n of them per thread.
template <int n>
__device__ __forceinline__ void release_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(n));
}
template <int n>
__device__ __forceinline__ void claim_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(n));
}

// ---- wgmma: products run asynchronously between wgmma_begin, wgmma_commit and wgmma_wait

__device__ __forceinline__ void wgmma_begin() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
__device__ __forceinline__ void wgmma_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
// Until at most `pending` committed groups are under way; d is of one that is not. The compiler may
// move no use of d up across this.
template <int pending, int n>
__device__ __forceinline__ void wgmma_wait(float (&d)[n]) {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(pending) : "memory");
#pragma unroll
  for (int i = 0; i < n; ++i) asm volatile("" : "+f"(d[i])::"memory");
}

// The accumulators of a product, as the text and as the operands of its instruction.
#define KOGRPO_TEXT_32                                                     \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, " \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define KOGRPO_TEXT_64                                                                 \
  KOGRPO_TEXT_32                                                                       \
  ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
  "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define KOGRPO_OPERANDS_8(d, i)                                                               \
  "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), \
      "+f"(d[i + 6]), "+f"(d[i + 7])
#define KOGRPO_OPERANDS_32(d, i)                                                      \
  KOGRPO_OPERANDS_8(d, i), KOGRPO_OPERANDS_8(d, i + 8), KOGRPO_OPERANDS_8(d, i + 16), \
      KOGRPO_OPERANDS_8(d, i + 24)

// d = A·B or d += A·B, 64 × 2n × 16 with n values of d per thread, A and B by descriptors;
// transposed operands are mn_major.
template <bool transpose_a, bool transpose_b>
__device__ __forceinline__ void wgmma(float (&d)[32], uint64_t a, uint64_t b, bool accumulate) {
  asm volatile(
      "{\n.reg .pred p;\nsetp.ne.b32 p, %34, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 "
      "{" KOGRPO_TEXT_32 "}, %32, %33, p, 1, 1, %35, %36;\n}"
      : KOGRPO_OPERANDS_32(d, 0)
      : "l"(a), "l"(b), "r"(int(accumulate)), "n"(int(transpose_a)), "n"(int(transpose_b)));
}
template <bool transpose_a, bool transpose_b>
__device__ __forceinline__ void wgmma(float (&d)[64], uint64_t a, uint64_t b, bool accumulate) {
  asm volatile(
      "{\n.reg .pred p;\nsetp.ne.b32 p, %66, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 "
      "{" KOGRPO_TEXT_64 "}, %64, %65, p, 1, 1, %67, %68;\n}"
      : KOGRPO_OPERANDS_32(d, 0), KOGRPO_OPERANDS_32(d, 32)
      : "l"(a), "l"(b), "r"(int(accumulate)), "n"(int(transpose_a)), "n"(int(transpose_b)));
}
// d += A·B, A from registers. They must stay as they are until the product was waited for.
template <bool transpose_b>
__device__ __forceinline__ void wgmma(float (&d)[64], const uint32_t (&a)[4], uint64_t b) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 "
      "{" KOGRPO_TEXT_64 "}, {%64, %65, %66, %67}, %68, 1, 1, 1, %69;"
      : KOGRPO_OPERANDS_32(d, 0), KOGRPO_OPERANDS_32(d, 32)
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "n"(int(transpose_b)));
}

#undef KOGRPO_TEXT_32
#undef KOGRPO_TEXT_64
#undef KOGRPO_OPERANDS_8
#undef KOGRPO_OPERANDS_32

}  // namespace kogrpo::cuda
