#include <stdexcept>

#include "reference/reference_ops.h"

namespace kogrpo {
void ReferenceOps::adamw(const AdamW&) {
  throw std::logic_error("adamw: not written yet");
}
double ReferenceOps::sum_of_squares(const float*, int64_t) {
  throw std::logic_error("sum_of_squares: not written yet");
}
void ReferenceOps::scale(float*, int64_t, float) {
  throw std::logic_error("scale: not written yet");
}
void ReferenceOps::lerp(float*, const float*, int64_t, float) {
  throw std::logic_error("lerp: not written yet");
}
}  // namespace kogrpo
