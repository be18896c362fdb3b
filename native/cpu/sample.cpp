#include <stdexcept>

#include "cpu/cpu_ops.h"

namespace kogrpo {
void CpuOps::sample(const Sample&) {
  throw std::logic_error("sample: not written yet");
}
}  // namespace kogrpo
