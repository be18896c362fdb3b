#include <stdexcept>

#include "reference/reference_ops.h"

namespace kogrpo {
void ReferenceOps::swiglu_forward(const SwigluForward&) {
  throw std::logic_error("swiglu_forward: not written yet");
}
void ReferenceOps::swiglu_backward(const SwigluBackward&) {
  throw std::logic_error("swiglu_backward: not written yet");
}
}  // namespace kogrpo
