#pragma once
// One pass over a row of fp32 logits by one block: maximum, Σ e^(z−max) and Σ e^(z−max)·(z−max) of
// z = logits·inv_temperature (online softmax, arXiv 1805.02867). Thread t takes the elements
// (t + i·threads)·4 …, whatever the row's alignment, so that a row's sums depend on nothing but the
// row: log-probs of the sampler and of the trainer have the same bits.

#include "cuda/device.cuh"

namespace kogrpo::cuda {

constexpr int kRowThreads = 1024;

constexpr float kMinusInfinity = -__builtin_huge_valf();

struct SoftmaxSums {
  float max, sum, weighted;
};

// Adds four values (−∞: none).
__device__ __forceinline__ void add_values(SoftmaxSums& s, const float (&z)[4]) {
  const float top = fmaxf(fmaxf(z[0], z[1]), fmaxf(z[2], z[3]));
  if (top > s.max) {
    const float down = s.max - top, factor = expf(down);  // 0 the first time
    s.weighted = factor > 0.0f ? fmaf(s.sum, down, s.weighted) * factor : 0.0f;
    s.sum *= factor;
    s.max = top;
  }
#pragma unroll
  for (int k = 0; k < 4; ++k) {
    if (z[k] == kMinusInfinity) continue;
    const float d = z[k] - s.max, e = expf(d);  // NaN stays in the sum
    s.sum += e;
    s.weighted = e > 0.0f ? fmaf(e, d, s.weighted) : s.weighted;
  }
}

__device__ __forceinline__ SoftmaxSums merge(const SoftmaxSums& a, const SoftmaxSums& b) {
  const float top = fmaxf(a.max, b.max);
  const float da = a.max == top ? 0.0f : a.max - top, db = b.max == top ? 0.0f : b.max - top;
  const float fa = expf(da), fb = expf(db);
  const float wa = fa > 0.0f ? fmaf(a.sum, da, a.weighted) * fa : 0.0f;
  const float wb = fb > 0.0f ? fmaf(b.sum, db, b.weighted) * fb : 0.0f;
  return {top, fmaf(a.sum, fa, b.sum * fb), wa + wb};
}

__device__ __forceinline__ SoftmaxSums merge_block(SoftmaxSums s, SoftmaxSums* shared) {
  for (int d = kWarp / 2; d > 0; d /= 2)
    s = merge(s, {shuffle_xor(s.max, d), shuffle_xor(s.sum, d), shuffle_xor(s.weighted, d)});
  if (lane() == 0) shared[warp()] = s;
  block_sync();
  s = shared[0];
  for (int w = 1; w < int(blockDim.x) / kWarp; ++w) s = merge(s, shared[w]);
  block_sync();
  return s;
}

// Elements i … i+3 of a row; −∞ from n on.
__device__ __forceinline__ void load_values(const float* row, int i, int n, bool wide,
                                            float inv_temperature, float (&z)[4]) {
  if (wide && i + 4 <= n) {
    const Vec<float, 4> v = load<4>(row + i);
#pragma unroll
    for (int k = 0; k < 4; ++k) z[k] = v.v[k] * inv_temperature;
  } else {
#pragma unroll
    for (int k = 0; k < 4; ++k) z[k] = i + k < n ? row[i + k] * inv_temperature : kMinusInfinity;
  }
}

// log-probability of a value z of the row: both callers round alike.
__device__ __forceinline__ float log_probability(float z, const SoftmaxSums& s) {
  return (z - s.max) - logf(s.sum);
}

// Whether the row has neither NaN nor +∞ and something finite. fmaxf drops a NaN, the sum keeps it.
__device__ __forceinline__ bool finite(const SoftmaxSums& s) {
  return s.sum > 0.0f && s.sum <= 1e30f && fabsf(s.max) <= 3.0e38f;
}

}  // namespace kogrpo::cuda
