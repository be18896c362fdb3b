#include <stdexcept>

#include "reference/reference_ops.h"

namespace kogrpo {
void ReferenceOps::linear(const Linear&) {
  throw std::logic_error("linear: not written yet");
}
void ReferenceOps::linear_backward_input(const LinearBackwardInput&) {
  throw std::logic_error("linear_backward_input: not written yet");
}
void ReferenceOps::linear_backward_weight(const LinearBackwardWeight&) {
  throw std::logic_error("linear_backward_weight: not written yet");
}
}  // namespace kogrpo
