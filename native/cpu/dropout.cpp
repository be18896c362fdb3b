// Dropout on the CPU: rows are independent.
#include "cpu/cpu_ops.h"
#include "ops/check.h"

namespace kogrpo {

void CpuOps::dropout(const Dropout& a) {
  const char* op = "dropout";
  check::matrix(op, "x", a.x, a.x.rows, a.x.cols);
  check::matrix(op, "out", a.out, a.x.rows, a.x.cols);
  check::require(a.p >= 0 && a.p < 1, op, "p = " + std::to_string(a.p) + ", must be in [0, 1)");
  check::require(a.identities || a.x.rows == 0, op, "identities are missing");
  const auto threshold = static_cast<float>(dropout_threshold(a.p));
  const float scale = dropout_scale(a.p);
  pool_.run(a.x.rows, grain(4 * a.x.cols),
            [&](Range rows, int) { kernels_.dropout(a, threshold, scale, rows); });
}

}  // namespace kogrpo
