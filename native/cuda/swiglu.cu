// SwiGLU and its gradient: y = silu(gate)·up. One block per row, 16 bytes per access: the operation
// moves 3 (forward), 5 (backward) or 6 (backward with y) elements per output and computes a dozen
// operations, so memory bandwidth is its limit.

#include "cuda/context.h"
#include "cuda/cuda_ops.h"
#include "cuda/device.cuh"
#include "cuda/dispatch.h"

namespace kogrpo {
namespace cuda {
namespace {

constexpr int kThreads = 256;

__device__ __forceinline__ float sigmoid(float x) {
  return 1.0f / (1.0f + expf(-x));
}

template <class T, int N>
__global__ void __launch_bounds__(kThreads)
    swiglu_forward_kernel(const T* gate_up, int64_t gate_up_stride, T* y, int64_t y_stride,
                          int cols) {
  const T* gate = gate_up + int64_t(blockIdx.x) * gate_up_stride;
  y += int64_t(blockIdx.x) * y_stride;
  for (int i = int(threadIdx.x) * N; i < cols; i += kThreads * N) {
    const Vec<T, N> g = load<N>(gate + i), u = load<N>(gate + cols + i);
    Vec<T, N> out;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      const float x = to_float(g.v[k]);
      out.v[k] = from_float<T>(x * sigmoid(x) * to_float(u.v[k]));
    }
    store(y + i, out);
  }
}

template <class T, int N>
__global__ void __launch_bounds__(kThreads)
    swiglu_backward_kernel(const T* dy, int64_t dy_stride, const T* gate_up, int64_t gate_up_stride,
                           T* dgate_up, int64_t dgate_up_stride, T* y, int64_t y_stride, int cols) {
  dy += int64_t(blockIdx.x) * dy_stride;
  if (y) y += int64_t(blockIdx.x) * y_stride;
  const T* gate = gate_up + int64_t(blockIdx.x) * gate_up_stride;
  T* dgate = dgate_up + int64_t(blockIdx.x) * dgate_up_stride;
  for (int i = int(threadIdx.x) * N; i < cols; i += kThreads * N) {
    const Vec<T, N> g = load<N>(gate + i), u = load<N>(gate + cols + i), d = load<N>(dy + i);
    Vec<T, N> dg, du, out;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      const float x = to_float(g.v[k]), s = sigmoid(x), dout = to_float(d.v[k]);
      dg.v[k] = from_float<T>(dout * to_float(u.v[k]) * s * fmaf(x, 1.0f - s, 1.0f));
      du.v[k] = from_float<T>(dout * x * s);
      out.v[k] = from_float<T>(x * s * to_float(u.v[k]));
    }
    store(dgate + i, dg);
    store(dgate + cols + i, du);
    if (y) store(y + i, out);
  }
}

}  // namespace
}  // namespace cuda

using namespace cuda;

void CudaOps::swiglu_forward(const SwigluForward& a) {
  const char* op = "swiglu_forward";
  const DType type = a.y.dtype;
  check::matrix(op, "gate_up", a.gate_up, a.y.rows, 2 * a.y.cols, type);
  check::matrix(op, "y", a.y, a.y.rows, a.y.cols, type);
  with_type(op, type, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(context_->stream(), op, {dim3(unsigned(a.y.rows)), dim3(kThreads)},
           wide(a.y.cols, {a.gate_up, a.y}) ? swiglu_forward_kernel<T, kWide<T>>
                                            : swiglu_forward_kernel<T, 1>,
           data<T>(a.gate_up), a.gate_up.stride, data<T>(a.y), a.y.stride, int(a.y.cols));
  });
}

void CudaOps::swiglu_backward(const SwigluBackward& a) {
  const char* op = "swiglu_backward";
  const int64_t rows = a.dy.rows, cols = a.dy.cols;
  const DType type = a.dy.dtype;
  check::matrix(op, "dy", a.dy, rows, cols, type);
  check::matrix(op, "gate_up", a.gate_up, rows, 2 * cols, type);
  check::matrix(op, "dgate_up", a.dgate_up, rows, 2 * cols, type);
  if (a.y.data) check::matrix(op, "y", a.y, rows, cols, type);
  with_type(op, type, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(context_->stream(), op, {dim3(unsigned(rows)), dim3(kThreads)},
           wide(cols, {a.dy, a.gate_up, a.dgate_up, a.y.data ? a.y : a.dy})
               ? swiglu_backward_kernel<T, kWide<T>>
               : swiglu_backward_kernel<T, 1>,
           data<T>(a.dy), a.dy.stride, data<T>(a.gate_up), a.gate_up.stride, data<T>(a.dgate_up),
           a.dgate_up.stride, data<T>(a.y), a.y.stride, int(cols));
  });
}

}  // namespace kogrpo
