// Log-probabilities of rows of logits and their gradient on the CPU: rows are independent.
#include <cmath>

#include "cpu/cpu_ops.h"
#include "ops/op_checks.h"

namespace kogrpo {

void CpuOps::logits_forward(const LogitsForward& a) {
  const char* op = "logits_forward";
  check::logits(op, a);
  check::vector(op, "logprob", a.logprob, a.logits.rows);
  if (a.correct.data) check::vector(op, "correct", a.correct, a.logits.rows);
  pool_.run(a.logits.rows, grain(4 * a.vocab_limit),
            [&](Range rows, int) { kernels_.logits_forward(a, rows); });
}

Tensor CpuOps::logits_backward(const LogitsBackward& a) {
  const char* op = "logits_backward";
  check::logits(op, a);
  check::vector(op, "coef_logprob", a.coef_logprob, a.logits.rows);
  if (a.coef_entropy.data) check::vector(op, "coef_entropy", a.coef_entropy, a.logits.rows);
  check::require(a.gradient == DType::f32 || a.gradient == DType::bf16, op,
                 "the gradient is fp32 or bf16");
  pool_.run(a.logits.rows, grain(4 * a.vocab_limit),
            [&](Range rows, int) { kernels_.logits_backward(a, rows); });
  if (a.gradient == DType::f32) return a.logits;
  Tensor gradient = matrix(a.logits.data, DType::bf16, a.logits.rows, a.logits.cols);
  gradient.stride = 2 * a.logits.stride;
  return gradient;
}

void CpuOps::scale_columns(const ScaleColumns& a) {
  const char* op = "scale_columns";
  check::matrix(op, "x", a.x, a.x.rows, a.x.cols);
  check::vector(op, "scale", a.scale, a.x.cols);
  pool_.run(a.x.rows, grain(a.x.cols), [&](Range rows, int) { kernels_.scale_columns(a, rows); });
}

}  // namespace kogrpo
