// RMSNorm on the CPU: rows are independent forward and for dx, columns for dweight.
#include "cpu/cpu_ops.h"
#include "ops/check.h"

namespace kogrpo {

void CpuOps::rmsnorm_forward(const RmsNormForward& a) {
  const char* op = "rmsnorm_forward";
  const int64_t tokens = a.x.rows, n = a.x.cols;
  check::matrix(op, "x", a.x, tokens, n);
  check::vector(op, "weight", a.weight, n);
  check::matrix(op, "y", a.y, tokens, n, check::of_operands(a.y));
  check::vector(op, "rstd", a.rstd, tokens);
  pool_.run(tokens, grain(2 * n), [&](Range rows, int) { kernels_.rmsnorm_forward(a, rows); });
}

void CpuOps::rmsnorm_backward(const RmsNormBackward& a) {
  const char* op = "rmsnorm_backward";
  const int64_t tokens = a.x.rows, n = a.x.cols;
  check::matrix(op, "x", a.x, tokens, n);
  check::matrix(op, "dy", a.dy, tokens, n);
  check::vector(op, "weight", a.weight, n);
  check::vector(op, "rstd", a.rstd, tokens);
  check::matrix(op, "dx", a.dx, tokens, n);
  check::vector(op, "dweight", a.dweight, n);
  // The weight pass goes first: dx may be dy's own memory.
  pool_.run((n + 15) / 16, std::max<int64_t>(8, grain(16 * tokens)),
            [&](Range columns, int) { kernels_.rmsnorm_backward_weight(a, columns); });
  pool_.run(tokens, grain(3 * n),
            [&](Range rows, int) { kernels_.rmsnorm_backward_input(a, rows); });
}

}  // namespace kogrpo
