#include <stdexcept>

#include "cpu/cpu_ops.h"

namespace kogrpo {
void CpuOps::swiglu_forward(const SwigluForward&) {
  throw std::logic_error("swiglu_forward: not written yet");
}
void CpuOps::swiglu_backward(const SwigluBackward&) {
  throw std::logic_error("swiglu_backward: not written yet");
}
}  // namespace kogrpo
