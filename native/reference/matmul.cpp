// The products of a linear layer, sums in double precision, operands rounded where asked for.

#include "reference/bf16.h"
#include "reference/reference_ops.h"

namespace kogrpo {
void ReferenceOps::linear(const Linear& op) {
  for (int64_t m = 0; m < op.y.rows; ++m)
    for (int64_t n = 0; n < op.y.cols; ++n) {
      double sum = op.accumulate ? op.y.row(m)[n] : 0.0;
      for (int64_t k = 0; k < op.x.cols; ++k)
        sum += rounded(op.x.row(m)[k], op.w.precision) * rounded(op.w.row(n)[k], op.w.precision);
      op.y.row(m)[n] = float(sum);
    }
}

void ReferenceOps::linear_backward_input(const LinearBackwardInput& op) {
  for (int64_t m = 0; m < op.dx.rows; ++m)
    for (int64_t k = 0; k < op.dx.cols; ++k) {
      double sum = op.accumulate ? op.dx.row(m)[k] : 0.0;
      for (int64_t n = 0; n < op.dy.cols; ++n)
        sum += rounded(op.dy.row(m)[n], op.w.precision) * rounded(op.w.row(n)[k], op.w.precision);
      op.dx.row(m)[k] = float(sum);
    }
}

void ReferenceOps::linear_backward_weight(const LinearBackwardWeight& op) {
  for (int64_t n = 0; n < op.dw.rows; ++n)
    for (int64_t k = 0; k < op.dw.cols; ++k) {
      double sum = op.dw.row(n)[k];
      for (int64_t t = 0; t < op.dy.rows; ++t) sum += double(op.dy.row(t)[n]) * op.x.row(t)[k];
      op.dw.row(n)[k] = float(sum);
    }
}

}  // namespace kogrpo
