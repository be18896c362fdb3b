// Attention forward with the tensor core's mma (FlashAttention-2, arXiv
// 2307.08691), bf16 with fp32 scores, sums and output accumulators. One block
// of four warps per 64 packed query rows and kv head; each warp owns 16 rows,
// so no warp waits for another's numbers. Keys and values come in tiles of 64
// through two stages of shared memory; probabilities go from the first
// product's registers into the second as they are. Only tiles on the diagonal
// are masked.
//
// A row goes through its keys' tiles in order from position 0, whatever else
// the block holds, and a masked key contributes an exact 0: a row's result does
// not depend on its place in a tile, on the batch, or on whether keys come from
// the batch or from pages.

#include "cuda/attention.cuh"
#include "cuda/step_plan.h"

namespace kogrpo::cuda {
namespace {

constexpr int kWarps = 4, kThreads = kWarps * kWarp, kRows = 16 * kWarps, kStages = 2;

template <int D>
constexpr size_t kShared = size_t(SharedTile<D>::bytes(kRows + 2 * kStages * kKeys));

template <int D, class Kv>
__global__ void __launch_bounds__(kThreads)
    attention_forward_kernel(const bf16* q, int64_t q_stride, Kv kv, const AttentionTile* tiles,
                             bf16* out, int64_t out_stride, float* lse, int64_t lse_stride,
                             int group, float scale) {
  using Tile = SharedTile<D>;
  bf16* const shared = reinterpret_cast<bf16*>(dynamic_shared());
  const Tile sq{shared};
  const auto stage_k = [&](int s) { return Tile{shared + (kRows + 2 * s * kKeys) * Tile::stride}; };
  const auto stage_v = [&](int s) {
    return Tile{shared + (kRows + (2 * s + 1) * kKeys) * Tile::stride};
  };

  const Span span = tiles[blockIdx.x].span;
  const int first_row = tiles[blockIdx.x].index * kRows, head = int(blockIdx.y);
  const int rows = span.tokens * group;  // packed rows of the span
  if (first_row >= rows) return;         // padding of a step of the queue
  const int last_row = (first_row + kRows < rows ? first_row + kRows : rows) - 1;
  const int keys = span.position + last_row / group + 1;  // that the tile sees
  const int key_tiles = (keys + kKeys - 1) / kKeys;

  const auto q_row = [&](int r) {
    const int row = first_row + r;
    return q + (int64_t(span.row) + row / group) * q_stride + (head * group + row % group) * D;
  };
  const auto copy_kv = [&](int t) {
    const int from = t * kKeys, valid = keys - from;
    copy_rows<D, kThreads>(stage_k(t % kStages), kKeys, valid,
                           [&](int r) { return kv.key(span, head, from + r); });
    copy_rows<D, kThreads>(stage_v(t % kStages), kKeys, valid,
                           [&](int r) { return kv.value(span, head, from + r); });
  };
  copy_rows<D, kThreads>(sq, kRows, last_row + 1 - first_row, q_row);
  copy_kv(0);
  copy_async_commit();

  // This lane's two rows, i = 0, 1, and the last key that each sees.
  const int my_row = first_row + warp() * 16 + lane() / 4;
  int last_key[2];
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const int row = my_row + 8 * i < rows ? my_row + 8 * i : rows - 1;
    last_key[i] = span.position + row / group;
  }
  const int unmasked = span.position + first_row / group + 1;  // keys that every row sees
  const float scale_log2 = scale * kLog2e;

  float o[D / 8][4] = {}, top[2] = {kNoScore, kNoScore}, sum[2] = {0, 0};
  for (int t = 0; t < key_tiles; ++t) {
    if (t + 1 < key_tiles) {
      copy_kv(t + 1);
      copy_async_commit();
      copy_async_wait<1>();
    } else {
      copy_async_wait<0>();
    }
    block_sync();
    const Tile sk = stage_k(t % kStages), sv = stage_v(t % kStages);

    float s[kKeys / 8][4] = {};
#pragma unroll
    for (int k = 0; k < D; k += 16) {
      uint32_t a[4];
      sq.load_a(a, warp() * 16, k);
#pragma unroll
      for (int n = 0; n < kKeys / 8; n += 2) {
        uint32_t b[4];
        sk.load_b(b, n * 8, k);
        mma(s[n], a, b[0], b[1]);
        mma(s[n + 1], a, b[2], b[3]);
      }
    }
    if ((t + 1) * kKeys > unmasked) {
#pragma unroll
      for (int n = 0; n < kKeys / 8; ++n)
#pragma unroll
        for (int j = 0; j < 4; ++j)
          if (t * kKeys + n * 8 + lane() % 4 * 2 + j % 2 > last_key[j / 2]) s[n][j] = kNoScore;
    }
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      float highest = kNoScore;
#pragma unroll
      for (int n = 0; n < kKeys / 8; ++n)
        highest = fmaxf(highest, fmaxf(s[n][2 * i], s[n][2 * i + 1]));
      highest = fmaxf(top[i], row_max(highest));
      const float factor = exp2_fast((top[i] - highest) * scale_log2);
      const float offset = highest * scale_log2;
      top[i] = highest;
      sum[i] *= factor;
#pragma unroll
      for (int n = 0; n < kKeys / 8; ++n)
#pragma unroll
        for (int j = 2 * i; j < 2 * i + 2; ++j) {
          s[n][j] = exp2_fast(fmaf(s[n][j], scale_log2, -offset));
          sum[i] += s[n][j];
        }
#pragma unroll
      for (int n = 0; n < D / 8; ++n) {
        o[n][2 * i] *= factor;
        o[n][2 * i + 1] *= factor;
      }
    }
#pragma unroll
    for (int k = 0; k < kKeys / 16; ++k) {
      uint32_t a[4];
      to_a(a, s[2 * k], s[2 * k + 1]);
#pragma unroll
      for (int n = 0; n < D / 8; n += 2) {
        uint32_t b[4];
        sv.load_b_rows(b, k * 16, n * 8);
        mma(o[n], a, b[0], b[1]);
        mma(o[n + 1], a, b[2], b[3]);
      }
    }
    block_sync();  // the stage may be filled again
  }

#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const float total = row_sum(sum[i]), inverse = 1.0f / total;
    const int row = my_row + 8 * i;
    if (row >= rows) continue;
    const int64_t token = int64_t(span.row) + row / group;
    const int q_head = head * group + row % group;
    bf16* const to = out + token * out_stride + q_head * D + lane() % 4 * 2;
#pragma unroll
    for (int n = 0; n < D / 8; ++n) {
      const uint32_t pair = pack_bf16(o[n][2 * i] * inverse, o[n][2 * i + 1] * inverse);
      *reinterpret_cast<uint32_t*>(to + n * 8) = pair;
    }
    if (lse && lane() % 4 == 0) lse[token * lse_stride + q_head] = fmaf(top[i], scale, logf(total));
  }
}

template <class Kv>
void forward(Context& context, const AttentionShape& shape, const AttentionTile* tiles,
             int64_t count, const Tensor& q, const Kv& kv, const Tensor& out, float* lse,
             int64_t lse_stride) {
  const auto run = [&](auto dim) {
    constexpr int D = dim.value;
    launch(context.stream(), "attention_forward",
           {dim3(unsigned(count), unsigned(shape.kv_heads)), dim3(kThreads), kShared<D>},
           attention_forward_kernel<D, Kv>, data<bf16>(q), q.stride, kv, tiles, data<bf16>(out),
           out.stride, lse, lse_stride, shape.group, shape.scale);
  };
  switch (shape.head_dim) {
    case 32:
      return run(std::integral_constant<int, 32>());
    case 64:
      return run(std::integral_constant<int, 64>());
    default:
      return run(std::integral_constant<int, 128>());
  }
}

template <class Kv>
void forward(Context& context, const AttentionShape& shape, const std::vector<Span>& spans,
             const Tensor& q, const Kv& kv, const Tensor& out, float* lse, int64_t lse_stride) {
  const auto tiles = query_tiles(spans, shape.group, kRows);
  forward(context, shape, context.upload(tiles.data(), tiles.size()), int64_t(tiles.size()), q, kv,
          out, lse, lse_stride);
}

}  // namespace

void attention_forward_mma(Context& context, const AttentionShape& shape,
                           const std::vector<Span>& spans, const Tensor& q,
                           const PackedKv<bf16>& kv, const Tensor& out, float* lse,
                           int64_t lse_stride) {
  forward(context, shape, spans, q, kv, out, lse, lse_stride);
}
void attention_forward_mma(Context& context, const AttentionShape& shape,
                           const std::vector<Span>& spans, const Tensor& q, const PagedKv<bf16>& kv,
                           const Tensor& out, float* lse, int64_t lse_stride) {
  forward(context, shape, spans, q, kv, out, lse, lse_stride);
}

void attention_forward_mma_step(Context& context, const AttentionShape& shape, const Tensor& q,
                                const PagedKv<bf16>& kv, const Tensor& out) {
  const int per_row = int(divide_up(shape.group, kRows));
  forward(context, shape, context.step->tiles(per_row),
          int64_t(context.step->inputs().rows) * per_row, q, kv, out, nullptr, 0);
}

}  // namespace kogrpo::cuda
