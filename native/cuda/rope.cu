// RMSNorm of each q and k head, then the rotary embedding; backward, and the norm weights'
// gradients. One warp per (token, head): lane l holds the pairs (i, i + D/2), i = l·P … l·P + P −
// 1, so the rotation needs no exchange. Backward: blocks keep their part of the weights' gradients
// in registers, leave them in scratch memory, and a second kernel adds the parts in order.

#include <algorithm>

#include "cuda/context.h"
#include "cuda/cuda_ops.h"
#include "cuda/device.cuh"
#include "cuda/dispatch.h"
#include "cuda/partial_sums.cuh"

namespace kogrpo {
namespace cuda {
namespace {

constexpr int kWarps = 8;

// Pairs per lane, and lanes that hold any.
template <int D>
constexpr int kPairs = D / 2 > kWarp ? D / 2 / kWarp : 1;
template <int D>
constexpr int kLanes = D / 2 / kPairs<D>;

struct RopeShape {
  int tokens, q_heads, kv_heads;
  float eps;
};

template <class T, int P>
struct Halves {
  float low[P], high[P];
};
template <class T, int P>
__device__ __forceinline__ Halves<T, P> load_halves(const T* p, int half, bool active) {
  Halves<T, P> h{};
  if (active) {
    const Vec<T, P> low = load<P>(p), high = load<P>(p + half);
#pragma unroll
    for (int i = 0; i < P; ++i) {
      h.low[i] = to_float(low.v[i]);
      h.high[i] = to_float(high.v[i]);
    }
  }
  return h;
}
template <class T, int P>
__device__ __forceinline__ void store_halves(T* p, int half, const float (&low)[P],
                                             const float (&high)[P]) {
  Vec<T, P> a, b;
#pragma unroll
  for (int i = 0; i < P; ++i) {
    a.v[i] = from_float<T>(low[i]);
    b.v[i] = from_float<T>(high[i]);
  }
  store(p, a);
  store(p + half, b);
}
template <class T, int P, int D>
__device__ __forceinline__ float root_mean_square(const Halves<T, P>& x, float eps) {
  float squares = 0;
#pragma unroll
  for (int i = 0; i < P; ++i)
    squares = fmaf(x.low[i], x.low[i], fmaf(x.high[i], x.high[i], squares));
  return 1.0f / sqrtf(warp_sum(squares) / float(D) + eps);
}

template <class T, int D>
__global__ void __launch_bounds__(kWarps* kWarp)
    rope_forward_kernel(const T* qkv, int64_t qkv_stride, const T* q_norm, const T* k_norm,
                        const int32_t* positions, const float* cos, const float* sin, T* out,
                        int64_t out_stride, RopeShape shape) {
  constexpr int P = kPairs<D>, half = D / 2;
  const int heads = shape.q_heads + shape.kv_heads;
  const int64_t item = int64_t(blockIdx.x) * kWarps + warp();
  if (item >= int64_t(shape.tokens) * heads) return;
  const int token = int(item / heads), head = int(item % heads);
  const bool active = lane() < kLanes<D>;
  const int at = active ? lane() * P : 0;

  const auto x = load_halves<T, P>(qkv + token * qkv_stride + head * D + at, half, active);
  const float rstd = root_mean_square<T, P, D>(x, shape.eps);
  if (!active) return;
  const auto w = load_halves<T, P>((head < shape.q_heads ? q_norm : k_norm) + at, half, true);
  const int64_t angle = int64_t(positions[token]) * half + at;
  float low[P], high[P];
#pragma unroll
  for (int i = 0; i < P; ++i) {
    const float c = cos[angle + i], s = sin[angle + i];
    const float a = x.low[i] * rstd * w.low[i], b = x.high[i] * rstd * w.high[i];
    low[i] = fmaf(a, c, -(b * s));
    high[i] = fmaf(b, c, a * s);
  }
  store_halves<T, P>(out + token * out_stride + head * D + at, half, low, high);
}

template <class T, int D>
__global__ void __launch_bounds__(kWarps* kWarp)
    rope_backward_kernel(const T* dout, int64_t dout_stride, const T* qkv, int64_t qkv_stride,
                         const T* q_norm, const T* k_norm, const int32_t* positions,
                         const float* cos, const float* sin, T* dqkv, int64_t dqkv_stride,
                         float* partial, RopeShape shape) {
  constexpr int P = kPairs<D>, half = D / 2;
  __shared__ float sums[kWarps][2][D];
  const int heads = shape.q_heads + shape.kv_heads;
  const bool active = lane() < kLanes<D>;
  const int at = active ? lane() * P : 0;
  float dw_low[2][P] = {}, dw_high[2][P] = {};  // of q_norm and of k_norm

  const int64_t items = int64_t(shape.tokens) * heads;
  for (int64_t item = int64_t(blockIdx.x) * kWarps + warp(); item < items;
       item += int64_t(gridDim.x) * kWarps) {
    const int token = int(item / heads), head = int(item % heads);
    const bool is_q = head < shape.q_heads;
    const auto x = load_halves<T, P>(qkv + token * qkv_stride + head * D + at, half, active);
    const auto d = load_halves<T, P>(dout + token * dout_stride + head * D + at, half, active);
    const auto w = load_halves<T, P>((is_q ? q_norm : k_norm) + at, half, active);
    const float rstd = root_mean_square<T, P, D>(x, shape.eps);
    const int64_t angle = int64_t(positions[token]) * half + at;
    float low[P], high[P], dot = 0;
#pragma unroll
    for (int i = 0; i < P; ++i) {
      const float c = cos[angle + i], s = sin[angle + i];
      low[i] = fmaf(d.low[i], c, d.high[i] * s);  // the rotation's transpose
      high[i] = fmaf(d.high[i], c, -(d.low[i] * s));
      const float a = low[i] * x.low[i] * rstd, b = high[i] * x.high[i] * rstd;
      dw_low[0][i] += is_q ? a : 0.0f;
      dw_high[0][i] += is_q ? b : 0.0f;
      dw_low[1][i] += is_q ? 0.0f : a;
      dw_high[1][i] += is_q ? 0.0f : b;
      dot = fmaf(low[i] * w.low[i], x.low[i], fmaf(high[i] * w.high[i], x.high[i], dot));
    }
    const float pull = rstd * rstd * warp_sum(dot) / float(D);
#pragma unroll
    for (int i = 0; i < P; ++i) {
      low[i] = rstd * fmaf(low[i], w.low[i], -(x.low[i] * pull));
      high[i] = rstd * fmaf(high[i], w.high[i], -(x.high[i] * pull));
    }
    if (active) store_halves<T, P>(dqkv + token * dqkv_stride + head * D + at, half, low, high);
  }
  if (active)
#pragma unroll
    for (int which = 0; which < 2; ++which)
#pragma unroll
      for (int i = 0; i < P; ++i) {
        sums[warp()][which][at + i] = dw_low[which][i];
        sums[warp()][which][at + half + i] = dw_high[which][i];
      }
  block_sync();
  for (int i = int(threadIdx.x); i < 2 * D; i += kWarps * kWarp) {
    float sum = 0;
    for (int w = 0; w < kWarps; ++w) sum += sums[w][i / D][i % D];
    partial[int64_t(blockIdx.x) * 2 * D + i] = sum;
  }
}

template <class F>
void with_head_dim(const char* op, int64_t head_dim, F&& f) {
  switch (head_dim) {
    case 16:
      return f(std::integral_constant<int, 16>());
    case 32:
      return f(std::integral_constant<int, 32>());
    case 64:
      return f(std::integral_constant<int, 64>());
    case 128:
      return f(std::integral_constant<int, 128>());
    case 256:
      return f(std::integral_constant<int, 256>());
    default:
      check::fail(
          op, "head_dim is " + std::to_string(head_dim) + "; it must be 16, 32, 64, 128 or 256");
  }
}

template <class Args>
void check_rope(const char* op, const Args& a) {
  const DType type = a.qkv.dtype;
  const int64_t tokens = a.qkv.rows, dim = a.head_dim;
  check::matrix(op, "qkv", a.qkv, tokens, (a.q_heads + 2 * a.kv_heads) * dim, type);
  check::vector(op, "q_norm", a.q_norm, dim, type);
  check::vector(op, "k_norm", a.k_norm, dim, type);
  check::vector(op, "positions", a.positions, tokens, DType::i32);
  check::matrix(op, "cos", a.cos, a.cos.rows, dim / 2);
  check::matrix(op, "sin", a.sin, a.cos.rows, dim / 2);
  check::require(a.cos.contiguous() && a.sin.contiguous(), op, "cos and sin must be contiguous");
}

// Rows must start where a lane's vector may be loaded.
void check_aligned(const char* op, const char* name, const Tensor& t) {
  check::require(reinterpret_cast<uintptr_t>(t.data) % 16 == 0 &&
                     t.stride * int64_t(size_of(t.dtype)) % 16 == 0,
                 op, std::string(name) + " must have its rows on 16 bytes");
}

}  // namespace
}  // namespace cuda

using namespace cuda;

void CudaOps::qk_norm_rope_forward(const QkNormRopeForward& a) {
  const char* op = "qk_norm_rope_forward";
  check_rope(op, a);
  const int64_t heads = a.q_heads + a.kv_heads;
  check::matrix(op, "out", a.out, a.qkv.rows, heads * a.head_dim, a.qkv.dtype);
  check_aligned(op, "qkv", a.qkv);
  check_aligned(op, "out", a.out);
  if (a.qkv.rows == 0) return;
  const int32_t* positions =
      indices_on_device(*context_, op, "positions", a.positions, 0, a.cos.rows);
  const RopeShape shape{int(a.qkv.rows), int(a.q_heads), int(a.kv_heads), a.eps};
  with_type(op, a.qkv.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    with_head_dim(op, a.head_dim, [&](auto dim) {
      launch(context_->stream(), op,
             {dim3(unsigned(divide_up(a.qkv.rows * heads, kWarps))), dim3(kWarps * kWarp)},
             rope_forward_kernel<T, dim.value>, data<T>(a.qkv), a.qkv.stride, data<T>(a.q_norm),
             data<T>(a.k_norm), positions, a.cos.f32(), a.sin.f32(), data<T>(a.out), a.out.stride,
             shape);
    });
  });
}

void CudaOps::qk_norm_rope_backward(const QkNormRopeBackward& a) {
  const char* op = "qk_norm_rope_backward";
  check_rope(op, a);
  const DType type = a.qkv.dtype;
  const int64_t heads = a.q_heads + a.kv_heads, dim = a.head_dim;
  check::matrix(op, "dout", a.dout, a.qkv.rows, heads * dim, type);
  check::matrix(op, "dqkv", a.dqkv, a.qkv.rows, a.qkv.cols, type);
  check::vector(op, "dq_norm", a.dq_norm, dim, type);
  check::vector(op, "dk_norm", a.dk_norm, dim, type);
  check_aligned(op, "qkv", a.qkv);
  check_aligned(op, "dout", a.dout);
  check_aligned(op, "dqkv", a.dqkv);
  if (a.qkv.rows == 0) return;
  const int32_t* positions =
      indices_on_device(*context_, op, "positions", a.positions, 0, a.cos.rows);
  const RopeShape shape{int(a.qkv.rows), int(a.q_heads), int(a.kv_heads), a.eps};
  const int64_t blocks =
      std::min<int64_t>(divide_up(a.qkv.rows * heads, kWarps), 4 * context_->multiprocessors());
  auto* partial = context_->scratch<float>(size_t(blocks * 2 * dim));
  with_type(op, type, [&](auto tag) {
    using T = typename decltype(tag)::type;
    with_head_dim(op, dim, [&](auto d) {
      launch(context_->stream(), op, {dim3(unsigned(blocks)), dim3(kWarps * kWarp)},
             rope_backward_kernel<T, d.value>, data<T>(a.dout), a.dout.stride, data<T>(a.qkv),
             a.qkv.stride, data<T>(a.q_norm), data<T>(a.k_norm), positions, a.cos.f32(),
             a.sin.f32(), data<T>(a.dqkv), a.dqkv.stride, partial, shape);
    });
    add_partial_sums(context_->stream(), partial, int(blocks), 2 * dim, int(dim),
                     data<T>(a.dq_norm));
    add_partial_sums(context_->stream(), partial + dim, int(blocks), 2 * dim, int(dim),
                     data<T>(a.dk_norm));
  });
}

}  // namespace kogrpo
