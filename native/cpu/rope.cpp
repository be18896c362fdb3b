#include <stdexcept>

#include "cpu/cpu_ops.h"

namespace kogrpo {
void CpuOps::qk_norm_rope_forward(const QkNormRopeForward&) {
  throw std::logic_error("qk_norm_rope_forward: not written yet");
}
void CpuOps::qk_norm_rope_backward(const QkNormRopeBackward&) {
  throw std::logic_error("qk_norm_rope_backward: not written yet");
}
}  // namespace kogrpo
