#include <stdexcept>

#include "cpu/cpu_ops.h"

namespace kogrpo {
void CpuOps::logits_forward(const LogitsForward&) {
  throw std::logic_error("logits_forward: not written yet");
}
void CpuOps::logits_backward(const LogitsBackward&) {
  throw std::logic_error("logits_backward: not written yet");
}
}  // namespace kogrpo
