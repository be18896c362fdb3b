// Attention forward for Hopper (FlashAttention-3, arXiv 2407.08608), bf16, head dim 128, causal,
// packed batches, grouped queries.
//
// One block of three warpgroups per multiprocessor, which takes items (128 query rows of one head)
// until none are left, long ones first (attention_sm90.h). Warpgroup 0 gives its registers away;
// its first warp copies: Q, and keys and values in tiles of 128 through a ring of two stages, by
// TMA. Warpgroups 1 and 2 own 64 query rows each and compute, for key tiles t = 0, 1, …
//
//   issue S(t) = Q·K(t)ᵀ | issue O += P(t−1)·V(t−1) | wait S(t) | softmax of S(t) | wait O | scale
//   O
//
// so that the softmax of one tile runs while the tensor core multiplies the tile before, and the
// two warpgroups issue in turns (named barriers): one computes exponentials while the other's
// products run. P goes from S's registers into the second product's as its A operand.
//
// A row goes through its keys' tiles from position 0 on, at multiples of 128 of the position, and a
// masked key contributes an exact 0: a row's bits depend neither on the batch nor on whether its
// prefix is shared. Only where a tile's rows are not consecutive in memory (a prefix's end), or
// values after the sequence's end would be multiplied with 0 (which a NaN survives), the producer
// copies row by row instead.
//
// Registers per thread: O 64, S 64, P 32, and some 40: no spills under 224; the producer 56 of the
// 168 that a block of 384 threads starts with. Shared memory: Q 32 KiB, two stages of K and V 128.
//
// Prediction (nothing here has run on a GPU): per item and key tile the products are 2 · 2·128·128·
// 128 = 8.4 MFLOP, 2,048 cycles of the tensor core at 4,096 FLOP per cycle; the exponentials of
// both warpgroups 16,384 / 16 per cycle = 1,024 cycles and some 4.5 further instructions per score,
// about 600 issue slots per scheduler, hidden behind the products except at an item's begin and end
// (about one tile's time). Of the causal square, tiles compute (n + 1) / n of what counts, n = 32
// at 4k: at 1.6 GHz and 85 % of the time in products 600 TFLOP/s at 4k and 630 at 8k.

#include "cuda/attention_sm90.cuh"
#include "cuda/context.h"
#include "cuda/dispatch.h"
#include "cuda/runtime.h"
#include "cuda/tensor_map.h"

namespace kogrpo::cuda {
namespace {

constexpr int kStages = 2, kConsumers = 2, kThreads = (1 + kConsumers) * kWarpgroup;
constexpr int kProducerRegisters = 56, kConsumerRegisters = 224;
constexpr float kMasked = -__builtin_huge_valf();
// Named barrier of a consumer's turn to issue.
constexpr int kTurn = 1;

using Rows = SwizzledTile<kTileRows>;
using Keys = SwizzledTile<kTileKeys>;

// Shared memory, from a multiple of 1,024 bytes on.
struct Layout {
  static constexpr int q = 0, k = q + Rows::bytes, v = k + kStages * Keys::bytes,
                       barriers = v + kStages * Keys::bytes;
  // Barriers: q full, q empty, then full and empty of every stage of k and of v.
  static constexpr int bytes = barriers + 8 * (2 + 4 * kStages) + 1024;
  uint32_t base;
  __device__ __forceinline__ uint32_t q_full() const { return base + barriers; }
  __device__ __forceinline__ uint32_t q_empty() const { return base + barriers + 8; }
  // which: 0 k full, 1 k empty, 2 v full, 3 v empty
  __device__ __forceinline__ uint32_t ring(int which, int stage) const {
    return base + barriers + 16 + uint32_t(8 * (which * kStages + stage));
  }
  __device__ __forceinline__ Rows q_tile() const { return {base + q}; }
  __device__ __forceinline__ Keys k_tile(int s) const { return {base + k + s * Keys::bytes}; }
  __device__ __forceinline__ Keys v_tile(int s) const { return {base + v + s * Keys::bytes}; }
};

struct Problem {
  const bf16 *k, *v;
  int64_t k_stride, v_stride;
  const QueryTile* tiles;
  int items, q_heads, group, total_rows;
  bf16* out;
  float* lse;
  int64_t out_stride, lse_stride;
  float scale;
};

// What an item covers: rows, and keys [0, end).
struct Item {
  PackedSequence sequence;
  int row, rows, head;  // the first row in memory, how many
  int position;         // of the first row
  int key_tiles;
  __device__ Item(const Problem& p, int n) {
    const QueryTile tile = p.tiles[n / p.q_heads];
    sequence = tile.sequence;
    head = n % p.q_heads;
    row = sequence.row + tile.first;
    const int left = sequence.tokens - tile.first;
    rows = left < kTileRows ? left : kTileRows;
    position = sequence.prefix + tile.first;
    key_tiles = (position + rows - 1) / kTileKeys + 1;
  }
};

// ---- the producer

__device__ __forceinline__ void producer(const Layout& shared, const TensorMap& q_map,
                                         const TensorMap& k_map, const TensorMap& v_map,
                                         const Problem& p) {
  const Source keys{k_map, p.k, p.k_stride, p.total_rows};
  const Source values{v_map, p.v, p.v_stride, p.total_rows};
  const int blocks = int(gridDim.x);
  Ring<kStages> ring;
  uint32_t item_phase = 0;
  for (int i = 0, n; (n = snake(i, int(blockIdx.x), blocks)) < p.items; ++i) {
    const Item item(p, n);
    const int kv_head = item.head / p.group;
    barrier_wait(shared.q_empty(), item_phase ^ 1);
    if (lane() == 0) {
      barrier_arrive_expect(shared.q_full(), Rows::bytes);
      load_tile(shared.q_tile(), q_map, item.head * kDim, item.row, shared.q_full());
    }
    item_phase ^= 1;
    const int end = item.position + item.rows;
    for (int t = 0; t < item.key_tiles; ++t, ring.advance()) {
      barrier_wait(shared.ring(1, ring.stage), ring.phase ^ 1);
      produce(shared.k_tile(ring.stage), keys, kv_head, item.sequence, t * kTileKeys, end, false,
              shared.ring(0, ring.stage));
      barrier_wait(shared.ring(3, ring.stage), ring.phase ^ 1);
      produce(shared.v_tile(ring.stage), values, kv_head, item.sequence, t * kTileKeys, end, true,
              shared.ring(2, ring.stage));
    }
  }
}

// ---- the consumers

// One warpgroup's 64 rows. Values of row i (0, 1) of a lane: s[4n + 2i], s[4n + 2i + 1].
struct Softmax {
  float top[2] = {kMasked, kMasked}, sum[2] = {0, 0}, factor[2];

  // S becomes P = 2^(scale·(S − top)) with the new maximum; factor is what older sums shrink by.
  __device__ __forceinline__ void update(float (&s)[64], float scale_log2) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      float highest = top[i];
#pragma unroll
      for (int n = 0; n < 16; ++n)
        highest = fmaxf(highest, fmaxf(s[4 * n + 2 * i], s[4 * n + 2 * i + 1]));
      highest = fmaxf(highest, shuffle_xor(highest, 1));
      highest = fmaxf(highest, shuffle_xor(highest, 2));
      factor[i] = exp2_fast((top[i] - highest) * scale_log2);
      top[i] = highest;
    }
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const float offset = top[i] * scale_log2;
      sum[i] *= factor[i];
#pragma unroll
      for (int n = 0; n < 16; ++n)
#pragma unroll
        for (int j = 2 * i; j < 2 * i + 2; ++j) {
          s[4 * n + j] = exp2_fast(fmaf(s[4 * n + j], scale_log2, -offset));
          sum[i] += s[4 * n + j];
        }
    }
  }
};

__device__ __forceinline__ void issue_scores(float (&s)[64], Rows q, int row, Keys k) {
#pragma unroll
  for (int d = 0; d < kDim; d += 16)
    wgmma<false, false>(s, q.k_major(row, d), k.k_major(0, d), d > 0);
}
__device__ __forceinline__ void issue_output(float (&o)[64], const uint32_t (&p)[8][4], Keys v) {
#pragma unroll
  for (int n = 0; n < 8; ++n) wgmma<true>(o, p[n], v.mn_major(16 * n, 0));
}
// Keys after a row's own position.
__device__ __forceinline__ void mask(float (&s)[64], int first_key, const int (&last)[2]) {
#pragma unroll
  for (int n = 0; n < 16; ++n)
#pragma unroll
    for (int j = 0; j < 4; ++j)
      if (first_key + 8 * n + lane() % 4 * 2 + j % 2 > last[j / 2]) s[4 * n + j] = kMasked;
}

__device__ __forceinline__ void store_output(const Problem& p, const Item& item, int my_row,
                                             const Softmax& softmax, const float (&o)[64]) {
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    float total = softmax.sum[i];
    total += shuffle_xor(total, 1);
    total += shuffle_xor(total, 2);
    const float inverse = 1.0f / total;
    const int row = my_row + 8 * i;
    const bool exists = row < item.rows;
    store_row(p.out + (int64_t(item.row) + row) * p.out_stride + item.head * kDim, o, i, inverse,
              exists);
    if (p.lse && exists && lane() % 4 == 0)
      p.lse[(int64_t(item.row) + row) * p.lse_stride + item.head] =
          fmaf(softmax.top[i], p.scale, logf(total));
  }
}

__device__ __forceinline__ void consumer(const Layout& shared, int which, const Problem& p) {
  const int blocks = int(gridDim.x), both = kConsumers * kWarpgroup;
  const float scale_log2 = p.scale * kLog2;
  const auto take_turn = [&] { named_sync(kTurn + which, both); };
  const auto pass_turn = [&] { named_arrive(kTurn + 1 - which, both); };
  if (which == 1) pass_turn();  // warpgroup 0 begins

  Ring<kStages> ks, vs, done;  // of keys, of values, of values to be released
  uint32_t item_phase = 0;
  for (int i = 0, n; (n = snake(i, int(blockIdx.x), blocks)) < p.items; ++i) {
    const Item item(p, n);
    const int my_row = which * 64 + warp() % 4 * 16 + lane() / 4;
    int last[2];  // key that this lane's rows see
#pragma unroll
    for (int j = 0; j < 2; ++j) {
      const int row = my_row + 8 * j;
      last[j] = item.position + (row < item.rows ? row : item.rows - 1);
    }
    const int unmasked = (item.position + 1) / kTileKeys;  // tiles that every row sees all of

    float o[64] = {}, s[64];
    uint32_t probabilities[8][4];
    Softmax softmax;

    // P(t−1) and O are brought up to date: PV(t−2) has ended, its stage is free.
    const auto finish = [&](int t) {
      wgmma_wait<0>(o);
      if (t > 1) {
        release(shared.ring(3, done.stage));
        done.advance();
      }
#pragma unroll
      for (int j = 0; j < 64; ++j) o[j] *= softmax.factor[j / 2 % 2];
      to_operand(probabilities, s);
    };
    const auto step = [&](int t, auto masked) {
      // What the next products need is waited for here, between the exponentials and the wait for
      // O: across a loop the compiler does not move the exponentials down, behind that wait.
      barrier_wait(shared.ring(0, ks.stage), ks.phase);
      barrier_wait(shared.ring(2, vs.stage), vs.phase);
      finish(t);
      take_turn();
      wgmma_begin();
      issue_scores(s, shared.q_tile(), which * 64, shared.k_tile(ks.stage));
      wgmma_commit();
      wgmma_begin();
      issue_output(o, probabilities, shared.v_tile(vs.stage));
      wgmma_commit();
      pass_turn();
      vs.advance();
      wgmma_wait<1>(s);
      release(shared.ring(1, ks.stage));
      ks.advance();
      if constexpr (decltype(masked)::value) mask(s, t * kTileKeys, last);
      softmax.update(s, scale_log2);
    };

    barrier_wait(shared.q_full(), item_phase);
    barrier_wait(shared.ring(0, ks.stage), ks.phase);
    take_turn();
    wgmma_begin();
    issue_scores(s, shared.q_tile(), which * 64, shared.k_tile(ks.stage));
    wgmma_commit();
    pass_turn();
    wgmma_wait<0>(s);
    release(shared.ring(1, ks.stage));
    ks.advance();
    if (unmasked == 0) mask(s, 0, last);
    softmax.update(s, scale_log2);
    int t = 1;
    for (; t < unmasked; ++t) step(t, std::false_type());
    for (; t < item.key_tiles; ++t) step(t, std::true_type());
    release(shared.q_empty());
    item_phase ^= 1;

    barrier_wait(shared.ring(2, vs.stage), vs.phase);
    finish(t);
    wgmma_begin();
    issue_output(o, probabilities, shared.v_tile(vs.stage));
    wgmma_commit();
    vs.advance();
    wgmma_wait<0>(o);
    release(shared.ring(3, done.stage));
    done.advance();
    store_output(p, item, my_row, softmax, o);
  }
  if (which == 0) take_turn();  // the last turn that was passed
}

__global__ void __launch_bounds__(kThreads, 1)
    attention_forward_sm90_kernel(const __grid_constant__ TensorMap q_map,
                                  const __grid_constant__ TensorMap k_map,
                                  const __grid_constant__ TensorMap v_map, const Problem p) {
#if KOGRPO_SM90A
  const Layout shared{(shared_address(dynamic_shared()) + 1023u) & ~1023u};
  if (threadIdx.x == 0) {
    prefetch(q_map);
    prefetch(k_map);
    prefetch(v_map);
    barrier_init(shared.q_full(), 1);
    barrier_init(shared.q_empty(), 4 * kConsumers);
    for (int s = 0; s < kStages; ++s)
      for (int which = 0; which < 4; ++which)
        barrier_init(shared.ring(which, s), which % 2 == 0 ? 1 : 4 * kConsumers);
    barrier_init_fence();
  }
  block_sync();
  if (warp() < 4) {
    release_registers<kProducerRegisters>();
    if (warp() == 0) producer(shared, q_map, k_map, v_map, p);
  } else {
    claim_registers<kConsumerRegisters>();
    consumer(shared, warp() / 4 - 1, p);
  }
#endif
}

}  // namespace

void attention_forward_sm90(Context& context, int q_heads, int kv_heads, float scale,
                            const std::vector<PackedSequence>& sequences, const Tensor& q,
                            const Tensor& k, const Tensor& v, const Tensor& out, float* lse,
                            int64_t lse_stride) {
  const auto tiles = query_tiles_sm90(sequences);
  const int items = int(tiles.size()) * q_heads;
  if (items == 0) return;
  const Problem problem{data<bf16>(k),
                        data<bf16>(v),
                        k.stride,
                        v.stride,
                        context.upload(tiles.data(), tiles.size()),
                        items,
                        q_heads,
                        q_heads / kv_heads,
                        int(k.rows),
                        data<bf16>(out),
                        lse,
                        out.stride,
                        lse_stride,
                        scale};
  const int blocks = items < context.multiprocessors() ? items : context.multiprocessors();
  launch(context.stream(), "attention_forward (sm_90a)",
         {dim3(unsigned(blocks)), dim3(kThreads), size_t(Layout::bytes)},
         attention_forward_sm90_kernel, tensor_map(q, kTileRows), tensor_map(k, kTileKeys),
         tensor_map(v, kTileKeys), problem);
}

}  // namespace kogrpo::cuda
