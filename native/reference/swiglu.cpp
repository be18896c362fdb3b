// SwiGLU: y = gate·σ(gate)·up, in double.
#include <cmath>

#include "reference/reference_ops.h"

namespace kogrpo {

void ReferenceOps::swiglu_forward(const SwigluForward& a) {
  for (int64_t t = 0; t < a.y.rows; ++t)
    for (int64_t c = 0; c < a.y.cols; ++c) {
      const double gate = a.gate_up.row(t)[c], up = a.gate_up.row(t)[a.y.cols + c];
      a.y.row(t)[c] = float(gate / (1 + std::exp(-gate)) * up);
    }
}

void ReferenceOps::swiglu_backward(const SwigluBackward& a) {
  const int64_t n = a.dy.cols;
  for (int64_t t = 0; t < a.dy.rows; ++t)
    for (int64_t c = 0; c < n; ++c) {
      const double gate = a.gate_up.row(t)[c], up = a.gate_up.row(t)[n + c], dy = a.dy.row(t)[c];
      const double sigmoid = 1 / (1 + std::exp(-gate));
      a.dgate_up.row(t)[c] = float(dy * up * sigmoid * (1 + gate * (1 - sigmoid)));
      a.dgate_up.row(t)[n + c] = float(dy * gate * sigmoid);
      if (a.y.data) a.y.row(t)[c] = float(gate * sigmoid * up);
    }
}

}  // namespace kogrpo
