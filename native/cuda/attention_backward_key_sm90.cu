// dK and dV on Hopper (attention_backward_sm90.cuh): an item is 128 keys of one kv head; the block
// walks the query rows from the diagonal to the sequence's end in steps of 64, for one query head
// of the group after the other. Keys are the rows of the scores (Sᵀ = K·Qᵀ), so that Pᵀ and dSᵀ
// leave one product's registers as the A operand of the next.

#include "cuda/attention_backward_sm90.cuh"

namespace kogrpo::cuda {
namespace {

struct Item {
  PackedSequence sequence;
  int first, keys, head;  // keys [first, first + keys) of the sequence
  int first_step, steps;  // steps [first_step, steps) of each query head
  __device__ Item(const GradientProblem& p, int n) {
    const QueryTile tile = p.tiles[n / p.kv_heads];
    sequence = tile.sequence;
    head = n % p.kv_heads;
    first = tile.first;
    const int left = sequence.tokens - first;
    keys = left < kTileKeys ? left : kTileKeys;
    first_step = first / kStep;
    steps = (sequence.tokens - 1) / kStep + 1;
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
    const int end = item.sequence.tokens;
    barrier_wait(shared.own_empty(), item_phase ^ 1);
    produce(shared.own(0), k, item.head, item.sequence, item.first, end, false, shared.own_full());
    produce(shared.own(1), v, item.head, item.sequence, item.first, end, false, shared.own_full());
    item_phase ^= 1;
    for (int head = item.head * p.group; head < (item.head + 1) * p.group; ++head)
      for (int t = item.first_step; t < item.steps; ++t, ring.advance()) {
        barrier_wait(shared.empty(ring.stage), ring.phase ^ 1);
        RowNumbers* const numbers = shared.step_numbers(ring.stage);
        for (int r = lane(); r < kStep; r += kWarp)
          if (t * kStep + r < end)
            numbers[r] =
                p.numbers[int64_t(head) * p.total_rows + item.sequence.row + t * kStep + r];
        warp_sync();  // before the arrivals in produce
        produce(shared.step(ring.stage, 0), q, head, item.sequence, t * kStep, end, true,
                shared.full(ring.stage));
        produce(shared.step(ring.stage, 1), dout, head, item.sequence, t * kStep, end, true,
                shared.full(ring.stage));
      }
  }
}

__device__ __forceinline__ void consumer(const GradientLayout& shared, int which,
                                         const GradientProblem& p) {
  const float scale_log2 = p.scale * kLog2;
  Ring<kStages> ring;
  uint32_t item_phase = 0;
  for (int i = 0, n; (n = snake(i, int(blockIdx.x), int(gridDim.x))) < p.items; ++i) {
    const Item item(p, n);
    const int my_key = which * 64 + warp() % 4 * 16 + lane() / 4;  // and my_key + 8
    float dk[64] = {}, dv[64] = {}, s[32], dp[32];
    uint32_t probabilities[4][4], ds[4][4];
    barrier_wait(shared.own_full(), item_phase);
    for (int u = item.first_step, h = 0; h < p.group;) {
      barrier_wait(shared.full(ring.stage), ring.phase);
      const Step q = shared.step(ring.stage, 0), dout = shared.step(ring.stage, 1);
      wgmma_begin();
      issue_step_scores(s, shared.own(0), which * 64, q);
      issue_step_scores(dp, shared.own(1), which * 64, dout);
      wgmma_commit();
      wgmma_wait<0>(s);
      wgmma_wait<0>(dp);
      // Value c is of query row u·64 + column(c); its key sees the rows from its own position on.
      const RowNumbers* const numbers = shared.step_numbers(ring.stage) + lane() % 4 * 2;
      const int begin = u * kStep + lane() % 4 * 2;
      const int from = item.first + my_key - begin, to = item.sequence.tokens - begin;
      const auto column = [](int c) { return c / 4 * 8 + c % 2; };
#pragma unroll
      for (int c = 0; c < 32; ++c) {
        const float e = exp2_fast(fmaf(s[c], scale_log2, -numbers[column(c)].lse_log2));
        s[c] = column(c) - c / 2 % 2 * 8 >= from && column(c) < to ? e : 0.0f;
      }
      to_operand(probabilities, s);
      // Where P is 0, dP or delta may be anything.
#pragma unroll
      for (int c = 0; c < 32; ++c)
        dp[c] = s[c] != 0.0f ? s[c] * (dp[c] - numbers[column(c)].delta) : 0.0f;
      to_operand(ds, dp);
      wgmma_begin();
      issue_accumulate(dv, probabilities, dout);
      issue_accumulate(dk, ds, q);
      wgmma_commit();
      wgmma_wait<0>(dv);
      wgmma_wait<0>(dk);
      release(shared.empty(ring.stage));
      ring.advance();
      if (++u == item.steps) {
        u = item.first_step;
        ++h;
      }
    }
    release(shared.own_empty());
    item_phase ^= 1;
#pragma unroll
    for (int j = 0; j < 2; ++j) {
      const int key = my_key + 8 * j;
      const int64_t row = int64_t(item.sequence.row) + item.first + key;
      store_row(p.first + row * p.first_stride + item.head * kDim, dk, j, p.scale, key < item.keys);
      store_row(p.second + row * p.second_stride + item.head * kDim, dv, j, 1.0f, key < item.keys);
    }
  }
}

__global__ void __launch_bounds__(kThreads, 1)
    key_gradient_kernel(const __grid_constant__ GradientMaps maps, const GradientProblem p) {
  run_gradient([&](const GradientLayout& shared) { producer(shared, maps, p); },
               [&](const GradientLayout& shared, int which) { consumer(shared, which, p); });
}

}  // namespace

void launch_key_gradient(Context& context, const GradientMaps& maps, const GradientProblem& p) {
  launch_gradient(context, "attention_backward: dk, dv (sm_90a)", key_gradient_kernel, maps, p);
}

}  // namespace kogrpo::cuda
