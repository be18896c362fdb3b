// dQ on Hopper (attention_backward_sm90.cuh): an item is 128 query rows of one head; the block
// walks the keys from position 0 to the diagonal in steps of 64. dS goes from the registers of S
// and dP into the third product as its A operand, so nothing of it passes through memory.

#include "cuda/attention_backward_sm90.cuh"

namespace kogrpo::cuda {
namespace {

struct Item {
  PackedSequence sequence;
  int first, rows, head, steps;  // query rows [first, first + rows) of the sequence
  __device__ Item(const GradientProblem& p, int n) {
    const QueryTile tile = p.tiles[n / p.q_heads];
    sequence = tile.sequence;
    head = n % p.q_heads;
    first = tile.first;
    const int left = sequence.tokens - first;
    rows = left < kTileRows ? left : kTileRows;
    steps = (first + rows - 1) / kStep + 1;
  }
};

__device__ __forceinline__ void producer(const GradientLayout& shared, const GradientMaps& maps,
                                         const GradientProblem& p) {
  const Source q{maps.q, p.q, p.q_stride, p.total_rows}, k{maps.k, p.k, p.k_stride, p.total_rows},
      v{maps.v, p.v, p.v_stride, p.total_rows},
      dout{maps.dout, p.dout, p.dout_stride, p.total_rows};
  Ring<kStages> ring;
  uint32_t item_phase = 0;
  for (int i = 0, n; (n = snake(i, int(blockIdx.x), int(gridDim.x))) < p.items; ++i) {
    const Item item(p, n);
    const int end = item.first + item.rows;
    barrier_wait(shared.own_empty(), item_phase ^ 1);
    produce(shared.own(0), q, item.head, item.sequence, item.first, end, false, shared.own_full());
    produce(shared.own(1), dout, item.head, item.sequence, item.first, end, false,
            shared.own_full());
    item_phase ^= 1;
    for (int t = 0; t < item.steps; ++t, ring.advance()) {
      barrier_wait(shared.empty(ring.stage), ring.phase ^ 1);
      produce(shared.step(ring.stage, 0), k, item.head / p.group, item.sequence, t * kStep, end,
              true, shared.full(ring.stage));
      produce(shared.step(ring.stage, 1), v, item.head / p.group, item.sequence, t * kStep, end,
              false, shared.full(ring.stage));
    }
  }
}

__device__ __forceinline__ void consumer(const GradientLayout& shared, int which,
                                         const GradientProblem& p) {
  const float scale_log2 = p.scale * kLog2;
  Ring<kStages> ring, done;
  uint32_t item_phase = 0;
  for (int i = 0, n; (n = snake(i, int(blockIdx.x), int(gridDim.x))) < p.items; ++i) {
    const Item item(p, n);
    const int my_row = which * 64 + warp() % 4 * 16 + lane() / 4;
    RowNumbers numbers[2];
    int last[2];  // key that this lane's rows see
#pragma unroll
    for (int j = 0; j < 2; ++j) {
      const int row = my_row + 8 * j < item.rows ? my_row + 8 * j : item.rows - 1;
      last[j] = item.first + row;
      numbers[j] = p.numbers[int64_t(item.head) * p.total_rows + item.sequence.row + last[j]];
    }
    const int unmasked = (item.first + which * 64 + 1) / kStep;  // steps that every row sees all of

    float dq[64] = {}, s[32], dp[32];
    uint32_t ds[4][4];
    barrier_wait(shared.own_full(), item_phase);
    const auto step = [&](int t, auto masked) {
      barrier_wait(shared.full(ring.stage), ring.phase);
      wgmma_begin();
      issue_step_scores(s, shared.own(0), which * 64, shared.step(ring.stage, 0));
      wgmma_commit();
      issue_step_scores(dp, shared.own(1), which * 64, shared.step(ring.stage, 1));
      wgmma_commit();
      wgmma_wait<1>(s);
      wgmma_wait<1>(dq);  // of the step before, whose stage is free now
      if (t > 0) {
        release(shared.empty(done.stage));
        done.advance();
      }
#pragma unroll
      for (int c = 0; c < 32; ++c)
        s[c] = exp2_fast(fmaf(s[c], scale_log2, -numbers[c / 2 % 2].lse_log2));
      wgmma_wait<0>(dp);
#pragma unroll
      for (int c = 0; c < 32; ++c) {
        const int row = c / 2 % 2, key = t * kStep + c / 4 * 8 + lane() % 4 * 2 + c % 2;
        s[c] *= dp[c] - numbers[row].delta;
        if constexpr (decltype(masked)::value) s[c] = key <= last[row] ? s[c] : 0.0f;
      }
      to_operand(ds, s);
      wgmma_begin();
      issue_accumulate(dq, ds, shared.step(ring.stage, 0));
      wgmma_commit();
      ring.advance();
    };
    int t = 0;
    for (; t < unmasked && t < item.steps; ++t) step(t, std::false_type());
    for (; t < item.steps; ++t) step(t, std::true_type());
    wgmma_wait<0>(dq);
    release(shared.empty(done.stage));
    done.advance();
    release(shared.own_empty());
    item_phase ^= 1;
#pragma unroll
    for (int j = 0; j < 2; ++j) {
      const int row = my_row + 8 * j;
      store_row(p.first + (int64_t(item.sequence.row) + item.first + row) * p.first_stride +
                    item.head * kDim,
                dq, j, p.scale, row < item.rows);
    }
  }
}

__global__ void __launch_bounds__(kThreads, 1)
    query_gradient_kernel(const __grid_constant__ GradientMaps maps, const GradientProblem p) {
  run_gradient([&](const GradientLayout& shared) { producer(shared, maps, p); },
               [&](const GradientLayout& shared, int which) { consumer(shared, which, p); });
}

}  // namespace

void launch_query_gradient(Context& context, const GradientMaps& maps, const GradientProblem& p) {
  launch_gradient(context, "attention_backward: dq (sm_90a)", query_gradient_kernel, maps, p);
}

}  // namespace kogrpo::cuda
