#include <stdexcept>

#include "reference/reference_ops.h"

namespace kogrpo {
void ReferenceOps::logits_forward(const LogitsForward&) {
  throw std::logic_error("logits_forward: not written yet");
}
void ReferenceOps::logits_backward(const LogitsBackward&) {
  throw std::logic_error("logits_backward: not written yet");
}
}  // namespace kogrpo
