// Attention without matrix instructions: fp32 for parity with the CPU, and head
// sizes that the tensor-core kernels are not made for. One warp per (token,
// query head) in the forward and for dq, one per (key, kv head) for dk and dv;
// lanes share out keys (or rows) for the dot products and head dimensions for
// the sums. Every sum has one order; no atomics.

#include "cuda/attention.cuh"
#include "cuda/step_plan.h"

namespace kogrpo::cuda {
namespace {

constexpr int kWarps = 4, kThreads = kWarps * kWarp;
constexpr int kMost = 256 / kWarp;  // head dimensions per lane at most

template <class T>
__device__ __forceinline__ float dot(const float* a, const T* b, int n) {
  float sum = 0;
  for (int i = 0; i < n; ++i) sum = fmaf(a[i], to_float(b[i]), sum);
  return sum;
}

// This warp's copy of a row as floats in shared memory.
template <class T>
__device__ __forceinline__ void stage_row(float* to, const T* from, int n) {
  for (int i = lane(); i < n; i += kWarp) to[i] = to_float(from[i]);
  warp_sync();
}

// Dimensions lane, lane + 32, …: acc += Σ_j weight_j · row_j over the warp's 32
// items, j in order.
template <class T, class RowOf>
__device__ __forceinline__ void add_rows(float (&acc)[kMost], float weight, int count, int dim,
                                         RowOf&& row_of) {
  for (int j = 0; j < count; ++j) {
    const float w = shuffle(weight, j);
    const T* row = row_of(j);
#pragma unroll
    for (int i = 0; i < kMost; ++i)
      if (lane() + i * kWarp < dim) acc[i] = fmaf(w, to_float(row[lane() + i * kWarp]), acc[i]);
  }
}

template <class T>
__device__ __forceinline__ void store_dims(T* to, const float (&acc)[kMost], int dim,
                                           float factor) {
#pragma unroll
  for (int i = 0; i < kMost; ++i)
    if (lane() + i * kWarp < dim) to[lane() + i * kWarp] = from_float<T>(acc[i] * factor);
}

template <class T, class Kv>
__global__ void __launch_bounds__(kThreads, 4)
    attention_forward_simple_kernel(const T* q, int64_t q_stride, Kv kv, const AttentionTile* tiles,
                                    T* out, int64_t out_stride, float* lse, int64_t lse_stride,
                                    int group, int dim, float scale) {
  float* const mine = reinterpret_cast<float*>(dynamic_shared()) + warp() * dim;
  const Span span = tiles[blockIdx.x].span;
  const int row = tiles[blockIdx.x].index * kWarps + warp(), head = int(blockIdx.y);
  if (row >= span.tokens * group) return;
  const int64_t token = int64_t(span.row) + row / group;
  const int q_head = head * group + row % group, keys = span.position + row / group + 1;
  stage_row(mine, q + token * q_stride + q_head * dim, dim);

  float acc[kMost] = {}, top = kNoScore, sum = 0;
  for (int begin = 0; begin < keys; begin += kWarp) {
    const int count = keys - begin < kWarp ? keys - begin : kWarp;
    const float s =
        lane() < count ? scale * dot(mine, kv.key(span, head, begin + lane()), dim) : kNoScore;
    const float highest = fmaxf(top, warp_max(s));
    const float factor = expf(top - highest), p = lane() < count ? expf(s - highest) : 0.0f;
    top = highest;
    sum = fmaf(sum, factor, warp_sum(p));
#pragma unroll
    for (int i = 0; i < kMost; ++i) acc[i] *= factor;
    add_rows<T>(acc, p, count, dim, [&](int j) { return kv.value(span, head, begin + j); });
  }
  store_dims(out + token * out_stride + q_head * dim, acc, dim, 1.0f / sum);
  if (lse && lane() == 0) lse[token * lse_stride + q_head] = top + logf(sum);
}

template <class T>
struct Operands {
  PackedKv<T> kv;
  const T *q, *out, *dout;
  int64_t q_stride, out_stride, dout_stride;
  const float* lse;
  int64_t lse_stride;
  int group, dim;
  float scale;
};

template <class T>
__global__ void __launch_bounds__(kThreads, 4)
    attention_query_simple_kernel(Operands<T> a, const AttentionTile* tiles, float* delta, T* dq,
                                  int64_t dq_stride, int q_heads) {
  float* const q = reinterpret_cast<float*>(dynamic_shared()) + warp() * 2 * a.dim;
  float* const dout = q + a.dim;
  const Span span = tiles[blockIdx.x].span;
  const int row = tiles[blockIdx.x].index * kWarps + warp(), head = int(blockIdx.y);
  if (row >= span.tokens * a.group) return;
  const int64_t token = int64_t(span.row) + row / a.group;
  const int q_head = head * a.group + row % a.group;
  const int keys = span.position + row / a.group + 1;
  stage_row(q, a.q + token * a.q_stride + q_head * a.dim, a.dim);
  stage_row(dout, a.dout + token * a.dout_stride + q_head * a.dim, a.dim);
  const T* out = a.out + token * a.out_stride + q_head * a.dim;
  float d = 0;
  for (int i = lane(); i < a.dim; i += kWarp) d = fmaf(dout[i], to_float(out[i]), d);
  d = warp_sum(d);
  if (lane() == 0) delta[token * q_heads + q_head] = d;
  const float lse = a.lse[token * a.lse_stride + q_head];

  float acc[kMost] = {};
  for (int begin = 0; begin < keys; begin += kWarp) {
    const int count = keys - begin < kWarp ? keys - begin : kWarp;
    float ds = 0;
    if (lane() < count) {
      const float p =
          expf(fmaf(a.scale, dot(q, a.kv.key(span, head, begin + lane()), a.dim), -lse));
      ds = p * (dot(dout, a.kv.value(span, head, begin + lane()), a.dim) - d);
    }
    add_rows<T>(acc, ds, count, a.dim, [&](int j) { return a.kv.key(span, head, begin + j); });
  }
  store_dims(dq + token * dq_stride + q_head * a.dim, acc, a.dim, a.scale);
}

template <class T>
__global__ void __launch_bounds__(kThreads, 4)
    attention_key_simple_kernel(Operands<T> a, const KeyTile* tiles, const Span* viewers,
                                const float* delta, T* dk, int64_t dk_stride, T* dv,
                                int64_t dv_stride, int q_heads) {
  float* const k = reinterpret_cast<float*>(dynamic_shared()) + warp() * 2 * a.dim;
  float* const v = k + a.dim;
  const Span span = tiles[blockIdx.x].span;
  const int key = tiles[blockIdx.x].index * kWarps + warp(), head = int(blockIdx.y);
  if (key >= span.tokens) return;
  const int64_t token = int64_t(span.row) + key;
  stage_row(k, a.kv.k + token * a.kv.k_stride + head * a.dim, a.dim);
  stage_row(v, a.kv.v + token * a.kv.v_stride + head * a.dim, a.dim);

  float k_acc[kMost] = {}, v_acc[kMost] = {};
  for (int i = tiles[blockIdx.x].begin; i < tiles[blockIdx.x].end; ++i) {
    const Span viewer = viewers[i];
    const bool own = i == tiles[blockIdx.x].begin;
    const int rows = viewer.tokens * a.group;
    if (!own && key >= viewer.position) continue;  // its prefix ends before this key
    const auto row_of = [&](const T* base, int64_t stride, int row) {
      return base + (int64_t(viewer.row) + row / a.group) * stride +
             (head * a.group + row % a.group) * a.dim;
    };
    for (int begin = own ? key * a.group : 0; begin < rows; begin += kWarp) {
      const int count = rows - begin < kWarp ? rows - begin : kWarp;
      float p = 0, ds = 0;
      if (lane() < count) {
        const int row = begin + lane();
        const int64_t at = int64_t(viewer.row) + row / a.group;
        const int q_head = head * a.group + row % a.group;
        p = expf(fmaf(a.scale, dot(k, row_of(a.q, a.q_stride, row), a.dim),
                      -a.lse[at * a.lse_stride + q_head]));
        ds = p * (dot(v, row_of(a.dout, a.dout_stride, row), a.dim) - delta[at * q_heads + q_head]);
      }
      add_rows<T>(v_acc, p, count, a.dim,
                  [&](int j) { return row_of(a.dout, a.dout_stride, begin + j); });
      add_rows<T>(k_acc, ds, count, a.dim,
                  [&](int j) { return row_of(a.q, a.q_stride, begin + j); });
    }
  }
  store_dims(dk + token * dk_stride + head * a.dim, k_acc, a.dim, a.scale);
  store_dims(dv + token * dv_stride + head * a.dim, v_acc, a.dim, 1.0f);
}

template <class T, class Kv>
void forward(Context& context, const AttentionShape& shape, const AttentionTile* tiles,
             int64_t count, const Tensor& q, const Kv& kv, const Tensor& out, float* lse,
             int64_t lse_stride) {
  launch(context.stream(), "attention_forward (simple)",
         {dim3(unsigned(count), unsigned(shape.kv_heads)), dim3(kThreads),
          size_t(kWarps * shape.head_dim) * sizeof(float)},
         attention_forward_simple_kernel<T, Kv>, data<T>(q), q.stride, kv, tiles, data<T>(out),
         out.stride, lse, lse_stride, shape.group, shape.head_dim, shape.scale);
}

}  // namespace

template <class T, class Kv>
void attention_forward_simple(Context& context, const AttentionShape& shape,
                              const std::vector<Span>& spans, const Tensor& q, const Kv& kv,
                              const Tensor& out, float* lse, int64_t lse_stride) {
  const auto tiles = query_tiles(spans, shape.group, kWarps);
  forward<T>(context, shape, context.upload(tiles.data(), tiles.size()), int64_t(tiles.size()), q,
             kv, out, lse, lse_stride);
}

template <class T>
void attention_forward_simple_step(Context& context, const AttentionShape& shape, const Tensor& q,
                                   const PagedKv<T>& kv, const Tensor& out) {
  const int per_row = int(divide_up(shape.group, kWarps));
  forward<T>(context, shape, context.step->tiles(per_row),
             int64_t(context.step->inputs().rows) * per_row, q, kv, out, nullptr, 0);
}

template <class T>
void attention_backward_simple(Context& context, const AttentionShape& shape,
                               const AttentionBackward& a, const std::vector<Span>& spans) {
  const PackedKv<T> kv{data<T>(a.k), data<T>(a.v), a.k.stride, a.v.stride, shape.head_dim};
  const Operands<T> operands{kv,           data<T>(a.q), data<T>(a.out), data<T>(a.dout),
                             a.q.stride,   a.out.stride, a.dout.stride,  a.lse.f32(),
                             a.lse.stride, shape.group,  shape.head_dim, shape.scale};
  auto* delta = context.scratch<float>(size_t(a.q.rows * shape.q_heads));
  const size_t shared = size_t(kWarps * 2 * shape.head_dim) * sizeof(float);
  const auto rows = query_tiles(spans, shape.group, kWarps);
  const KeyTiles keys = key_tiles(spans, kWarps);
  const AttentionTile* rows_of = context.upload(rows.data(), rows.size());
  const KeyTile* keys_of = context.upload(keys.tiles.data(), keys.tiles.size());
  const Span* viewers = context.upload(keys.viewers.data(), keys.viewers.size());
  const auto heads = static_cast<unsigned>(shape.kv_heads);
  launch(context.stream(), "attention_backward: dq (simple)",
         {dim3(unsigned(rows.size()), heads), dim3(kThreads), shared},
         attention_query_simple_kernel<T>, operands, rows_of, delta, data<T>(a.dq), a.dq.stride,
         shape.q_heads);
  launch(context.stream(), "attention_backward: dk, dv (simple)",
         {dim3(unsigned(keys.tiles.size()), heads), dim3(kThreads), shared},
         attention_key_simple_kernel<T>, operands, keys_of, viewers, delta, data<T>(a.dk),
         a.dk.stride, data<T>(a.dv), a.dv.stride, shape.q_heads);
}

template void attention_forward_simple<float>(Context&, const AttentionShape&,
                                              const std::vector<Span>&, const Tensor&,
                                              const PackedKv<float>&, const Tensor&, float*,
                                              int64_t);
template void attention_forward_simple<bf16>(Context&, const AttentionShape&,
                                             const std::vector<Span>&, const Tensor&,
                                             const PackedKv<bf16>&, const Tensor&, float*, int64_t);
template void attention_forward_simple<float>(Context&, const AttentionShape&,
                                              const std::vector<Span>&, const Tensor&,
                                              const PagedKv<float>&, const Tensor&, float*,
                                              int64_t);
template void attention_forward_simple<bf16>(Context&, const AttentionShape&,
                                             const std::vector<Span>&, const Tensor&,
                                             const PagedKv<bf16>&, const Tensor&, float*, int64_t);
template void attention_forward_simple_step<float>(Context&, const AttentionShape&, const Tensor&,
                                                   const PagedKv<float>&, const Tensor&);
template void attention_forward_simple_step<bf16>(Context&, const AttentionShape&, const Tensor&,
                                                  const PagedKv<bf16>&, const Tensor&);
template void attention_backward_simple<float>(Context&, const AttentionShape&,
                                               const AttentionBackward&, const std::vector<Span>&);
template void attention_backward_simple<bf16>(Context&, const AttentionShape&,
                                              const AttentionBackward&, const std::vector<Span>&);

}  // namespace kogrpo::cuda
