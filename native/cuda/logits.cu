// Log-prob, entropy and their gradient over rows of logits. One block per row. Forward reads the
// row once; backward reads it once and writes the gradient over it: in fp32, or in bf16 (what the
// two products that follow want) into the first half of the row's own memory. That is safe because
// the block reads a stretch, meets at a barrier and then writes to half the address: only what was
// read already is overwritten. So a chunk of logits needs no second buffer.

#include <cmath>

#include "cuda/context.h"
#include "cuda/cuda_ops.h"
#include "cuda/device.cuh"
#include "cuda/dispatch.h"
#include "cuda/softmax.cuh"
#include "ops/op_checks.h"

namespace kogrpo {
namespace cuda {
namespace {

struct LogitsShape {
  int64_t stride;
  int cols, vocab_limit;
  float inv_temperature;
  bool wide;  // rows on 16 bytes
};

__global__ void __launch_bounds__(kRowThreads)
    logits_forward_kernel(const float* logits, LogitsShape shape, const int32_t* targets,
                          float* logprob, float* entropy, float* lse, float* correct) {
  __shared__ SoftmaxSums shared[kRowThreads / kWarp];
  const float* row = logits + int64_t(blockIdx.x) * shape.stride;
  SoftmaxSums s{kMinusInfinity, 0, 0};
  for (int i = int(threadIdx.x) * 4; i < shape.vocab_limit; i += kRowThreads * 4) {
    float z[4];
    load_values(row, i, shape.vocab_limit, shape.wide, shape.inv_temperature, z);
    add_values(s, z);
  }
  s = merge_block(s, shared);
  if (threadIdx.x != 0) return;
  const int target = targets[blockIdx.x];
  const float z = target < 0 ? 0.0f : row[target] * shape.inv_temperature;
  const float log_sum = logf(s.sum);
  lse[blockIdx.x] = s.max + log_sum;
  entropy[blockIdx.x] = log_sum - s.weighted / s.sum;
  logprob[blockIdx.x] = target < 0 ? 0.0f : log_probability(z, s);
  if (correct) correct[blockIdx.x] = target >= 0 && z == s.max ? 1.0f : 0.0f;
}

template <class Out>
__global__ void __launch_bounds__(kRowThreads)
    logits_backward_kernel(float* logits, LogitsShape shape, const int32_t* targets,
                           const float* entropy, const float* lse, const float* coef_logprob,
                           const float* coef_entropy) {
  float* const row = logits + int64_t(blockIdx.x) * shape.stride;
  Out* const out = reinterpret_cast<Out*>(row);
  const int target = targets[blockIdx.x];
  const float c = target < 0 ? 0.0f : coef_logprob[blockIdx.x] * shape.inv_temperature;
  const float e =
      target < 0 || !coef_entropy ? 0.0f : coef_entropy[blockIdx.x] * shape.inv_temperature;
  const float log_sum = lse[blockIdx.x], h = entropy[blockIdx.x];
  for (int begin = 0; begin < shape.cols; begin += kRowThreads * 4) {
    const int i = begin + int(threadIdx.x) * 4;
    float z[4];
    if (i < shape.cols)
      load_values(row, i, shape.vocab_limit, shape.wide, shape.inv_temperature, z);
    if (sizeof(Out) < sizeof(float)) block_sync();
    if (i >= shape.cols) continue;
    Vec<Out, 4> d;
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      const float log_p = z[k] - log_sum, p = expf(log_p);
      float g = 0;
      if (i + k < shape.vocab_limit)
        g = c * ((i + k == target ? 1.0f : 0.0f) - p) - (p > 0.0f ? e * p * (log_p + h) : 0.0f);
      d.v[k] = from_float<Out>(g);
    }
    if (shape.wide && i + 4 <= shape.cols) {
      store(out + i, d);
    } else {
#pragma unroll
      for (int k = 0; k < 4; ++k)
        if (i + k < shape.cols) out[i + k] = d.v[k];
    }
  }
}

template <class T>
__global__ void __launch_bounds__(256)
    scale_columns_kernel(T* x, int64_t stride, const float* scale, int cols) {
  T* const row = x + int64_t(blockIdx.x) * stride;
  for (int i = int(threadIdx.x); i < cols; i += 256)
    row[i] = from_float<T>(to_float(row[i]) * scale[i]);
}

template <class Args>
LogitsShape checked_shape(const char* op, const Args& a) {
  check::logits(op, a);
  return {a.logits.stride, int(a.logits.cols), int(a.vocab_limit), a.inv_temperature,
          a.logits.stride % 4 == 0 && reinterpret_cast<uintptr_t>(a.logits.data) % 16 == 0};
}

template <class Out>
void logits_backward(const char* op, Context& context, const LogitsBackward& a) {
  const LogitsShape shape = checked_shape(op, a);
  check::vector(op, "coef_logprob", a.coef_logprob, a.logits.rows);
  if (a.coef_entropy.data) check::vector(op, "coef_entropy", a.coef_entropy, a.logits.rows);
  if (a.logits.rows == 0) return;
  const int32_t* targets = context.upload(a.targets.i32(), size_t(a.targets.cols));
  launch(context.stream(), op, {dim3(unsigned(a.logits.rows)), dim3(kRowThreads)},
         logits_backward_kernel<Out>, a.logits.f32(), shape, targets, a.entropy.f32(), a.lse.f32(),
         a.coef_logprob.f32(), a.coef_entropy.f32());
}

}  // namespace
}  // namespace cuda

using namespace cuda;

void CudaOps::logits_forward(const LogitsForward& a) {
  const char* op = "logits_forward";
  const LogitsShape shape = checked_shape(op, a);
  check::vector(op, "logprob", a.logprob, a.logits.rows);
  if (a.correct.data) check::vector(op, "correct", a.correct, a.logits.rows);
  if (a.logits.rows == 0) return;
  const int32_t* targets = context_->upload(a.targets.i32(), size_t(a.targets.cols));
  launch(context_->stream(), op, {dim3(unsigned(a.logits.rows)), dim3(kRowThreads)},
         logits_forward_kernel, a.logits.f32(), shape, targets, a.logprob.f32(), a.entropy.f32(),
         a.lse.f32(), a.correct.f32());
}

Tensor CudaOps::logits_backward(const LogitsBackward& a) {
  const char* op = "logits_backward";
  if (a.gradient == DType::f32) {
    cuda::logits_backward<float>(op, *context_, a);
    return a.logits;
  }
  check::require(a.gradient == DType::bf16, op, "the gradient is fp32 or bf16");
  cuda::logits_backward<bf16>(op, *context_, a);
  return {a.logits.data, DType::bf16,         a.logits.rows,
          a.logits.cols, 2 * a.logits.stride, Precision::f32};
}

void CudaOps::scale_columns(const ScaleColumns& a) {
  const char* op = "scale_columns";
  check::matrix(op, "x", a.x, a.x.rows, a.x.cols, a.x.dtype);
  check::vector(op, "scale", a.scale, a.x.cols);
  with_type(op, a.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(context_->stream(), op, {dim3(unsigned(a.x.rows)), dim3(256)}, scale_columns_kernel<T>,
           data<T>(a.x), a.x.stride, a.scale.f32(), int(a.x.cols));
  });
}

}  // namespace kogrpo
