// The likeliest ids of rows of logits: one block per row, one pass for the log-sum-exp and one per
// id wanted (from the second-level cache), each finding the best id behind the one before. The few
// ids that serving asks for make that cheaper than any selection.

#include <vector>

#include "cuda/context.h"
#include "cuda/cuda_ops.h"
#include "cuda/device.cuh"
#include "cuda/dispatch.h"
#include "cuda/rank.cuh"
#include "cuda/softmax.cuh"
#include "ops/op_checks.h"

namespace kogrpo {
namespace cuda {
namespace {

__global__ void __launch_bounds__(kRowThreads)
    top_logprobs_kernel(const float* logits, int64_t stride, bool wide, int vocab_limit, int count,
                        int32_t* ids, float* logprobs) {
  __shared__ SoftmaxSums sums[kRowThreads / kWarp];
  __shared__ uint64_t bests[kRowThreads / kWarp];
  const float* row = logits + int64_t(blockIdx.x) * stride;
  SoftmaxSums s{kMinusInfinity, 0, 0};
  for (int i = int(threadIdx.x) * 4; i < vocab_limit; i += kRowThreads * 4) {
    float z[4];
    load_values(row, i, vocab_limit, wide, 1.0f, z);
    add_values(s, z);
  }
  s = merge_block(s, sums);
  ids += int64_t(blockIdx.x) * count;
  logprobs += int64_t(blockIdx.x) * count;
  uint64_t before = ~uint64_t(0);
  for (int k = 0; k < count; ++k) {
    uint64_t best = 0;
    for (int i = int(threadIdx.x) * 4; i < vocab_limit; i += kRowThreads * 4) {
      float z[4];
      load_values(row, i, vocab_limit, wide, 1.0f, z);
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const uint64_t rank = rank_of(z[j], i + j);
        if (i + j < vocab_limit && rank < before && rank > best) best = rank;
      }
    }
    before = block_max(best, bests);
    if (threadIdx.x != 0) continue;
    const int id = int(~uint32_t(before));
    ids[k] = finite(s) ? id : -1;
    if (finite(s)) logprobs[k] = log_probability(row[id], s);
  }
}

}  // namespace
}  // namespace cuda

using namespace cuda;

void CudaOps::top_logprobs(const TopLogprobs& a) {
  const char* op = "top_logprobs";
  const int64_t rows = a.logits.rows, k = a.ids.cols;
  check::top_logprobs(a);
  if (rows == 0) return;
  const auto n = static_cast<size_t>(rows * k);
  auto* ids = context_->scratch<int32_t>(2 * n);
  auto* logprobs = reinterpret_cast<float*>(ids + n);
  const bool wide =
      a.logits.stride % 4 == 0 && reinterpret_cast<uintptr_t>(a.logits.data) % 16 == 0;
  launch(context_->stream(), op, {dim3(unsigned(rows)), dim3(kRowThreads)}, top_logprobs_kernel,
         a.logits.f32(), a.logits.stride, wide, int(a.vocab_limit), int(k), ids, logprobs);
  std::vector<int32_t> host_ids(n);
  std::vector<float> host_logprobs(n);
  KOGRPO_CUDA(
      cudaMemcpyAsync(host_ids.data(), ids, n * 4, cudaMemcpyDeviceToHost, context_->stream()));
  KOGRPO_CUDA(cudaMemcpyAsync(host_logprobs.data(), logprobs, n * 4, cudaMemcpyDeviceToHost,
                              context_->stream()));
  context_->synchronize();
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t i = 0; i < k; ++i) {
      const auto at = static_cast<size_t>(r * k + i);
      if (host_ids[at] < 0)
        throw std::runtime_error("top_logprobs: row " + std::to_string(r) +
                                 ": logits hold NaN or infinity");
      a.ids.i32()[r * a.ids.stride + i] = host_ids[at];
      a.logprobs.row(r)[i] = host_logprobs[at];
    }
}

}  // namespace kogrpo
