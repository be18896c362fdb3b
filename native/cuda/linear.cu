// The products of a linear layer: checks, then cuBLASLt where it was found, else our own kernel.

#include "cuda/blaslt.h"
#include "cuda/cuda_ops.h"
#include "cuda/dispatch.h"
#include "cuda/matmul.cuh"

namespace kogrpo {

using namespace cuda;

namespace {

// The result may be fp32 where the factors are bf16: logits, and gradients kept in fp32.
void check_product(const Product& p, int64_t m, int64_t n, int64_t depth) {
  const DType type = p.a.dtype;
  check::require(type == DType::f32 || type == DType::bf16, p.op, "tensors must be fp32 or bf16");
  check::require(type == DType::bf16 || p.b.precision == Precision::f32, p.op,
                 "a weight of bf16 precision is bf16 in a device's memory");
  check::matrix(p.op, "the first factor", p.a, p.a_transposed ? depth : m,
                p.a_transposed ? m : depth, type);
  check::matrix(p.op, "the second factor", p.b, p.b_rows ? depth : n, p.b_rows ? n : depth, type);
  check::matrix(p.op, "the result", p.c, m, n, p.c.dtype);
  check::require(p.c.dtype == type || p.c.dtype == DType::f32, p.op,
                 "the result has the wrong element type");
}

void run(Context& context, BlasLt* blas, const Product& p) {
  check_product(p, p.c.rows, p.c.cols, p.a_transposed ? p.a.rows : p.a.cols);
  if (p.c.rows == 0 || p.c.cols == 0) return;
  if (blas)
    blas->multiply(p);
  else
    multiply(context, p);
}

}  // namespace

void CudaOps::linear(const Linear& a) {
  run(*context_, blas_.get(), {"linear", a.x, a.w, a.y, false, false, a.accumulate});
}
void CudaOps::linear_backward_input(const LinearBackwardInput& a) {
  run(*context_, blas_.get(),
      {"linear_backward_input", a.dy, a.w, a.dx, false, true, a.accumulate});
}
void CudaOps::linear_backward_weight(const LinearBackwardWeight& a) {
  run(*context_, blas_.get(), {"linear_backward_weight", a.dy, a.x, a.dw, true, true, true});
}

}  // namespace kogrpo
