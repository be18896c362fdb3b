// Attention backward with the tensor core's mma, bf16 with fp32 accumulators,
// deterministic: no atomics anywhere. Three kernels:
//   delta     Σ_d dout·out per (token, head)
//   dq        one block per 64 packed query rows; walks the keys          S,
//   dP, dQ: 3 products dk, dv    one block per 64 keys and kv head; walks the
//   packed queries S, dP, dV, dK: 4 products
// Seven products where a single kernel that adds dQ into memory as it goes
// needs five; in return there is no fp32 dQ in memory, whose traffic limits the
// single kernel, and no order to enforce. In the second kernel keys are the
// rows of the scores (Sᵀ = K·Qᵀ), so Pᵀ and dSᵀ leave one product as the A
// operand of the next and never pass through shared memory.
//
// With P = e^(S·scale − lse) and delta:  dS = P ⊙ (dP − delta),  dQ =
// scale·dS·K,  dK = scale·dSᵀ·Q.

#include "cuda/attention.cuh"

namespace kogrpo::cuda {
namespace {

constexpr int kWarps = 4, kThreads = kWarps * kWarp, kStages = 2;
constexpr int kOwn = 16 * kWarps;  // rows (dq) or keys (dk, dv) of a block
constexpr int kStep = 32;          // keys (dq) or rows (dk, dv) per step of the walk

template <int D>
constexpr size_t kTiles = size_t(SharedTile<D>::bytes(2 * kOwn + 2 * kStages * kStep));
template <int D>
constexpr size_t kShared = kTiles<D> + 2 * kStages* kStep * sizeof(float);

struct Gradients {
  const bf16 *q, *dout;
  int64_t q_stride, dout_stride;
  const float *lse, *delta;  // delta [T, Hq]
  int64_t lse_stride;
  int q_heads, group;
  float scale;
};

// Where packed row r of a span stands.
struct Place {
  int64_t token;
  int head;
};
__device__ __forceinline__ Place place(const Span& s, int head, int row, int group) {
  return {int64_t(s.row) + row / group, head * group + row % group};
}

template <int D>
__global__ void __launch_bounds__(256)
    delta_kernel(const bf16* dout, int64_t dout_stride, const bf16* out, int64_t out_stride,
                 float* delta, int tokens, int heads) {
  constexpr int per = D / 32 > 0 ? D / 32 : 1;
  const int64_t item = int64_t(blockIdx.x) * 8 + warp();
  if (item >= int64_t(tokens) * heads) return;
  const int64_t token = item / heads;
  const int head = int(item % heads);
  const auto a = load<per>(dout + token * dout_stride + head * D + lane() * per);
  const auto b = load<per>(out + token * out_stride + head * D + lane() * per);
  float sum = 0;
#pragma unroll
  for (int i = 0; i < per; ++i) sum = fmaf(to_float(a.v[i]), to_float(b.v[i]), sum);
  sum = warp_sum(sum);
  if (lane() == 0) delta[item] = sum;
}

// c = X·Yᵀ over the head dimension: 16 rows of X from `row`, kStep rows of Y.
template <int D>
__device__ __forceinline__ void scores(float (&c)[kStep / 8][4], const SharedTile<D>& x, int row,
                                       const SharedTile<D>& y) {
#pragma unroll
  for (int k = 0; k < D; k += 16) {
    uint32_t a[4];
    x.load_a(a, row, k);
#pragma unroll
    for (int n = 0; n < kStep / 8; n += 2) {
      uint32_t b[4];
      y.load_b(b, n * 8, k);
      mma(c[n], a, b[0], b[1]);
      mma(c[n + 1], a, b[2], b[3]);
    }
  }
}
// c += P·Y: P a C fragment of 16 × kStep, Y kStep rows.
template <int D>
__device__ __forceinline__ void accumulate(float (&c)[D / 8][4], const float (&p)[kStep / 8][4],
                                           const SharedTile<D>& y) {
#pragma unroll
  for (int k = 0; k < kStep / 16; ++k) {
    uint32_t a[4];
    to_a(a, p[2 * k], p[2 * k + 1]);
#pragma unroll
    for (int n = 0; n < D / 8; n += 2) {
      uint32_t b[4];
      y.load_b_rows(b, k * 16, n * 8);
      mma(c[n], a, b[0], b[1]);
      mma(c[n + 1], a, b[2], b[3]);
    }
  }
}

template <int D>
__device__ __forceinline__ void store_row(bf16* to, const float (&c)[D / 8][4], int i,
                                          float factor) {
#pragma unroll
  for (int n = 0; n < D / 8; ++n)
    *reinterpret_cast<uint32_t*>(to + n * 8 + lane() % 4 * 2) =
        pack_bf16(c[n][2 * i] * factor, c[n][2 * i + 1] * factor);
}

template <int D>
__global__ void __launch_bounds__(kThreads, 2)
    attention_backward_query_kernel(Gradients g, PackedKv<bf16> kv, const AttentionTile* tiles,
                                    bf16* dq, int64_t dq_stride) {
  using Tile = SharedTile<D>;
  bf16* const shared = reinterpret_cast<bf16*>(dynamic_shared());
  const Tile sq{shared}, sdo{shared + kOwn * Tile::stride};
  const auto stage = [&](int s, int which) {
    return Tile{shared + (2 * kOwn + (2 * (s % kStages) + which) * kStep) * Tile::stride};
  };
  const Span span = tiles[blockIdx.x].span;
  const int first_row = tiles[blockIdx.x].index * kOwn, head = int(blockIdx.y);
  const int rows = span.tokens * g.group;
  const int last_row = (first_row + kOwn < rows ? first_row + kOwn : rows) - 1;
  const int keys = span.position + last_row / g.group + 1, steps = (keys + kStep - 1) / kStep;

  const auto copy_own = [&](const Tile& to, const bf16* from, int64_t stride) {
    copy_rows<D, kThreads>(to, kOwn, last_row + 1 - first_row, [&](int r) {
      const Place p = place(span, head, first_row + r, g.group);
      return from + p.token * stride + p.head * D;
    });
  };
  const auto copy_step = [&](int t) {
    const int from = t * kStep;
    copy_rows<D, kThreads>(stage(t, 0), kStep, keys - t * kStep,
                           [&](int r) { return kv.key(span, head, from + r); });
    copy_rows<D, kThreads>(stage(t, 1), kStep, keys - t * kStep,
                           [&](int r) { return kv.value(span, head, from + r); });
  };
  copy_own(sq, g.q, g.q_stride);
  copy_own(sdo, g.dout, g.dout_stride);
  copy_step(0);
  copy_async_commit();

  const int my_row = first_row + warp() * 16 + lane() / 4;
  float lse_log2[2], delta[2];
  int last_key[2];
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const int row = my_row + 8 * i < rows ? my_row + 8 * i : rows - 1;
    const Place p = place(span, head, row, g.group);
    lse_log2[i] = g.lse[p.token * g.lse_stride + p.head] * kLog2e;
    delta[i] = g.delta[p.token * g.q_heads + p.head];
    last_key[i] = span.position + row / g.group;
  }
  const float scale_log2 = g.scale * kLog2e;
  float acc[D / 8][4] = {};
  for (int t = 0; t < steps; ++t) {
    if (t + 1 < steps) {
      copy_step(t + 1);
      copy_async_commit();
      copy_async_wait<1>();
    } else {
      copy_async_wait<0>();
    }
    block_sync();
    const Tile sk = stage(t, 0), sv = stage(t, 1);
    float s[kStep / 8][4] = {}, dp[kStep / 8][4] = {};
    scores<D>(s, sq, warp() * 16, sk);
    scores<D>(dp, sdo, warp() * 16, sv);
#pragma unroll
    for (int n = 0; n < kStep / 8; ++n)
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const bool seen = t * kStep + n * 8 + lane() % 4 * 2 + j % 2 <= last_key[j / 2];
        const float p = seen ? exp2_fast(fmaf(s[n][j], scale_log2, -lse_log2[j / 2])) : 0.0f;
        s[n][j] = p * (dp[n][j] - delta[j / 2]);
      }
    accumulate<D>(acc, s, sk);
    block_sync();
  }
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const int row = my_row + 8 * i;
    if (row >= rows) continue;
    const Place p = place(span, head, row, g.group);
    store_row<D>(dq + p.token * dq_stride + p.head * D, acc, i, g.scale);
  }
}

template <int D>
__global__ void __launch_bounds__(kThreads)
    attention_backward_key_kernel(Gradients g, PackedKv<bf16> kv, const KeyTile* tiles,
                                  const Span* viewers, bf16* dk, int64_t dk_stride, bf16* dv,
                                  int64_t dv_stride) {
  using Tile = SharedTile<D>;
  bf16* const shared = reinterpret_cast<bf16*>(dynamic_shared());
  const Tile sk{shared}, sv{shared + kOwn * Tile::stride};
  const auto stage = [&](int s, int which) {
    return Tile{shared + (2 * kOwn + (2 * (s % kStages) + which) * kStep) * Tile::stride};
  };
  float* const numbers = reinterpret_cast<float*>(dynamic_shared() + kTiles<D>);
  const auto stage_numbers = [&](int s, int which) {
    return numbers + (2 * (s % kStages) + which) * kStep;
  };
  const Span span = tiles[blockIdx.x].span;
  const int first_key = tiles[blockIdx.x].index * kOwn, head = int(blockIdx.y);
  const int keys = span.tokens - first_key < kOwn ? span.tokens - first_key : kOwn;

  const auto copy_own = [&](const Tile& to, const bf16* from, int64_t stride) {
    copy_rows<D, kThreads>(to, kOwn, keys, [&](int r) {
      return from + (int64_t(span.row) + first_key + r) * stride + head * D;
    });
  };
  const auto copy_step = [&](const Span& viewer, int t) {
    const int rows = viewer.tokens * g.group;
    const auto copy = [&](int which, const bf16* from, int64_t stride) {
      copy_rows<D, kThreads>(stage(t, which), kStep, rows - t * kStep, [&](int r) {
        const Place p = place(viewer, head, t * kStep + r, g.group);
        return from + p.token * stride + p.head * D;
      });
    };
    copy(0, g.q, g.q_stride);
    copy(1, g.dout, g.dout_stride);
    if (threadIdx.x < kStep && t * kStep + int(threadIdx.x) < rows) {
      const Place p = place(viewer, head, t * kStep + int(threadIdx.x), g.group);
      stage_numbers(t, 0)[threadIdx.x] = g.lse[p.token * g.lse_stride + p.head] * kLog2e;
      stage_numbers(t, 1)[threadIdx.x] = g.delta[p.token * g.q_heads + p.head];
    }
  };
  copy_own(sk, kv.k, kv.k_stride);
  copy_own(sv, kv.v, kv.v_stride);

  const int my_key = first_key + warp() * 16 + lane() / 4;
  const float scale_log2 = g.scale * kLog2e;
  float k_acc[D / 8][4] = {}, v_acc[D / 8][4] = {};
  for (int i = tiles[blockIdx.x].begin; i < tiles[blockIdx.x].end; ++i) {
    const Span viewer = viewers[i];
    const bool own = i == tiles[blockIdx.x].begin;
    const int rows = viewer.tokens * g.group;
    const int first_step = own ? first_key * g.group / kStep : 0,
              steps = (rows + kStep - 1) / kStep;
    copy_step(viewer, first_step);
    copy_async_commit();
    for (int t = first_step; t < steps; ++t) {
      if (t + 1 < steps) {
        copy_step(viewer, t + 1);
        copy_async_commit();
        copy_async_wait<1>();
      } else {
        copy_async_wait<0>();
      }
      block_sync();
      const Tile sq = stage(t, 0), sdo = stage(t, 1);
      const float *lse_log2 = stage_numbers(t, 0), *delta = stage_numbers(t, 1);
      float s[kStep / 8][4] = {}, dp[kStep / 8][4] = {};
      scores<D>(s, sk, warp() * 16, sq);
      scores<D>(dp, sv, warp() * 16, sdo);
#pragma unroll
      for (int n = 0; n < kStep / 8; ++n)
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          const int column = n * 8 + lane() % 4 * 2 + j % 2, row = t * kStep + column;
          const int key = my_key + 8 * (j / 2);
          const bool seen = row < rows && (own ? key <= row / g.group : key < viewer.position);
          const float p = seen ? exp2_fast(fmaf(s[n][j], scale_log2, -lse_log2[column])) : 0.0f;
          s[n][j] = p;
          dp[n][j] = seen ? p * (dp[n][j] - delta[column]) : 0.0f;
        }
      accumulate<D>(v_acc, s, sdo);
      accumulate<D>(k_acc, dp, sq);
      block_sync();
    }
  }
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    if (my_key + 8 * i >= span.tokens) continue;
    const int64_t token = int64_t(span.row) + my_key + 8 * i;
    store_row<D>(dk + token * dk_stride + head * D, k_acc, i, g.scale);
    store_row<D>(dv + token * dv_stride + head * D, v_acc, i, 1.0f);
  }
}

}  // namespace

void attention_backward_mma(Context& context, const AttentionShape& shape,
                            const AttentionBackward& a, const std::vector<Span>& spans) {
  const int64_t tokens = a.q.rows;
  auto* delta = context.scratch<float>(size_t(tokens * shape.q_heads));
  const Gradients g{data<bf16>(a.q), data<bf16>(a.dout), a.q.stride,    a.dout.stride, a.lse.f32(),
                    delta,           a.lse.stride,       shape.q_heads, shape.group,   shape.scale};
  const PackedKv<bf16> kv{data<bf16>(a.k), data<bf16>(a.v), a.k.stride, a.v.stride, shape.head_dim};
  const auto rows = query_tiles(spans, shape.group, kOwn);
  const KeyTiles keys = key_tiles(spans, kOwn);
  const AttentionTile* rows_of = context.upload(rows.data(), rows.size());
  const KeyTile* keys_of = context.upload(keys.tiles.data(), keys.tiles.size());
  const Span* viewers = context.upload(keys.viewers.data(), keys.viewers.size());
  const auto run = [&](auto dim) {
    constexpr int D = dim.value;
    launch(context.stream(), "attention_backward: delta",
           {dim3(unsigned(divide_up(tokens * shape.q_heads, 8))), dim3(256)}, delta_kernel<D>,
           data<bf16>(a.dout), a.dout.stride, data<bf16>(a.out), a.out.stride, delta, int(tokens),
           shape.q_heads);
    launch(context.stream(), "attention_backward: dq",
           {dim3(unsigned(rows.size()), unsigned(shape.kv_heads)), dim3(kThreads), kShared<D>},
           attention_backward_query_kernel<D>, g, kv, rows_of, data<bf16>(a.dq), a.dq.stride);
    launch(
        context.stream(), "attention_backward: dk, dv",
        {dim3(unsigned(keys.tiles.size()), unsigned(shape.kv_heads)), dim3(kThreads), kShared<D>},
        attention_backward_key_kernel<D>, g, kv, keys_of, viewers, data<bf16>(a.dk), a.dk.stride,
        data<bf16>(a.dv), a.dv.stride);
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

}  // namespace kogrpo::cuda
