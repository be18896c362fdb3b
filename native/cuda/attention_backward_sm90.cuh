#pragma once
// What the two kernels of the Hopper attention backward share. With P = e^(S·scale − lse) and
// delta = Σ_d dout·out:  dS = P ⊙ (dP − delta),  dQ = scale·dS·K,  dK = scale·dSᵀ·Q,  dV = Pᵀ·dout.
//
// Both kernels have the block of the forward: a producer warp, and two warpgroups that own 64 rows
// each of the block's 128 (queries for dQ, keys for dK and dV) and walk the other side in steps of
// 64 through a ring of stages, two tiles each. Per step S and dP are 64×64 per warpgroup; they and
// the products of the step before run while the other warpgroup computes probabilities.

#include "cuda/attention_sm90.cuh"
#include "cuda/context.h"

namespace kogrpo::cuda {

constexpr int kStep = 64, kStages = 3, kConsumers = 2, kThreads = (1 + kConsumers) * kWarpgroup;
constexpr int kProducerRegisters = 56, kConsumerRegisters = 224;

using Own = SwizzledTile<128>;
using Step = SwizzledTile<kStep>;

// Per query row and head: lse·log2 e and delta; [Hq][T].
struct RowNumbers {
  float lse_log2, delta;
};

// A batch without shared prefixes, and where results go.
struct GradientProblem {
  const bf16 *q, *k, *v, *dout;
  int64_t q_stride, k_stride, v_stride, dout_stride;
  const QueryTile* tiles;  // of queries or of keys
  const RowNumbers* numbers;
  int items, q_heads, kv_heads, group, total_rows;
  bf16 *first, *second;  // dq; dk and dv
  int64_t first_stride, second_stride;
  float scale;
};
struct GradientMaps {
  TensorMap q, k, v, dout;
};

// Shared memory, from a multiple of 1,024 bytes on: two tiles of the block's own, the stages' two
// tiles each, 64 pairs of numbers per stage, barriers.
struct GradientLayout {
  static constexpr int stage_begin = 2 * Own::bytes,
                       numbers = stage_begin + 2 * kStages * Step::bytes,
                       barriers = numbers + kStages * kStep * int(sizeof(RowNumbers));
  static constexpr int bytes = barriers + 8 * (2 + 2 * kStages) + 1024;
  uint32_t base;
  __device__ __forceinline__ Own own(int which) const { return {base + which * Own::bytes}; }
  __device__ __forceinline__ Step step(int stage, int which) const {
    return {base + stage_begin + uint32_t((2 * stage + which) * Step::bytes)};
  }
  __device__ __forceinline__ RowNumbers* step_numbers(int stage) const {
    return reinterpret_cast<RowNumbers*>(shared_pointer(base + numbers)) + stage * kStep;
  }
  __device__ __forceinline__ uint32_t own_full() const { return base + barriers; }
  __device__ __forceinline__ uint32_t own_empty() const { return base + barriers + 8; }
  __device__ __forceinline__ uint32_t full(int stage) const {
    return base + barriers + 16 + uint32_t(16 * stage);
  }
  __device__ __forceinline__ uint32_t empty(int stage) const { return full(stage) + 8; }

  __device__ __forceinline__ void init() const {
    if (threadIdx.x == 0) {
      barrier_init(own_full(), 2);  // one arrival per tile
      barrier_init(own_empty(), 4 * kConsumers);
      for (int s = 0; s < kStages; ++s) {
        barrier_init(full(s), 2);
        barrier_init(empty(s), 4 * kConsumers);
      }
      barrier_init_fence();
    }
    block_sync();
  }
};

// c = X·Yᵀ over the head dimension: 64 rows of the own tile from `row`, the step's 64 rows.
__device__ __forceinline__ void issue_step_scores(float (&c)[32], Own x, int row, Step y) {
#pragma unroll
  for (int d = 0; d < kDim; d += 16)
    wgmma<false, false>(c, x.k_major(row, d), y.k_major(0, d), d > 0);
}
// c += A·Y, A 64 × 64 in registers, Y the step's 64 rows.
__device__ __forceinline__ void issue_accumulate(float (&c)[64], const uint32_t (&a)[4][4],
                                                 Step y) {
#pragma unroll
  for (int k = 0; k < 4; ++k) wgmma<true>(c, a[k], y.mn_major(16 * k, 0));
}

// The block of both kernels: one warp runs producer(shared), the two warpgroups behind it
// consumer(shared, which). Nothing in code for other architectures.
template <class Producer, class Consumer>
__device__ __forceinline__ void run_gradient(Producer&& producer, Consumer&& consumer) {
#if KOGRPO_SM90A
  const GradientLayout shared{(shared_address(dynamic_shared()) + 1023u) & ~1023u};
  shared.init();
  if (warp() < 4) {
    release_registers<kProducerRegisters>();
    if (warp() == 0) producer(shared);
  } else {
    claim_registers<kConsumerRegisters>();
    consumer(shared, warp() / 4 - 1);
  }
#endif
}

// Persistent blocks, as many as there is room for.
inline void launch_gradient(Context& context, const char* name,
                            void (*kernel)(GradientMaps, GradientProblem), const GradientMaps& maps,
                            const GradientProblem& p) {
  const int blocks = p.items < context.multiprocessors() ? p.items : context.multiprocessors();
  launch(context.stream(), name,
         {dim3(unsigned(blocks)), dim3(kThreads), size_t(GradientLayout::bytes)}, kernel, maps, p);
}

// attention_backward_key_sm90.cu and attention_backward_query_sm90.cu; launched by
// attention_backward_sm90 (attention_backward_sm90.cu).
void launch_query_gradient(Context&, const GradientMaps&, const GradientProblem&);
void launch_key_gradient(Context&, const GradientMaps&, const GradientProblem&);

}  // namespace kogrpo::cuda
