#include <stdexcept>

#include "cpu/cpu_ops.h"

namespace kogrpo {
void CpuOps::rmsnorm_forward(const RmsNormForward&) {
  throw std::logic_error("rmsnorm_forward: not written yet");
}
void CpuOps::rmsnorm_backward(const RmsNormBackward&) {
  throw std::logic_error("rmsnorm_backward: not written yet");
}
}  // namespace kogrpo
