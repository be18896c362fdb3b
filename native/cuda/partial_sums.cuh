#pragma once
// The second half of a deterministic sum over rows: P blocks have each left a partial sum of n
// columns, out[c] += Σ_p partial[p][c], p in order.

#include "cuda/device.cuh"
#include "cuda/dispatch.h"
#include "cuda/runtime.h"

namespace kogrpo::cuda {

template <class T>
__global__ void __launch_bounds__(128)
    add_partial_sums_kernel(const float* partial, int count, int64_t stride, int n, T* out) {
  const int c = int(blockIdx.x) * 128 + int(threadIdx.x);
  if (c >= n) return;
  float sum = to_float(out[c]);
  for (int p = 0; p < count; ++p) sum += partial[p * stride + c];
  out[c] = from_float<T>(sum);
}

template <class T>
void add_partial_sums(cudaStream_t stream, const float* partial, int count, int64_t stride, int n,
                      T* out) {
  launch(stream, "add_partial_sums", {dim3(unsigned(divide_up(n, 128))), dim3(128)},
         add_partial_sums_kernel<T>, partial, count, stride, n, out);
}

}  // namespace kogrpo::cuda
