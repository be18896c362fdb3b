// SwiGLU on the CPU: rows are independent.
#include "cpu/cpu_ops.h"
#include "ops/check.h"

namespace kogrpo {

void CpuOps::swiglu_forward(const SwigluForward& a) {
  const char* op = "swiglu_forward";
  check::matrix(op, "y", a.y, a.y.rows, a.y.cols, check::of_operands(a.y));
  check::matrix(op, "gate_up", a.gate_up, a.y.rows, 2 * a.y.cols);
  pool_.run(a.y.rows, grain(4 * a.y.cols),
            [&](Range rows, int) { kernels_.swiglu_forward(a, rows); });
}

void CpuOps::swiglu_backward(const SwigluBackward& a) {
  const char* op = "swiglu_backward";
  check::matrix(op, "dy", a.dy, a.dy.rows, a.dy.cols);
  check::matrix(op, "gate_up", a.gate_up, a.dy.rows, 2 * a.dy.cols);
  const DType type = check::of_operands(a.dgate_up);
  check::matrix(op, "dgate_up", a.dgate_up, a.dy.rows, 2 * a.dy.cols, type);
  if (a.y.data) check::matrix(op, "y", a.y, a.dy.rows, a.dy.cols, type);
  pool_.run(a.dy.rows, grain(6 * a.dy.cols),
            [&](Range rows, int) { kernels_.swiglu_backward(a, rows); });
}

}  // namespace kogrpo
