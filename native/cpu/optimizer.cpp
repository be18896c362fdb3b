#include <stdexcept>

#include "cpu/cpu_ops.h"

namespace kogrpo {
void CpuOps::adamw(const AdamW&) {
  throw std::logic_error("adamw: not written yet");
}
double CpuOps::sum_of_squares(const float*, int64_t) {
  throw std::logic_error("sum_of_squares: not written yet");
}
void CpuOps::scale(float*, int64_t, float) {
  throw std::logic_error("scale: not written yet");
}
void CpuOps::lerp(float*, const float*, int64_t, float) {
  throw std::logic_error("lerp: not written yet");
}
}  // namespace kogrpo
