// Attention of one new token per sequence over the paged cache: reading keys
// and values once is all its cost, so everything is arranged around keeping
// loads under way. The query heads of a kv head are the rows of one 16-row
// fragment. A block of four warps has one part of a sequence's keys (split-K);
// warp w takes every fourth group of 16 keys, with its own three stages of
// shared memory and its own running maximum, so warps never wait for each
// other. At the end the block merges its warps, and where a sequence has
// several parts a second kernel merges those. Parts are cut at fixed positions
// and merged in order: a row's result depends on its own sequence alone.

#include "cuda/attention.cuh"
#include "cuda/step_plan.h"

namespace kogrpo::cuda {
namespace {

constexpr int kWarps = 4, kThreads = kWarps * kWarp, kStages = 3;
constexpr int kStep = 16;   // keys per step of a warp
constexpr int kRows = 16;   // packed query rows
constexpr int kPart = 512;  // keys of a part

template <int D>
constexpr size_t kShared = size_t(SharedTile<D>::bytes(kRows + kWarps * kStages * 2 * kStep));

// Partial results of a slot: [kv_heads][group][D] sums and [kv_heads][group]
// maxima and weights.
struct Partials {
  float *out, *top, *sum;
};

template <int D>
__global__ void __launch_bounds__(kThreads)
    attention_decode_kernel(const bf16* q, int64_t q_stride, PagedKv<bf16> kv,
                            const DecodePart* parts, bf16* out, int64_t out_stride,
                            Partials partials, int group, float scale) {
  using Tile = SharedTile<D>;
  bf16* const shared = reinterpret_cast<bf16*>(dynamic_shared());
  const Tile sq{shared};
  const auto stage = [&](int s, int which) {
    const int at = kRows + ((warp() * kStages + s % kStages) * 2 + which) * kStep;
    return Tile{shared + at * Tile::stride};
  };
  const DecodePart part = parts[blockIdx.x];
  const Span span = part.span;
  const int head = int(blockIdx.y);
  const int keys = span.position + 1, begin = part.part * kPart;
  if (begin >= keys) return;  // in a step of the queue: padding, or beyond the row's last key
  const int end = begin + kPart < keys ? begin + kPart : keys;
  // This warp's step t covers keys from begin + (t·kWarps + warp)·kStep on.
  const int groups = (end - begin + kStep - 1) / kStep;
  const int steps = groups > warp() ? (groups - warp() - 1) / kWarps + 1 : 0;
  const auto first_key = [&](int t) { return begin + (t * kWarps + warp()) * kStep; };

  copy_rows<D, kThreads>(sq, kRows, group, [&](int r) {
    return q + int64_t(span.row) * q_stride + (head * group + r) * D;
  });
  copy_async_commit();
  const auto copy_step = [&](int t) {
    if (t < steps) {
      // A step lies within a page: one look-up.
      const int key = first_key(t), valid = end - key;
      const bf16* const k = kv.key(span, head, key);
      const bf16* const v = kv.value(span, head, key);
      const Tile tk = stage(t, 0), tv = stage(t, 1);
      for (int i = lane(); i < kStep * (D / 8); i += kWarp) {
        const int r = i / (D / 8), c = i % (D / 8) * 8;
        const bool exists = r < valid;
        const int from = (exists ? r : 0) * D + c;
        copy_async16(tk.base + r * Tile::stride + c, k + from, exists);
        copy_async16(tv.base + r * Tile::stride + c, v + from, exists);
      }
    }
    copy_async_commit();  // an empty group too, so that the count of groups
                          // stays right
  };
  for (int t = 0; t < kStages - 1; ++t) copy_step(t);
  copy_async_wait<kStages - 1>();
  block_sync();  // the queries have arrived
  uint32_t a_q[D / 16][4];
#pragma unroll
  for (int k = 0; k < D / 16; ++k) sq.load_a(a_q[k], 0, k * 16);

  const float scale_log2 = scale * kLog2e;
  float o[D / 8][4] = {}, top[2] = {kNoScore, kNoScore}, sum[2] = {0, 0};
  for (int t = 0; t < steps; ++t) {
    copy_step(t + kStages - 1);
    copy_async_wait<kStages - 1>();
    warp_sync();
    const Tile sk = stage(t, 0), sv = stage(t, 1);
    float s[2][4] = {};
#pragma unroll
    for (int k = 0; k < D / 16; ++k) {
      uint32_t b[4];
      sk.load_b(b, 0, k * 16);
      mma(s[0], a_q[k], b[0], b[1]);
      mma(s[1], a_q[k], b[2], b[3]);
    }
    const int left = end - first_key(t);
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      float highest = kNoScore;
#pragma unroll
      for (int n = 0; n < 2; ++n)
#pragma unroll
        for (int j = 2 * i; j < 2 * i + 2; ++j) {
          if (n * 8 + lane() % 4 * 2 + j % 2 >= left) s[n][j] = kNoScore;
          highest = fmaxf(highest, s[n][j]);
        }
      highest = fmaxf(top[i], row_max(highest));
      const float factor = exp2_fast((top[i] - highest) * scale_log2);
      const float offset = highest * scale_log2;
      top[i] = highest;
      sum[i] *= factor;
#pragma unroll
      for (int n = 0; n < 2; ++n)
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
    uint32_t a[4];
    to_a(a, s[0], s[1]);
#pragma unroll
    for (int n = 0; n < D / 8; n += 2) {
      uint32_t b[4];
      sv.load_b_rows(b, 0, n * 8);
      mma(o[n], a, b[0], b[1]);
      mma(o[n + 1], a, b[2], b[3]);
    }
    warp_sync();  // the stage may be filled again
  }

  // Merge the warps: [warp][row][D] sums, then maxima and weights, over the
  // stages' memory.
  copy_async_wait<0>();
  block_sync();
  float* const sums = reinterpret_cast<float*>(dynamic_shared());
  float* const tops = sums + kWarps * kRows * D;
  float* const weights = tops + kWarps * kRows;
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const int row = lane() / 4 + 8 * i;
    const float total = row_sum(sum[i]);
#pragma unroll
    for (int n = 0; n < D / 8; ++n)
#pragma unroll
      for (int j = 0; j < 2; ++j)
        sums[(warp() * kRows + row) * D + n * 8 + lane() % 4 * 2 + j] = o[n][2 * i + j];
    if (lane() % 4 == 0) {
      tops[warp() * kRows + row] = top[i];
      weights[warp() * kRows + row] = total;
    }
  }
  block_sync();
  for (int i = int(threadIdx.x); i < group * D; i += kThreads) {
    const int row = i / D, d = i % D;
    float highest = kNoScore, value = 0, total = 0;
    for (int w = 0; w < kWarps; ++w) highest = fmaxf(highest, tops[w * kRows + row]);
    for (int w = 0; w < kWarps; ++w) {
      const float factor = exp2_fast((tops[w * kRows + row] - highest) * scale_log2);
      value = fmaf(sums[(w * kRows + row) * D + d], factor, value);
      total = fmaf(weights[w * kRows + row], factor, total);
    }
    if (part.parts == 1) {
      out[int64_t(span.row) * out_stride + (head * group + row) * D + d] =
          from_float<bf16>(value / total);
    } else {
      const int64_t at = (int64_t(part.slot) * gridDim.y + head) * group + row;
      partials.out[at * D + d] = value;
      if (d == 0) {
        partials.top[at] = highest;
        partials.sum[at] = total;
      }
    }
  }
}

// One block per sequence; walks (kv head, row, dimension).
__global__ void __launch_bounds__(256)
    attention_combine_kernel(Partials partials, const DecodePart* spans, bf16* out,
                             int64_t out_stride, int kv_heads, int group, int dim, float scale) {
  const DecodePart s = spans[blockIdx.x];
  if (s.parts == 1) return;
  const float scale_log2 = scale * kLog2e;
  const int heads = kv_heads * group;
  for (int i = int(threadIdx.x); i < heads * dim; i += 256) {
    const int head = i / dim, d = i % dim;
    float highest = kNoScore, value = 0, total = 0;
    for (int p = 0; p < s.parts; ++p)
      highest = fmaxf(highest, partials.top[int64_t(s.slot + p) * heads + head]);
    for (int p = 0; p < s.parts; ++p) {
      const int64_t at = int64_t(s.slot + p) * heads + head;
      const float factor = exp2_fast((partials.top[at] - highest) * scale_log2);
      value = fmaf(partials.out[at * dim + d], factor, value);
      total = fmaf(partials.sum[at], factor, total);
    }
    out[int64_t(s.span.row) * out_stride + i] = from_float<bf16>(value / total);
  }
}

// Part i of `parts` is the work of block i; `combined` has one entry a span.
struct DecodeWork {
  const DecodePart *parts, *combined;
  int64_t count, spans, slots;
};

void decode(Context& context, const AttentionShape& shape, const DecodeWork& work, const Tensor& q,
            const PagedKv<bf16>& kv, const Tensor& out) {
  const int64_t rows = work.slots * shape.q_heads;
  Partials partials;
  partials.out = context.scratch<float>(size_t(rows * (shape.head_dim + 2)));
  partials.top = partials.out + rows * shape.head_dim;
  partials.sum = partials.top + rows;
  const auto run = [&](auto dim) {
    constexpr int D = dim.value;
    static_assert(kShared<D> >= sizeof(float) * kWarps * kRows * (D + 2));
    launch(context.stream(), "attention_decode",
           {dim3(unsigned(work.count), unsigned(shape.kv_heads)), dim3(kThreads), kShared<D>},
           attention_decode_kernel<D>, data<bf16>(q), q.stride, kv, work.parts, data<bf16>(out),
           out.stride, partials, shape.group, shape.scale);
  };
  switch (shape.head_dim) {
    case 32:
      run(std::integral_constant<int, 32>());
      break;
    case 64:
      run(std::integral_constant<int, 64>());
      break;
    default:
      run(std::integral_constant<int, 128>());
  }
  if (work.slots > work.spans)
    launch(context.stream(), "attention_combine", {dim3(unsigned(work.spans)), dim3(256)},
           attention_combine_kernel, partials, work.combined, data<bf16>(out), out.stride,
           shape.kv_heads, shape.group, shape.head_dim, shape.scale);
}

}  // namespace

void attention_decode(Context& context, const AttentionShape& shape, const std::vector<Span>& spans,
                      const Tensor& q, const PagedKv<bf16>& kv, const Tensor& out) {
  const DecodePlan plan = decode_plan(spans, kPart);
  const DecodePart* parts = context.upload(plan.parts.data(), plan.parts.size());
  const DecodePart* combined = context.upload(plan.combined.data(), plan.combined.size());
  decode(context, shape,
         {parts, combined, int64_t(plan.parts.size()), int64_t(spans.size()), plan.slots}, q, kv,
         out);
}

void attention_decode_step(Context& context, const AttentionShape& shape, const Tensor& q,
                           const PagedKv<bf16>& kv, const Tensor& out) {
  const StepPlan::Parts plan = context.step->parts(kPart);
  const int64_t rows = context.step->inputs().rows, parts = rows * plan.most;
  decode(context, shape, {plan.parts, plan.combined, parts, rows, parts}, q, kv, out);
}

}  // namespace kogrpo::cuda
