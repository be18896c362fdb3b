#include <stdexcept>

#include "reference/reference_ops.h"

namespace kogrpo {
void ReferenceOps::rmsnorm_forward(const RmsNormForward&) {
  throw std::logic_error("rmsnorm_forward: not written yet");
}
void ReferenceOps::rmsnorm_backward(const RmsNormBackward&) {
  throw std::logic_error("rmsnorm_backward: not written yet");
}
}  // namespace kogrpo
