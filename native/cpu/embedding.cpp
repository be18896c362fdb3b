// Embedding on the CPU: tokens are independent forward, columns backward.
#include "cpu/cpu_ops.h"
#include "ops/check.h"

namespace kogrpo {

void CpuOps::embedding_forward(const EmbeddingForward& a) {
  const char* op = "embedding_forward";
  check::vector(op, "ids", a.ids, a.ids.cols, DType::i32);
  const DType type = check::of_operands(a.table);
  check::matrix(op, "table", a.table, a.table.rows, a.table.cols, type);
  check::matrix(op, "out", a.out, a.ids.cols, a.table.cols, type);
  check::indices(op, "ids", a.ids, 0, a.table.rows);
  pool_.run(a.ids.cols, grain(a.table.cols), [&](Range tokens, int) {
    if (type == DType::f32 && a.table.precision == Precision::bf16)
      kernels_.embedding_forward_bf16(a, tokens);
    else
      kernels_.embedding_forward(a, tokens);
  });
}

void CpuOps::embedding_backward(const EmbeddingBackward& a) {
  const char* op = "embedding_backward";
  check::vector(op, "ids", a.ids, a.ids.cols, DType::i32);
  check::matrix(op, "dtable", a.dtable, a.dtable.rows, a.dtable.cols);
  check::matrix(op, "dout", a.dout, a.ids.cols, a.dtable.cols);
  check::indices(op, "ids", a.ids, 0, a.dtable.rows);
  pool_.run((a.dtable.cols + 15) / 16, grain(16 * a.ids.cols),
            [&](Range columns, int) { kernels_.embedding_backward(a, columns); });
}

}  // namespace kogrpo
