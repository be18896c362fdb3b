// Log-probabilities of rows of logits and their gradient on the CPU: rows are independent.
#include <cmath>

#include "cpu/check.h"
#include "cpu/cpu_ops.h"

namespace kogrpo {

namespace {

template <class Args>
void check_common(const char* op, const Args& a) {
  const int64_t rows = a.logits.rows, vocab = a.logits.cols;
  check::matrix(op, "logits", a.logits, rows, vocab);
  check::require(a.vocab_limit > 0 && a.vocab_limit <= vocab, op,
                 "vocab_limit = " + std::to_string(a.vocab_limit) + ", must be in [1, " +
                     std::to_string(vocab) + "]");
  check::require(
      a.inv_temperature > 0 && std::isfinite(a.inv_temperature), op,
      "inv_temperature = " + std::to_string(a.inv_temperature) + ", must be positive and finite");
  check::vector(op, "targets", a.targets, rows, DType::i32);
  check::indices(op, "targets", a.targets, -1, a.vocab_limit);
  check::vector(op, "entropy", a.entropy, rows);
  check::vector(op, "lse", a.lse, rows);
}

}  // namespace

void CpuOps::logits_forward(const LogitsForward& a) {
  const char* op = "logits_forward";
  check_common(op, a);
  check::vector(op, "logprob", a.logprob, a.logits.rows);
  if (a.correct.data) check::vector(op, "correct", a.correct, a.logits.rows);
  pool_.run(a.logits.rows, check::grain(4 * a.vocab_limit),
            [&](Range rows, int) { kernels_.logits_forward(a, rows); });
}

Tensor CpuOps::logits_backward(const LogitsBackward& a) {
  const char* op = "logits_backward";
  check_common(op, a);
  check::vector(op, "coef_logprob", a.coef_logprob, a.logits.rows);
  if (a.coef_entropy.data) check::vector(op, "coef_entropy", a.coef_entropy, a.logits.rows);
  check::require(a.gradient == DType::f32, op, "the gradient is fp32 on this backend");
  pool_.run(a.logits.rows, check::grain(4 * a.vocab_limit),
            [&](Range rows, int) { kernels_.logits_backward(a, rows); });
  return a.logits;
}

void CpuOps::scale_columns(const ScaleColumns& a) {
  const char* op = "scale_columns";
  check::matrix(op, "x", a.x, a.x.rows, a.x.cols);
  check::vector(op, "scale", a.scale, a.x.cols);
  pool_.run(a.x.rows, check::grain(a.x.cols),
            [&](Range rows, int) { kernels_.scale_columns(a, rows); });
}

}  // namespace kogrpo
