// The emulation itself: it must find what it is there to find.

#if !defined(__CUDACC__) && defined(KOGRPO_EMULATION)

#include <doctest/doctest.h>

#include <vector>

#include "cuda/device.cuh"
#include "cuda/runtime.h"

namespace kogrpo::cuda {
namespace {

void reverse(const int* in, int* out) {
  int* const shared = reinterpret_cast<int*>(dynamic_shared());
  shared[threadIdx.x] = in[threadIdx.x];
  block_sync();
  out[threadIdx.x] = shared[blockDim.x - 1 - threadIdx.x];
}
void reverse_without_barrier(const int* in, int* out) {
  int* const shared = reinterpret_cast<int*>(dynamic_shared());
  shared[threadIdx.x] = in[threadIdx.x];
  out[threadIdx.x] = shared[blockDim.x - 1 - threadIdx.x];
}
void half_a_barrier() {
  if (threadIdx.x < 32) block_sync();
}
void half_a_shuffle(int* out) {
  if (lane() < 16) out[0] = shuffle_xor(1, 1);
}
void copy_without_wait(const float* in, float* out) {
  float* const shared = reinterpret_cast<float*>(dynamic_shared());
  copy_async16(shared + 4 * threadIdx.x, in + 4 * threadIdx.x, true);
  copy_async_commit();
  out[threadIdx.x] = shared[4 * threadIdx.x];
}

TEST_CASE("barriers order shared memory, and a missing one shows") {
  std::vector<int> in(64), out(64), expected(64);
  for (int i = 0; i < 64; ++i) in[size_t(i)] = i + 1, expected[size_t(i)] = 64 - i;
  launch(nullptr, "reverse", {dim3(1), dim3(64), 256}, reverse, in.data(), out.data());
  CHECK(out == expected);
  launch(nullptr, "reverse", {dim3(1), dim3(64), 256}, reverse_without_barrier, in.data(),
         out.data());
  CHECK(out != expected);
}

TEST_CASE("a barrier or a shuffle that not all threads reach is an error") {
  CHECK_THROWS_WITH_AS(launch(nullptr, "k", {dim3(1), dim3(64)}, half_a_barrier),
                       "k: a barrier is not reached by all threads: block (0, 0, 0), thread 32 has "
                       "ended",
                       CudaError);
  int out = 0;
  CHECK_THROWS_WITH_AS(launch(nullptr, "k", {dim3(1), dim3(32)}, half_a_shuffle, &out),
                       doctest::Contains("is not reached by all lanes"), CudaError);
}

TEST_CASE("an asynchronous copy is not there before it was waited for") {
  const std::vector<float> in(128, 1.0f);
  std::vector<float> out(32, 0.0f);
  launch(nullptr, "copy", {dim3(1), dim3(32), 512}, copy_without_wait, in.data(), out.data());
  for (const float v : out) CHECK(std::isnan(v));
}

TEST_CASE("bf16 rounds to nearest even and keeps NaN") {
  CHECK(round_to_bf16(1.0f + 0x1p-8f).bits == 0x3f80);      // a tie, down to even
  CHECK(round_to_bf16(1.0f + 3 * 0x1p-8f).bits == 0x3f82);  // a tie, up to even
  CHECK(round_to_bf16(1.0f + 0x1p-8f + 0x1p-20f).bits == 0x3f81);
  CHECK(std::isnan(widen(round_to_bf16(std::nanf("")))));
}

}  // namespace
}  // namespace kogrpo::cuda

#endif
