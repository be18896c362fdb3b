#include <stdexcept>

#include "cpu/cpu_ops.h"

namespace kogrpo {
std::unique_ptr<PackedWeight> CpuOps::pack(const Tensor&) {
  throw std::logic_error("pack: not written yet");
}
void CpuOps::linear(const Linear&) {
  throw std::logic_error("linear: not written yet");
}
void CpuOps::linear_backward_input(const LinearBackwardInput&) {
  throw std::logic_error("linear_backward_input: not written yet");
}
void CpuOps::linear_backward_weight(const LinearBackwardWeight&) {
  throw std::logic_error("linear_backward_weight: not written yet");
}
}  // namespace kogrpo
