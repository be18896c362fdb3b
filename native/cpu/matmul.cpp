// The three matrix products of a linear layer, plain form: every output element is one chain of
// fused multiply-adds over the summation index in ascending order.

#include <cmath>
#include <stdexcept>
#include <string>

#include "cpu/cpu_ops.h"

namespace kogrpo {
namespace {

void check(bool ok, const char* what) {
  if (!ok) throw std::invalid_argument(what);
}

}  // namespace

std::unique_ptr<PackedWeight> CpuOps::pack(const Tensor&) {
  return nullptr;
}

void CpuOps::linear(const Linear& op) {
  check(op.x.cols == op.w.cols && op.y.rows == op.x.rows && op.y.cols == op.w.rows,
        "linear: y[M,N] = x[M,K] w[N,K]: shapes differ");
  pool_.run(op.y.rows, 1, [&](Range rows, int) {
    for (int64_t m = rows.begin; m < rows.end; ++m)
      for (int64_t n = 0; n < op.y.cols; ++n) {
        float sum = op.accumulate ? op.y.row(m)[n] : 0.0f;
        for (int64_t k = 0; k < op.x.cols; ++k) sum = std::fma(op.x.row(m)[k], op.w.row(n)[k], sum);
        op.y.row(m)[n] = sum;
      }
  });
}

void CpuOps::linear_backward_input(const LinearBackwardInput& op) {
  check(op.dy.cols == op.w.rows && op.dx.rows == op.dy.rows && op.dx.cols == op.w.cols,
        "linear_backward_input: dx[M,K] = dy[M,N] w[N,K]: shapes differ");
  pool_.run(op.dx.rows, 1, [&](Range rows, int) {
    for (int64_t m = rows.begin; m < rows.end; ++m) {
      float* dx = op.dx.row(m);
      if (!op.accumulate)
        for (int64_t k = 0; k < op.dx.cols; ++k) dx[k] = 0.0f;
      for (int64_t n = 0; n < op.dy.cols; ++n)
        for (int64_t k = 0; k < op.dx.cols; ++k)
          dx[k] = std::fma(op.dy.row(m)[n], op.w.row(n)[k], dx[k]);
    }
  });
}

void CpuOps::linear_backward_weight(const LinearBackwardWeight& op) {
  check(op.dy.rows == op.x.rows && op.dw.rows == op.dy.cols && op.dw.cols == op.x.cols,
        "linear_backward_weight: dw[N,K] += dy[M,N]ᵀ x[M,K]: shapes differ");
  pool_.run(op.dw.rows, 1, [&](Range rows, int) {
    for (int64_t n = rows.begin; n < rows.end; ++n)
      for (int64_t t = 0; t < op.dy.rows; ++t)
        for (int64_t k = 0; k < op.dw.cols; ++k)
          op.dw.row(n)[k] = std::fma(op.dy.row(t)[n], op.x.row(t)[k], op.dw.row(n)[k]);
  });
}

}  // namespace kogrpo
