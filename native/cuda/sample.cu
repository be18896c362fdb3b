// Sampling, one block per row. Without restrictions one pass over the row yields both the token, by
// the Gumbel-max trick (argmax of z plus noise is a draw from softmax(z)), and the log-sum-exp for
// its log-prob. With top-k, min-p or top-p the row is read a few more times, from the second-level
// cache, to find where the kept ids end, without sorting: ids are ordered by a 64-bit rank (value
// as an ordered integer, then lower id first), and a radix descent, eight bits a pass, finds the
// rank at which the count reaches k, or the mass reaches p. Masses are integers (e^(z−max)·2⁴⁰), so
// sums by atomics do not depend on their order and every run draws the same tokens.

#include <cmath>
#include <limits>
#include <vector>

#include "cuda/context.h"
#include "cuda/cuda_ops.h"
#include "cuda/device.cuh"
#include "cuda/dispatch.h"
#include "cuda/gumbel.cuh"
#include "cuda/rank.cuh"
#include "cuda/sampling_row.h"
#include "cuda/softmax.cuh"
#include "cuda/step_plan.h"
#include "ops/op_checks.h"

namespace kogrpo {
namespace cuda {
namespace {

constexpr float kNaN = __builtin_nanf("");

// A candidate for the argmax: higher score, then lower id.
struct Best {
  float score;
  int id;
};
__device__ __forceinline__ Best better(Best a, Best b) {
  return b.score > a.score || (b.score == a.score && b.id < a.id) ? b : a;
}
__device__ __forceinline__ Best best_of_block(Best best, Best* shared) {
  for (int d = kWarp / 2; d > 0; d /= 2)
    best = better(best, {shuffle_xor(best.score, d), shuffle_xor(best.id, d)});
  if (lane() == 0) shared[warp()] = best;
  block_sync();
  best = shared[0];
  for (int w = 1; w < kRowThreads / kWarp; ++w) best = better(best, shared[w]);
  block_sync();
  return best;
}

// Considers ids i … i+3 with noise. Only an id whose z + 17.4 exceeds the best score so far can
// win; and z + g ≥ best needs 1 − u ≤ e^(z − best), which spares most of the rest the logarithms.
__device__ __forceinline__ void consider(Best& best, const float (&z)[4], int i,
                                         const SamplingRow& p) {
  const float top = fmaxf(fmaxf(z[0], z[1]), fmaxf(z[2], z[3]));
  if (top + kGumbelHigh <= best.score) return;
  const Words words = philox_words(uint32_t(i) / 4, p.position, uint32_t(p.stream),
                                   uint32_t(p.stream >> 32), p.seed);
  const float magnitude = fabsf(top) + fabsf(best.score) + 32.0f;
  const float reach =
      best.id < 0 ? 0x1p25f : expf(top - best.score + 0.01f + magnitude * 0x1p-21f) * 0x1p24f;
#pragma unroll
  for (int k = 0; k < 4; ++k) {
    if (float((words.w[k] >> 8) ^ 0xFFFFFFu) > reach) continue;
    if (z[k] > kMinusInfinity) best = better(best, {z[k] + gumbel(words.w[k]), i + k});
  }
}

__device__ __forceinline__ uint64_t mass_of(float z, float max) {
  return uint64_t(expf(z - max) * 0x1p40f);
}

// A row under restrictions: calls f(z, id, rank) for the ids whose rank is at least `from`.
struct Row {
  const float* logits;
  int n;
  float inv_temperature;
  bool wide;

  template <class F>
  __device__ __forceinline__ void each(uint64_t from, F&& f) const {
    for (int i = int(threadIdx.x) * 4; i < n; i += kRowThreads * 4) {
      float z[4];
      load_values(logits, i, n, wide, inv_temperature, z);
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        const uint64_t rank = rank_of(z[k], i + k);
        if (i + k < n && rank >= from) f(z[k], i + k, rank);
      }
    }
  }
};

// The largest rank R such that the weights of the ids with rank ≥ R sum to at least `wanted`
// (weight(z) is 1 for a count or the mass). `bins` has 256 entries.
template <class Weight>
__device__ uint64_t descend(const Row& row, uint64_t from, uint64_t wanted, uint64_t* bins,
                            uint64_t* shared, Weight&& weight) {
  uint64_t prefix = 0;
  for (int shift = 56; shift >= 0; shift -= 8) {
    for (int b = int(threadIdx.x); b < 256; b += kRowThreads) bins[b] = 0;
    block_sync();
    const uint64_t above = shift == 56 ? 0 : ~uint64_t(0) << (shift + 8);
    row.each(from, [&](float z, int, uint64_t rank) {
      if ((rank & above) == prefix) atomic_add(&bins[(rank >> shift) & 255], weight(z));
    });
    block_sync();
    if (threadIdx.x == 0) {
      int b = 255;
      uint64_t left = wanted;
      for (; b > 0 && bins[b] < left; --b) left -= bins[b];
      shared[0] = prefix | uint64_t(b) << shift;
      shared[1] = left;
    }
    block_sync();
    prefix = shared[0];
    wanted = shared[1];
    block_sync();
  }
  return prefix;
}

__device__ __forceinline__ uint64_t block_sum_integers(uint64_t x, uint64_t* shared) {
  if (threadIdx.x == 0) shared[0] = 0;
  block_sync();
  atomic_add(&shared[0], x);
  block_sync();
  const uint64_t total = shared[0];
  block_sync();
  return total;
}

__global__ void __launch_bounds__(kRowThreads)
    sample_kernel(const float* logits, int64_t stride, bool wide, int vocab_limit,
                  const SamplingRow* params, int32_t* token, float* logprob) {
  __shared__ SoftmaxSums sums[kRowThreads / kWarp];
  __shared__ Best bests[kRowThreads / kWarp];
  __shared__ uint64_t bins[256];
  __shared__ uint64_t pair[2];
  const SamplingRow p = params[blockIdx.x];
  const bool greedy = p.temperature == 0.0f;
  const Row row{logits + int64_t(blockIdx.x) * stride, vocab_limit,
                greedy ? 1.0f : 1.0f / p.temperature, wide};
  const bool top_k = p.top_k > 0 && p.top_k < vocab_limit;
  const bool restricted = !greedy && (top_k || p.top_p < 1.0f || p.min_p > 0.0f);

  SoftmaxSums s{kMinusInfinity, 0, 0};
  Best best{kMinusInfinity, -1};
  for (int i = int(threadIdx.x) * 4; i < vocab_limit; i += kRowThreads * 4) {
    float z[4];
    load_values(row.logits, i, vocab_limit, wide, row.inv_temperature, z);
    add_values(s, z);
    if (greedy) {
#pragma unroll
      for (int k = 0; k < 4; ++k)
        if (z[k] > best.score) best = {z[k], i + k};
    } else if (!restricted) {
      consider(best, z, i, p);
    }
  }
  s = merge_block(s, sums);
  float log_kept = logf(s.sum);

  if (restricted && finite(s)) {
    uint64_t cut = 0;
    if (top_k)
      cut = descend(row, 0, uint64_t(p.top_k), bins, pair, [](float) { return uint64_t(1); });
    if (p.min_p > 0.0f) {
      // The lowest rank among the kept ids with e^(z − max) ≥ min_p.
      uint64_t lowest = ~uint64_t(0);
      row.each(cut, [&](float z, int, uint64_t rank) {
        if (expf(z - s.max) >= p.min_p && rank < lowest) lowest = rank;
      });
      for (int b = int(threadIdx.x); b < 256; b += kRowThreads) bins[b] = ~uint64_t(0);
      block_sync();
      for (int d = kWarp / 2; d > 0; d /= 2) {
        const uint64_t other = shuffle_xor(lowest, d);
        lowest = other < lowest ? other : lowest;
      }
      if (lane() == 0) bins[warp()] = lowest;
      block_sync();
      for (int w = 0; w < kRowThreads / kWarp; ++w) lowest = bins[w] < lowest ? bins[w] : lowest;
      block_sync();
      cut = lowest > cut ? lowest : cut;
    }
    const auto mass = [&](float z) { return mass_of(z, s.max); };
    if (p.top_p < 1.0f) {
      uint64_t mine = 0;
      row.each(cut, [&](float z, int, uint64_t) { mine += mass(z); });
      const uint64_t total = block_sum_integers(mine, pair);
      const auto wanted = uint64_t(double(p.top_p) * double(total));
      const uint64_t end = descend(row, cut, wanted > 0 ? wanted : 1, bins, pair, mass);
      cut = end > cut ? end : cut;
    }
    uint64_t mine = 0;
    row.each(cut, [&](float z, int id, uint64_t) {
      mine += mass(z);
      const Words words = philox_words(uint32_t(id) / 4, p.position, uint32_t(p.stream),
                                       uint32_t(p.stream >> 32), p.seed);
      best = better(best, {z + gumbel(words.w[id % 4]), id});
    });
    log_kept = logf(float(block_sum_integers(mine, pair)) * 0x1p-40f);
  }
  best = best_of_block(best, bests);
  if (threadIdx.x != 0) return;
  if (!finite(s) || best.id < 0) {
    token[blockIdx.x] = -1;
    logprob[blockIdx.x] = kNaN;
    return;
  }
  token[blockIdx.x] = best.id;
  const float z = row.logits[best.id] * row.inv_temperature;
  logprob[blockIdx.x] = restricted ? (z - s.max) - log_kept : log_probability(z, s);
}

}  // namespace

SamplingRow sampling_row(const SamplingParams& p) {
  return {p.temperature, p.top_p, p.min_p, p.top_k, uint32_t(p.position), p.seed, p.stream};
}

}  // namespace cuda

using namespace cuda;

void CudaOps::sample(const Sample& a) {
  const char* op = "sample";
  const int64_t rows = a.logits.rows;
  check::sample(a);
  if (rows == 0) return;
  const SamplingRow* params = nullptr;
  int32_t* tokens = a.token.i32();
  float* logprobs = a.logprob.f32();
  if (a.token.resident) {
    params = context_->step->inputs().sampling;
  } else {
    std::vector<SamplingRow> all;
    for (int64_t r = 0; r < rows; ++r) all.push_back(sampling_row(a.params[r]));
    params = context_->upload(all.data(), all.size());
    tokens = context_->scratch<int32_t>(size_t(2 * rows));
    logprobs = reinterpret_cast<float*>(tokens + rows);
  }
  const bool wide =
      a.logits.stride % 4 == 0 && reinterpret_cast<uintptr_t>(a.logits.data) % 16 == 0;
  launch(context_->stream(), op, {dim3(unsigned(rows)), dim3(kRowThreads)}, sample_kernel,
         a.logits.f32(), a.logits.stride, wide, int(a.vocab_limit), params, tokens, logprobs);
  if (a.token.resident) return;
  const auto bytes = static_cast<size_t>(rows) * 4;
  KOGRPO_CUDA(
      cudaMemcpyAsync(a.token.data, tokens, bytes, cudaMemcpyDeviceToHost, context_->stream()));
  KOGRPO_CUDA(
      cudaMemcpyAsync(a.logprob.data, logprobs, bytes, cudaMemcpyDeviceToHost, context_->stream()));
  context_->synchronize();
}

}  // namespace kogrpo
